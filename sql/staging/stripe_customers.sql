/*---
description: Who pays, with what leads to the CRM account.
checks:
  - not_null: [customer_id]
  - unique: [customer_id]
---*/
SELECT
  id AS customer_id,
  name AS customer_name,
  email,
  normalize_domain(email) AS domain,
  salesforce_id,
  created_at
FROM raw.stripe__customers
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
