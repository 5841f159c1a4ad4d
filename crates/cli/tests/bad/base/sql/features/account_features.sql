/*---
checks:
  - unique: [account_id, as_of]
---*/
SELECT account_id, $as_of AS as_of, 'all' AS segment, seats, date_diff_days AS tenure_days
FROM (SELECT *, CAST($as_of AS INT) - CAST(since AS INT) AS date_diff_days FROM staging.accounts)
