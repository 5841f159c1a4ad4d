/*---
description: >
  Product usage per company and day, without repeats. An event that came late counts on the day it came: what a past day
  knew stays what it knew.
checks:
  - not_null: [company, day]
  - unique: [company, day]
  - range: {column: events, min: 0}
  - freshness: {column: day, max_age_days: 3, severity: warn}
---*/
WITH counted AS (
  SELECT
    company,
    CAST(coalesce(processed_at, time) AS DATE) AS day,
    event,
    1 AS n
  FROM raw.mixpanel__events
  UNION ALL
  SELECT
    company,
    CAST(coalesce(processed_at, time) AS DATE) AS day,
    event,
    -surplus AS n
  FROM staging.usage_repeats
)
SELECT
  company,
  day,
  sum(n) AS events,
  sum(n) FILTER (WHERE event = 'login') AS logins,
  sum(n) FILTER (WHERE event = 'report_viewed') AS reports_viewed,
  sum(n) FILTER (WHERE event = 'automation_run') AS automation_runs,
  sum(n) FILTER (WHERE event = 'api_call') AS api_calls,
  sum(n) FILTER (WHERE event = 'dashboard_edited') AS dashboards_edited,
  sum(n) FILTER (WHERE event = 'invite_sent') AS invites_sent
FROM counted
WHERE day <= $as_of
GROUP BY company, day
