/*---
description: >-
  One row per subscription that has started. An end after as_of is not known yet. The plan of a subscription and that of its account are
  two statements, which mostly differ.
checks:
  - not_null: [subscription_id, account_id, start_date, mrr]
  - unique: [subscription_id]
  - relationship: {column: account_id, to: staging.accounts.account_id}
  - range: {column: mrr, min: 0}
  - expression: {name: starts_before_it_ends, sql: "end_date IS NULL OR start_date <= end_date"}
  - expression: {name: starts_after_signup, sql: "start_date >= signup_date"}
  - expression: {name: arr_is_twelve_times_mrr, sql: "arr = mrr * 12"}
  - expression: {name: plan_tier_is_the_accounts, sql: "plan_tier = account_plan_tier", severity: warn}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY subscription_id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.ravenstack__subscriptions
  WHERE start_date <= $as_of
)
SELECT
  s.subscription_id,
  s.account_id,
  s.start_date,
  CASE WHEN s.end_date <= $as_of THEN s.end_date END AS end_date,
  s.plan_tier,
  s.seats,
  s.mrr_amount AS mrr,
  s.arr_amount AS arr,
  s.is_trial,
  s.upgrade_flag,
  s.downgrade_flag,
  s.billing_frequency,
  s.auto_renew_flag,
  a.signup_date,
  a.plan_tier AS account_plan_tier
FROM newest AS s
LEFT JOIN staging.accounts AS a ON a.account_id = s.account_id
WHERE s.recency = 1
