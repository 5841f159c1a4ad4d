/*---
description: When each subscription ran. `valid_to` is the first day on which it no longer does, and far ahead while no end is known.
checks:
  - not_null: [subscription_id, account_id, valid_from, valid_to]
  - unique: [subscription_id]
---*/
SELECT
  subscription_id,
  account_id,
  start_date AS valid_from,
  COALESCE(end_date, DATE '9999-12-31') AS valid_to,
  plan_tier,
  seats,
  mrr,
  is_trial,
  upgrade_flag,
  downgrade_flag,
  billing_frequency = 'annual' AS is_annual,
  auto_renew_flag
FROM staging.subscriptions
