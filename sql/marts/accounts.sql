/*---
description: Tonight's customers, with who looks after them and what they pay for.
checks:
  - not_null: [account_id, account_name, arr]
  - unique: [account_id]
  - range: {column: arr, min: 0}
  - relationship: {column: csm_id, to: staging.csms.csm_id, severity: warn}
---*/
SELECT
  s.account_id,
  a.account_name,
  a.domain,
  a.account_id AS crm_id,
  a.owner_id AS csm_id,
  c.csm_name,
  c.csm_email,
  f.segment,
  k.plan,
  a.industry,
  a.country,
  f.arr,
  CASE WHEN k.is_annual THEN k.period_ends_on END AS renewal_date,
  f.tenure_days,
  k.seats AS seats_entitled,
  f.active_users_28d AS seats_used_28d,
  k.overdue_amount
FROM features.spine AS s
INNER JOIN staging.crm_accounts AS a ON s.account_id = a.account_id
INNER JOIN features.account_features AS f ON s.account_id = f.account_id AND s.as_of = f.as_of
INNER JOIN features.contract AS k ON s.account_id = k.account_id AND s.as_of = k.as_of
LEFT JOIN staging.csms AS c ON a.owner_id = c.csm_id
WHERE s.as_of = $as_of
