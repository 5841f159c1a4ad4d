/*---
description: Tonight's customers. The data has no renewal dates, so the column is NULL.
checks:
  - not_null: [account_id, as_of, account_name, csm_id, arr]
  - unique: [account_id]
  - row_count: {min: 1}
---*/
WITH running AS (
  SELECT
    s.account_id,
    s.as_of,
    COUNT(*) AS subscriptions,
    SUM(h.mrr) AS mrr,
    SUM(h.seats) AS seats,
    COUNT(*) FILTER (WHERE h.is_trial) AS trials
  FROM features.spine AS s
  JOIN history.subscriptions AS h
    ON h.account_id = s.account_id
    AND h.valid_from <= s.as_of
    AND h.valid_to > s.as_of
  WHERE s.as_of = $as_of
  GROUP BY s.account_id, s.as_of
)
SELECT
  r.account_id,
  r.as_of,
  i.account_name,
  i.csm_id,
  i.csm_name,
  a.plan_tier AS segment,
  a.plan_tier AS plan,
  CAST(r.mrr * 12 AS DECIMAL(18, 2)) AS arr,
  CAST(NULL AS DATE) AS renewal_date,
  r.as_of - a.signup_date AS tenure_days,
  CAST(NULL AS VARCHAR) AS crm_id,
  i.industry,
  i.country,
  r.subscriptions,
  r.seats AS seats_subscribed,
  a.seats AS seats_declared,
  r.trials,
  a.churn_flag,
  a.has_churn_event
FROM running AS r
JOIN identity.accounts AS i ON i.account_id = r.account_id
JOIN staging.accounts AS a ON a.account_id = r.account_id
