/*---
description: >-
  The accounts with a running subscription on every second Tuesday since June 2023, to learn from, and those of tonight.
partition_by: [as_of]
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
  - row_count: {min: 1}
---*/
WITH evenings AS (
  SELECT CAST(unnest(generate_series(DATE '2023-06-06', $as_of, INTERVAL '14 days')) AS DATE) AS as_of
  UNION
  SELECT $as_of AS as_of
)
SELECT DISTINCT
  s.account_id,
  e.as_of
FROM evenings AS e
JOIN history.subscriptions AS s ON s.valid_from <= e.as_of AND s.valid_to > e.as_of
