/*---
description: Tonight's customers.
checks:
  - not_null: [account_id, as_of, account_name, csm_id, arr, renewal_date]
  - unique: [account_id]
  - row_count: {min: 1}
---*/
SELECT
  s.account_id,
  s.as_of,
  a.account_name,
  a.csm_id,
  a.csm_name,
  t.plan AS segment,
  t.product AS plan,
  CAST(t.mrr * 12 AS DECIMAL(18, 2)) AS arr,
  t.contract_end AS renewal_date,
  s.as_of - c.customer_from AS tenure_days,
  CAST(NULL AS VARCHAR) AS crm_id,
  a.channel,
  a.country,
  t.seats AS seats_entitled,
  t.meetings_entitled,
  t.searches_entitled,
  t.bill_period_months,
  t.discount
FROM features.spine AS s
JOIN identity.accounts AS a ON a.account_id = s.account_id
JOIN history.terms AS t
  ON t.account_id = s.account_id
  AND t.valid_from <= s.as_of
  AND t.valid_to > s.as_of
JOIN history.customers AS c
  ON c.account_id = s.account_id
  AND c.customer_from <= s.as_of
  AND c.customer_to > s.as_of
WHERE s.as_of = $as_of
