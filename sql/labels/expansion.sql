/*---
description: >
  Does the customer pay at least 5 % more eight weeks later (counted from a week after the day looked at)? NULL while the window
  is not over, and for those who left. `arr_gained` is how much more a year.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH later AS (
  SELECT
    s.account_id,
    s.as_of,
    sum(h.mrr) FILTER (WHERE h.valid_from <= s.as_of + INTERVAL '7' DAY AND (h.valid_to IS NULL OR h.valid_to > s.as_of + INTERVAL '7' DAY)) AS mrr_from,
    sum(h.mrr) FILTER (WHERE h.valid_from <= s.as_of + INTERVAL '63' DAY AND (h.valid_to IS NULL OR h.valid_to > s.as_of + INTERVAL '63' DAY)) AS mrr_to
  FROM features.spine AS s
  INNER JOIN history.subscriptions AS h ON s.account_id = h.account_id AND h.is_active
  GROUP BY s.account_id, s.as_of
)
SELECT
  s.account_id,
  s.as_of,
  CASE
    WHEN s.as_of + INTERVAL '63' DAY > $as_of THEN NULL
    ELSE CAST(l.mrr_to AS DOUBLE) >= 1.05 * CAST(l.mrr_from AS DOUBLE)
  END AS expanded,
  CASE WHEN s.as_of + INTERVAL '63' DAY <= $as_of THEN 12 * (CAST(l.mrr_to AS DOUBLE) - CAST(l.mrr_from AS DOUBLE)) END AS arr_gained
FROM features.spine AS s
LEFT JOIN later AS l ON s.account_id = l.account_id AND s.as_of = l.as_of
