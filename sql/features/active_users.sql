/*---
description: How many people of each account used the product within 28 days up to each day looked at.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH days AS (
  SELECT
    as_of,
    CAST(unnest(generate_series(CAST(as_of AS TIMESTAMP) - INTERVAL '27' DAY, CAST(as_of AS TIMESTAMP), INTERVAL '1' DAY)) AS DATE) AS day
  FROM (SELECT DISTINCT as_of FROM features.spine)
),
people AS (
  SELECT
    d.as_of,
    e.company,
    e.distinct_id
  FROM days AS d
  INNER JOIN raw.mixpanel__events AS e ON d.day = CAST(coalesce(e.processed_at, e.time) AS DATE)
  GROUP BY d.as_of, e.company, e.distinct_id
)
SELECT
  k.account_id,
  p.as_of,
  count(*) AS active_users_28d
FROM people AS p
INNER JOIN identity.keys AS k ON k.source = 'mixpanel' AND k.key = p.company
WHERE k.account_id IS NOT NULL
GROUP BY k.account_id, p.as_of
