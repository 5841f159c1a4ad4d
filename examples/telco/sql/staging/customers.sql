/*---
description: One row per customer, typed, with its fold.
checks:
  - not_null: [account_id, churned, fold]
  - unique: [account_id]
  - expression: {name: every_customer_has_a_fold, sql: fold BETWEEN 1 AND 5}
---*/
SELECT
  c.account_id,
  c.gender,
  c.is_senior,
  c.has_partner,
  c.has_dependents,
  c.tenure_months,
  c.has_phone,
  c.multiple_lines = 'Yes' AS has_multiple_lines,
  c.internet,
  c.online_security = 'Yes' AS has_online_security,
  c.online_backup = 'Yes' AS has_online_backup,
  c.device_protection = 'Yes' AS has_device_protection,
  c.tech_support = 'Yes' AS has_tech_support,
  c.streaming_tv = 'Yes' AS has_streaming_tv,
  c.streaming_movies = 'Yes' AS has_streaming_movies,
  c.contract,
  c.has_paperless_billing,
  c.payment_method,
  c.monthly_charges,
  -- Who has had no bill yet has paid nothing.
  coalesce(try_cast(nullif(trim(c.total_charges), '') AS DOUBLE), 0.0) AS total_charges,
  c.churned,
  f.fold
FROM raw.telco__customers AS c
-- The folds are those of the file's lines.
LEFT JOIN raw.folds__folds AS f ON c._line = f.line
