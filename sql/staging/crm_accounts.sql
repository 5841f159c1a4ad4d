/*---
description: CRM accounts as they were on the evening of as_of, one row each. The domain is the website without its trimmings.
checks:
  - not_null: [account_id, account_name]
  - unique: [account_id]
  - row_count: {min: 1}
  - freshness: {column: updated_at, max_age_days: 7, severity: warn}
---*/
SELECT
  id AS account_id,
  name AS account_name,
  normalize_domain(website) AS domain,
  account_type,
  industry,
  country,
  employees,
  owner_id,
  segment,
  stripe_customer_id,
  created_at,
  updated_at
FROM raw.salesforce__accounts
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY
  row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
  AND NOT coalesce(is_deleted, FALSE)
