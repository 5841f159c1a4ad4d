SELECT account_id, account_name, 'c1' AS csm_id, 'Cam' AS csm_name, 'all' AS segment, 'team' AS plan, arr,
  since AS renewal_date, 100 AS tenure_days, account_id AS crm_id
FROM staging.accounts
