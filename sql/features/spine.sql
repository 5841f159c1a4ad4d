/*---
description: One row per account and day looked at, of accounts that were paying customers on that evening.
partition_by: [as_of]
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
  - row_count: {min: 1}
---*/
SELECT
  s.account_id,
  d.as_of
FROM features.as_ofs AS d
INNER JOIN history.subscriptions AS s
  ON s.valid_from <= d.as_of AND (s.valid_to IS NULL OR s.valid_to > d.as_of)
WHERE s.account_id IS NOT NULL AND s.is_active
GROUP BY s.account_id, d.as_of
