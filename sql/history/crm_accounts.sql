/*---
description: Every state of every CRM account, and from when to when it held. The last state has no valid_to.
checks:
  - not_null: [account_id, valid_from]
  - unique: [account_id, valid_from]
  - expression: {name: ends_after_begin, sql: "valid_to > valid_from"}
---*/
WITH changes AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY id, updated_at ORDER BY _extracted_at DESC) AS repeat
  FROM raw.salesforce__accounts
  WHERE CAST(updated_at AS DATE) <= $as_of
)
SELECT
  id AS account_id,
  name AS account_name,
  account_type,
  industry,
  country,
  employees,
  owner_id,
  segment,
  updated_at AS valid_from,
  lead(updated_at) OVER (PARTITION BY id ORDER BY updated_at) AS valid_to
FROM changes
WHERE repeat = 1
