/*---
description: >-
  Whether an event says that the account left 8 to 35 days after as_of. NULL: the window is not over yet, or the account's flag and its events
  contradict each other, so that nobody knows whether it left.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH leavers AS (
  SELECT DISTINCT
    s.account_id,
    s.as_of
  FROM features.spine AS s
  JOIN staging.churn_events AS c
    ON c.account_id = s.account_id
    AND c.churn_date > s.as_of + INTERVAL '7 days'
    AND c.churn_date <= s.as_of + INTERVAL '35 days'
)
SELECT
  s.account_id,
  s.as_of,
  CASE
    WHEN $as_of - s.as_of < 35 THEN NULL
    WHEN a.churn_flag <> a.has_churn_event THEN NULL
    ELSE l.account_id IS NOT NULL
  END AS churned
FROM features.spine AS s
JOIN staging.accounts AS a ON a.account_id = s.account_id
LEFT JOIN leavers AS l ON l.account_id = s.account_id AND l.as_of = s.as_of
