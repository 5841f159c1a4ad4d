/*---
description: >-
  One row per account, the newest version of it. The vendor has no account names and no owners, so both are made
  from the key, always the same way.
checks:
  - not_null: [account_id, channel]
  - unique: [account_id]
  - accepted_values: {column: channel, values: [web, appstore1, appstore2]}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.crm5__accounts
)
SELECT
  CAST(id AS VARCHAR) AS account_id,
  concat('Account ', CAST(id AS VARCHAR)) AS account_name,
  id % 5 + 1 AS csm_number,
  channel,
  date_of_birth AS founded_on,
  country
FROM newest
WHERE recency = 1
