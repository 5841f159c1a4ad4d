/*---
description: Keys that no account or subscription has.
checks:
  - row_count: {max: 0, severity: warn}
---*/
SELECT DISTINCT
  'usage' AS source,
  u.subscription_id AS key,
  'no subscription has this key' AS reason
FROM staging.usage AS u
WHERE u.account_id IS NULL
UNION ALL
SELECT DISTINCT
  'tickets' AS source,
  t.account_id AS key,
  'no account has this key' AS reason
FROM staging.tickets AS t
LEFT ANTI JOIN staging.accounts AS a ON a.account_id = t.account_id
