/*---
description: What the CSM did within 28 and 84 days up to each day looked at, and whether the champion is still there.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH touched AS (
  SELECT
    s.account_id,
    s.as_of,
    count(*) FILTER (WHERE t.touched_on > s.as_of - INTERVAL '28' DAY) AS touches_28d,
    count(*) FILTER (WHERE t.touched_on > s.as_of - INTERVAL '84' DAY) AS touches_84d,
    count(*) FILTER (WHERE t.kind IN ('Call', 'QBR') AND t.touched_on > s.as_of - INTERVAL '56' DAY) AS calls_and_reviews_56d,
    max(t.touched_on) AS last_touched_on
  FROM features.spine AS s
  INNER JOIN staging.touches AS t ON s.account_id = t.account_id AND t.touched_on <= s.as_of
  GROUP BY s.account_id, s.as_of
),
left_us AS (
  SELECT
    s.account_id,
    s.as_of,
    count(*) AS champions_left_84d
  FROM features.spine AS s
  INNER JOIN staging.champions AS c
    ON s.account_id = c.account_id AND c.left_on <= s.as_of AND c.left_on > s.as_of - INTERVAL '84' DAY
  GROUP BY s.account_id, s.as_of
)
SELECT
  s.account_id,
  s.as_of,
  coalesce(t.touches_28d, 0) AS touches_28d,
  coalesce(t.touches_84d, 0) AS touches_84d,
  coalesce(t.calls_and_reviews_56d, 0) AS calls_and_reviews_56d,
  CAST(s.as_of - t.last_touched_on AS BIGINT) AS days_since_touch,
  coalesce(l.champions_left_84d, 0) > 0 AS champion_left_84d
FROM features.spine AS s
LEFT JOIN touched AS t ON s.account_id = t.account_id AND s.as_of = t.as_of
LEFT JOIN left_us AS l ON s.account_id = l.account_id AND s.as_of = l.as_of
