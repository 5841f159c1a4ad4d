/*---
description: >-
  Whether the account stopped being a customer 8 to 35 days after as_of. NULL: the window, with two weeks for a late
  renewal, is not over yet, or the account left within the first 7 days, too soon to do anything about it.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
SELECT
  s.account_id,
  s.as_of,
  CASE
    WHEN c.customer_to - s.as_of <= 7 AND $as_of - c.customer_to >= 14 THEN NULL
    WHEN $as_of - s.as_of < 35 + 14 THEN NULL
    ELSE c.customer_to - s.as_of <= 35
  END AS churned
FROM features.spine AS s
JOIN history.customers AS c
  ON c.account_id = s.account_id
  AND c.customer_from <= s.as_of
  AND c.customer_to > s.as_of
