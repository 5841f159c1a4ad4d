/*---
description: What is known of each customer on the day of the sample.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
SELECT
  account_id,
  DATE '2019-12-31' AS as_of,
  fold,
  gender = 'Female' AS is_female,
  is_senior,
  has_partner,
  has_dependents,
  tenure_months,
  has_phone,
  has_multiple_lines,
  internet = 'DSL' AS internet_is_dsl,
  internet = 'Fiber optic' AS internet_is_fiber,
  has_online_security,
  has_online_backup,
  has_device_protection,
  has_tech_support,
  has_streaming_tv,
  has_streaming_movies,
  contract = 'Month-to-month' AS contract_is_monthly,
  contract = 'One year' AS contract_is_one_year,
  has_paperless_billing,
  payment_method = 'Electronic check' AS pays_by_electronic_check,
  payment_method = 'Mailed check' AS pays_by_mailed_check,
  payment_method = 'Bank transfer (automatic)' AS pays_by_bank_transfer,
  monthly_charges,
  total_charges
FROM staging.customers
