/*---
description: Keys that belong to no account, or to several, with the reason. They are counted and listed, never dropped silently.
---*/
SELECT
  source,
  key,
  name,
  rule AS reason
FROM identity.keys
WHERE account_id IS NULL
