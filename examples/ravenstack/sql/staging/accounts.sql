/*---
description: One row per account that has signed up, with whether an event says that it left.
checks:
  - not_null: [account_id, account_name, signup_date]
  - unique: [account_id]
  - accepted_values: {column: plan_tier, values: [Basic, Pro, Enterprise]}
  - expression:
      name: churn_flag_agrees_with_churn_events
      sql: churn_flag = has_churn_event
      severity: warn
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY account_id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.ravenstack__accounts
  WHERE signup_date <= $as_of
),
leavers AS (
  SELECT DISTINCT account_id FROM raw.ravenstack__churn_events WHERE churn_date <= $as_of
)
SELECT
  a.account_id,
  a.account_name,
  a.industry,
  a.country,
  a.signup_date,
  a.referral_source,
  a.plan_tier,
  a.seats,
  a.is_trial,
  a.churn_flag,
  l.account_id IS NOT NULL AS has_churn_event
FROM newest AS a
LEFT JOIN leavers AS l ON l.account_id = a.account_id
WHERE a.recency = 1
