/*---
description: >-
  What was known of each account on the evening of as_of. Usage outside its subscription and tickets from before the signup don't
  count.
materialized: incremental
on: features.spine
partition_by: [as_of]
checks:
  - not_null: [account_id, as_of, arr, tenure_days]
  - unique: [account_id, as_of]
  - range: {column: tenure_days, min: 0}
---*/
WITH running AS (
  SELECT
    s.account_id,
    s.as_of,
    COUNT(*) AS subscriptions,
    SUM(h.mrr) AS mrr,
    SUM(h.seats) AS seats,
    SUM(h.mrr) FILTER (WHERE NOT h.is_trial) AS paid_mrr,
    SUM(h.seats) FILTER (WHERE NOT h.is_trial) AS paid_seats,
    AVG(CASE WHEN h.is_trial THEN 100.0 ELSE 0 END) AS trial_pct,
    AVG(CASE WHEN h.is_annual THEN 100.0 ELSE 0 END) AS annual_pct,
    AVG(CASE WHEN h.auto_renew_flag THEN 100.0 ELSE 0 END) AS auto_renew_pct,
    AVG(CASE WHEN h.plan_tier = 'Enterprise' THEN 100.0 ELSE 0 END) AS enterprise_pct,
    AVG(CASE WHEN h.plan_tier = 'Basic' THEN 100.0 ELSE 0 END) AS basic_pct
  FROM features.spine AS s
  JOIN history.subscriptions AS h
    ON h.account_id = s.account_id
    AND h.valid_from <= s.as_of
    AND h.valid_to > s.as_of
  GROUP BY s.account_id, s.as_of
),
ended AS (
  SELECT
    s.account_id,
    s.as_of,
    COUNT(*) AS subscriptions
  FROM features.spine AS s
  JOIN history.subscriptions AS h
    ON h.account_id = s.account_id
    AND h.valid_to <= s.as_of
    AND h.valid_to > s.as_of - INTERVAL '84 days'
  GROUP BY s.account_id, s.as_of
),
usage AS (
  SELECT
    s.account_id,
    s.as_of,
    SUM(u.usage_count) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS uses_28d,
    SUM(u.usage_count) AS uses_84d,
    COUNT(DISTINCT u.usage_date) AS active_days_84d,
    COUNT(DISTINCT u.feature_name) AS features_84d,
    SUM(u.usage_duration_secs) AS seconds_84d,
    SUM(u.error_count) AS errors_84d,
    AVG(CASE WHEN u.is_beta_feature THEN 100.0 ELSE 0 END) AS beta_pct_84d,
    MAX(u.usage_date) AS last_used_on
  FROM features.spine AS s
  JOIN staging.usage AS u
    ON u.account_id = s.account_id
    AND u.usage_date <= s.as_of
    AND u.usage_date > s.as_of - INTERVAL '84 days'
  WHERE u.counts
  GROUP BY s.account_id, s.as_of
),
support AS (
  SELECT
    s.account_id,
    s.as_of,
    COUNT(*) FILTER (WHERE t.submitted_on > s.as_of - INTERVAL '28 days') AS tickets_28d,
    COUNT(*) AS tickets_84d,
    COUNT(*) FILTER (WHERE t.closed_on IS NULL OR t.closed_on > s.as_of) AS open_tickets,
    AVG(CASE WHEN t.escalation_flag THEN 100.0 ELSE 0 END) AS escalated_pct_84d,
    AVG(CASE WHEN t.priority = 'urgent' THEN 100.0 ELSE 0 END) AS urgent_pct_84d,
    AVG(t.first_response_time_minutes) AS first_response_minutes_84d,
    -- Rated and measured when the ticket is closed, so not before.
    AVG(t.satisfaction_score) FILTER (WHERE t.closed_on <= s.as_of) AS satisfaction_84d,
    AVG(t.resolution_time_hours) FILTER (WHERE t.closed_on <= s.as_of) AS resolution_hours_84d
  FROM features.spine AS s
  JOIN staging.tickets AS t
    ON t.account_id = s.account_id
    AND t.submitted_on <= s.as_of
    AND t.submitted_on > s.as_of - INTERVAL '84 days'
  WHERE t.counts
  GROUP BY s.account_id, s.as_of
)
SELECT
  r.account_id,
  r.as_of,
  a.plan_tier AS segment,
  CAST(r.mrr * 12 AS DOUBLE) AS arr,
  r.as_of - a.signup_date AS tenure_days,
  r.subscriptions,
  r.seats,
  CAST(r.paid_mrr AS DOUBLE) / NULLIF(r.paid_seats, 0) AS price_per_seat,
  r.trial_pct,
  r.annual_pct,
  r.auto_renew_pct,
  r.enterprise_pct,
  r.basic_pct,
  COALESCE(e.subscriptions, 0) * 100.0 / r.subscriptions AS ended_pct_84d,
  COALESCE(u.uses_28d, 0) * 1.0 / r.subscriptions AS uses_per_subscription_28d,
  COALESCE(u.uses_84d, 0) * 1.0 / r.subscriptions AS uses_per_subscription_84d,
  COALESCE(u.active_days_84d, 0) * 1.0 / r.subscriptions AS active_days_per_subscription_84d,
  (COALESCE(u.uses_28d, 0) * 3.0 / NULLIF(u.uses_84d, 0) - 1) * 100 AS usage_change_28d_pct,
  r.as_of - u.last_used_on AS days_since_last_use,
  u.features_84d,
  u.seconds_84d * 1.0 / NULLIF(u.uses_84d, 0) AS seconds_per_use_84d,
  u.errors_84d * 100.0 / NULLIF(u.uses_84d, 0) AS errors_per_100_uses_84d,
  u.beta_pct_84d,
  COALESCE(t.tickets_28d, 0) AS tickets_28d,
  COALESCE(t.tickets_84d, 0) AS tickets_84d,
  COALESCE(t.open_tickets, 0) AS open_tickets,
  t.escalated_pct_84d,
  t.urgent_pct_84d,
  t.first_response_minutes_84d,
  t.satisfaction_84d,
  t.resolution_hours_84d
FROM running AS r
JOIN staging.accounts AS a ON a.account_id = r.account_id
LEFT JOIN ended AS e ON e.account_id = r.account_id AND e.as_of = r.as_of
LEFT JOIN usage AS u ON u.account_id = r.account_id AND u.as_of = r.as_of
LEFT JOIN support AS t ON t.account_id = r.account_id AND t.as_of = r.as_of
