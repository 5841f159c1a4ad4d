/*---
description: >
  Usage events that came more than once, with how many times too often. To find them among millions, only those are looked
  at that share user and second with another one; then Mixpanel's own key decides (event, user, time, insert id).
checks:
  - not_null: [company, event, surplus]
---*/
WITH suspects AS (
  SELECT distinct_id, time
  FROM raw.mixpanel__events
  GROUP BY distinct_id, time
  -- Not `> 1`: of that DataFusion thinks that it keeps all groups, and rounding decides whether the join holds them in memory or all events.
  HAVING count(*) <> 1
)
SELECT
  min(e.company) AS company,
  e.event,
  e.distinct_id,
  e.time,
  e.insert_id,
  min(e.processed_at) AS processed_at,
  count(*) - 1 AS surplus
FROM suspects AS s
INNER JOIN raw.mixpanel__events AS e ON e.distinct_id = s.distinct_id AND e.time = s.time
GROUP BY e.event, e.distinct_id, e.time, e.insert_id
HAVING count(*) > 1
