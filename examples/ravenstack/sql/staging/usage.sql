/*---
description: >-
  One row per use of a feature. Rows that share their id differ in everything else, so all are kept and the later ones marked. `counts` tells
  whether the row lies within its subscription; features use only those.
checks:
  - not_null: [usage_id, subscription_id, usage_date]
  - unique: [usage_id, subscription_id, usage_date, feature_name]
  - relationship: {column: subscription_id, to: staging.subscriptions.subscription_id, severity: warn}
  - expression: {name: usage_id_is_unique, sql: "NOT id_is_repeated", severity: warn}
  - expression: {name: not_before_the_subscription_starts, sql: "NOT before_start", severity: warn}
  - expression: {name: not_after_the_subscription_ends, sql: "NOT after_end", severity: warn}
  - range: {column: usage_count, min: 0}
---*/
WITH numbered AS (
  SELECT
    *,
    -- The same line read again is no new row; the same id on another line is.
    row_number() OVER (
      PARTITION BY usage_id, subscription_id, usage_date, feature_name
      ORDER BY _extracted_at DESC, _line DESC
    ) AS recency
  FROM raw.ravenstack__usage
  WHERE usage_date <= $as_of
),
newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY usage_id ORDER BY _line) AS occurrence
  FROM numbered
  WHERE recency = 1
)
SELECT
  u.usage_id,
  u.subscription_id,
  s.account_id,
  u.usage_date,
  u.feature_name,
  u.usage_count,
  u.usage_duration_secs,
  u.error_count,
  u.is_beta_feature,
  u.occurrence > 1 AS id_is_repeated,
  COALESCE(u.usage_date < s.start_date, FALSE) AS before_start,
  COALESCE(u.usage_date > s.end_date, FALSE) AS after_end,
  s.account_id IS NOT NULL
    AND u.usage_date >= s.start_date
    AND (s.end_date IS NULL OR u.usage_date <= s.end_date) AS counts
FROM newest AS u
LEFT JOIN staging.subscriptions AS s ON s.subscription_id = u.subscription_id
