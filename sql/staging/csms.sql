/*---
description: Customer success managers, the owners of accounts.
checks:
  - not_null: [csm_id, csm_name]
  - unique: [csm_id]
---*/
SELECT
  id AS csm_id,
  name AS csm_name,
  email AS csm_email
FROM raw.salesforce__users
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
