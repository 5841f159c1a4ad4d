/*---
description: One row per customer, typed, with its fold.
checks:
  - not_null: [account_id, churned, fold]
  - unique: [account_id]
---*/
SELECT
  c.customerid AS account_id,
  c.gender,
  c.seniorcitizen = 1 AS is_senior,
  c.partner = 'Yes' AS has_partner,
  c.dependents = 'Yes' AS has_dependents,
  c.tenure AS tenure_months,
  c.phoneservice = 'Yes' AS has_phone,
  c.multiplelines = 'Yes' AS has_multiple_lines,
  c.internetservice AS internet,
  c.onlinesecurity = 'Yes' AS has_online_security,
  c.onlinebackup = 'Yes' AS has_online_backup,
  c.deviceprotection = 'Yes' AS has_device_protection,
  c.techsupport = 'Yes' AS has_tech_support,
  c.streamingtv = 'Yes' AS has_streaming_tv,
  c.streamingmovies = 'Yes' AS has_streaming_movies,
  c.contract,
  c.paperlessbilling = 'Yes' AS has_paperless_billing,
  c.paymentmethod AS payment_method,
  c.monthlycharges AS monthly_charges,
  -- Who has had no bill yet has paid nothing.
  coalesce(try_cast(nullif(trim(c.totalcharges), '') AS DOUBLE), 0.0) AS total_charges,
  c.churn = 'Yes' AS churned,
  f.fold
FROM raw.telco__customers AS c
INNER JOIN raw.folds__folds AS f ON c._line = f.line
