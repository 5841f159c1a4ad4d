/*---
description: The newest version of each account.
checks:
  - not_null: [account_id]
  - unique: [account_id]
---*/
SELECT id AS account_id, name AS account_name, seats, since, arr
FROM raw.crm__accounts
WHERE updated_at <= $as_of
