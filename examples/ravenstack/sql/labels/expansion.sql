/*---
description: >-
  Whether the first subscription that starts 8 to 35 days after as_of is marked as an upgrade. NULL: the window is not over yet, or no
  subscription starts in it. Whether one starts at all is left out on purpose: the file spreads an account's subscriptions evenly from its
  signup to the last day, so young accounts seem to buy the most, which says nothing about customers.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH next AS (
  SELECT
    s.account_id,
    s.as_of,
    FIRST_VALUE(h.upgrade_flag ORDER BY h.valid_from, h.subscription_id) AS is_upgrade
  FROM features.spine AS s
  JOIN history.subscriptions AS h
    ON h.account_id = s.account_id
    AND h.valid_from > s.as_of + INTERVAL '7 days'
    AND h.valid_from <= s.as_of + INTERVAL '35 days'
  GROUP BY s.account_id, s.as_of
)
SELECT
  s.account_id,
  s.as_of,
  CASE WHEN $as_of - s.as_of >= 35 THEN n.is_upgrade END AS expanded
FROM features.spine AS s
LEFT JOIN next AS n ON n.account_id = s.account_id AND n.as_of = s.as_of
