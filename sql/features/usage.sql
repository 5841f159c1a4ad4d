/*---
description: >
  Product usage of each account within 7, 28 and 84 days up to each day looked at. Days are joined to windows first, by
  equality, so nothing has to be compared with everything.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH windows AS (
  SELECT
    as_of,
    CAST(unnest(generate_series(CAST(as_of AS TIMESTAMP) - INTERVAL '83' DAY, CAST(as_of AS TIMESTAMP), INTERVAL '1' DAY)) AS DATE) AS day
  FROM (SELECT DISTINCT as_of FROM features.spine)
),
days AS (
  SELECT
    as_of,
    day,
    day > as_of - INTERVAL '7' DAY AS in_7d,
    day > as_of - INTERVAL '28' DAY AS in_28d,
    day > as_of - INTERVAL '56' DAY AND day <= as_of - INTERVAL '28' DAY AS in_prev_28d
  FROM windows
),
per_company AS (
  SELECT
    d.as_of,
    u.company,
    sum(u.events) AS events_84d,
    sum(u.events) FILTER (WHERE d.in_28d) AS events_28d,
    sum(u.events) FILTER (WHERE d.in_prev_28d) AS events_prev_28d,
    sum(u.events) FILTER (WHERE d.in_7d) AS events_7d,
    count(*) FILTER (WHERE d.in_28d) AS active_days_28d,
    count(*) AS active_days_84d,
    max(u.day) AS last_active_on,
    sum(u.logins) FILTER (WHERE d.in_28d) AS logins_28d,
    sum(u.reports_viewed) FILTER (WHERE d.in_28d) AS reports_viewed_28d,
    sum(coalesce(u.automation_runs, 0) + coalesce(u.api_calls, 0)) FILTER (WHERE d.in_28d) AS automation_28d,
    sum(coalesce(u.automation_runs, 0) + coalesce(u.api_calls, 0) + coalesce(u.dashboards_edited, 0) + coalesce(u.invites_sent, 0)) AS advanced_84d
  FROM days AS d
  INNER JOIN staging.usage_daily AS u ON d.day = u.day
  GROUP BY d.as_of, u.company
)
SELECT
  k.account_id,
  p.as_of,
  sum(p.events_84d) AS events_84d,
  coalesce(sum(p.events_28d), 0) AS events_28d,
  coalesce(sum(p.events_prev_28d), 0) AS events_prev_28d,
  coalesce(sum(p.events_7d), 0) AS events_7d,
  max(p.active_days_28d) AS active_days_28d,
  max(p.active_days_84d) AS active_days_84d,
  max(p.last_active_on) AS last_active_on,
  coalesce(sum(p.logins_28d), 0) AS logins_28d,
  coalesce(sum(p.reports_viewed_28d), 0) AS reports_viewed_28d,
  coalesce(sum(p.automation_28d), 0) AS automation_28d,
  sum(p.advanced_84d) AS advanced_84d
FROM per_company AS p
INNER JOIN identity.keys AS k ON k.source = 'mixpanel' AND k.key = p.company
WHERE k.account_id IS NOT NULL
GROUP BY k.account_id, p.as_of
