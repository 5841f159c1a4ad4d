/*---
description: >-
  One row per account and term of its plan, with the add-ons that run beside it. A term counts from `valid_from` until
  `valid_to`, the day before which the next one starts or the contract ends.
checks:
  - not_null: [account_id, valid_from, valid_to, plan, mrr]
  - unique: [account_id, valid_from]
  - expression: {name: valid_from_before_valid_to, sql: "valid_from < valid_to"}
---*/
WITH plans AS (
  SELECT * FROM staging.subscriptions WHERE units = 'users'
),
add_ons AS (
  SELECT
    account_id,
    start_date,
    SUM(mrr) AS mrr,
    SUM(quantity) FILTER (WHERE units = 'schedule_meeting') AS meetings,
    SUM(quantity) FILTER (WHERE units = 'search') AS searches
  FROM staging.subscriptions
  WHERE units <> 'users'
  GROUP BY account_id, start_date
)
SELECT
  p.account_id,
  p.start_date AS valid_from,
  LEAST(
    p.end_date,
    COALESCE(LEAD(p.start_date) OVER (PARTITION BY p.account_id ORDER BY p.start_date), p.end_date)
  ) AS valid_to,
  p.contract_end,
  p.product,
  p.plan,
  p.bill_period_months,
  p.discount,
  p.quantity AS seats,
  a.meetings AS meetings_entitled,
  a.searches AS searches_entitled,
  p.mrr AS plan_mrr,
  COALESCE(a.mrr, 0) AS add_on_mrr,
  p.mrr + COALESCE(a.mrr, 0) AS mrr
FROM plans AS p
LEFT JOIN add_ons AS a ON a.account_id = p.account_id AND a.start_date = p.start_date
