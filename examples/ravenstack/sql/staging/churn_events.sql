/*---
description: >-
  One row per time an account is said to have left. Nearly always subscriptions of the account run on as if nothing had happened.
checks:
  - not_null: [churn_event_id, account_id, churn_date]
  - unique: [churn_event_id]
  - relationship: {column: account_id, to: staging.accounts.account_id}
  - expression: {name: not_before_signup, sql: "churn_date >= signup_date"}
  - expression: {name: no_subscription_runs_on, sql: "subscriptions_running_on = 0", severity: warn}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY churn_event_id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.ravenstack__churn_events
  WHERE churn_date <= $as_of
),
running_on AS (
  SELECT
    c.churn_event_id,
    COUNT(*) AS subscriptions
  FROM newest AS c
  JOIN staging.subscriptions AS s
    ON s.account_id = c.account_id
    AND s.start_date <= c.churn_date
    AND (s.end_date IS NULL OR s.end_date > c.churn_date)
  WHERE c.recency = 1
  GROUP BY c.churn_event_id
)
SELECT
  c.churn_event_id,
  c.account_id,
  c.churn_date,
  c.reason_code,
  c.refund_amount_usd,
  c.is_reactivation,
  c.feedback_text,
  a.signup_date,
  COALESCE(r.subscriptions, 0) AS subscriptions_running_on
FROM newest AS c
LEFT JOIN staging.accounts AS a ON a.account_id = c.account_id
LEFT JOIN running_on AS r ON r.churn_event_id = c.churn_event_id
WHERE c.recency = 1
