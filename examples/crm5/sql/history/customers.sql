/*---
description: >-
  One row per account and unbroken time as a customer. Terms that follow each other within 14 days count as one time,
  since a renewal may be written a few days late.
checks:
  - not_null: [account_id, customer_from, customer_to]
  - unique: [account_id, customer_from]
---*/
WITH marked AS (
  SELECT
    account_id,
    valid_from,
    valid_to,
    CASE
      WHEN date_diff_days <= 14 THEN 0
      ELSE 1
    END AS starts
  FROM (
    SELECT
      account_id,
      valid_from,
      valid_to,
      COALESCE(valid_from - LAG(valid_to) OVER (PARTITION BY account_id ORDER BY valid_from), 9999) AS date_diff_days
    FROM history.terms
  )
),
numbered AS (
  SELECT
    *,
    SUM(starts) OVER (PARTITION BY account_id ORDER BY valid_from) AS spell
  FROM marked
)
SELECT
  account_id,
  MIN(valid_from) AS customer_from,
  MAX(valid_to) AS customer_to
FROM numbered
GROUP BY account_id, spell
