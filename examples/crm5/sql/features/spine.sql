/*---
description: >-
  The customers of every second Sunday since April 2022, to learn from, and those of tonight. Earlier evenings lack 84 days
  of usage before them.
partition_by: [as_of]
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
  - row_count: {min: 1}
---*/
WITH evenings AS (
  SELECT CAST(unnest(generate_series(DATE '2022-04-03', $as_of, INTERVAL '14 days')) AS DATE) AS as_of
  UNION
  SELECT $as_of AS as_of
)
SELECT
  t.account_id,
  e.as_of
FROM evenings AS e
JOIN history.terms AS t ON t.valid_from <= e.as_of AND t.valid_to > e.as_of
