/*---
description: Keys of subscriptions and usage that no account has.
checks:
  - row_count: {max: 0, severity: warn}
---*/
SELECT DISTINCT
  'subscriptions' AS source,
  s.account_id AS key,
  'no account has this key' AS reason
FROM staging.subscriptions AS s
LEFT ANTI JOIN identity.accounts AS a ON a.account_id = s.account_id
UNION ALL
SELECT DISTINCT
  'usage' AS source,
  u.account_id AS key,
  'no account has this key' AS reason
FROM staging.usage_daily AS u
LEFT ANTI JOIN identity.accounts AS a ON a.account_id = u.account_id
