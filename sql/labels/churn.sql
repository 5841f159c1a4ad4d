/*---
description: >
  Did the customer leave in the four weeks that begin a week after the day looked at? That week is for acting. NULL while the
  window is not over, and for those who left before it began, whom nobody could have kept. `days_to_churn` are
  the days until they left or, where `churn_seen` is false, the days for which they are known to have stayed.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH ended AS (
  SELECT
    account_id,
    max(CASE WHEN is_active THEN DATE '9999-12-31' ELSE valid_from END) AS left_on
  FROM history.subscriptions
  WHERE valid_to IS NULL AND account_id IS NOT NULL
  GROUP BY account_id
)
SELECT
  s.account_id,
  s.as_of,
  CASE
    WHEN e.left_on <= s.as_of + INTERVAL '7' DAY THEN NULL
    WHEN s.as_of + INTERVAL '35' DAY > $as_of THEN NULL
    ELSE e.left_on <= s.as_of + INTERVAL '35' DAY
  END AS churned,
  CAST(least(e.left_on, $as_of) - s.as_of AS BIGINT) AS days_to_churn,
  e.left_on <= $as_of AS churn_seen
FROM features.spine AS s
INNER JOIN ended AS e ON s.account_id = e.account_id
