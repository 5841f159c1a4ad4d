/*---
description: >-
  Whether the account paid at least a tenth more 35 days after as_of than on as_of. NULL: that day has not come yet.
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH now AS (
  SELECT
    s.account_id,
    s.as_of,
    t.mrr
  FROM features.spine AS s
  JOIN history.terms AS t
    ON t.account_id = s.account_id
    AND t.valid_from <= s.as_of
    AND t.valid_to > s.as_of
),
later AS (
  SELECT
    n.account_id,
    n.as_of,
    MAX(t.mrr) AS mrr
  FROM now AS n
  JOIN history.terms AS t
    ON t.account_id = n.account_id
    AND t.valid_from > n.as_of + INTERVAL '7 days'
    AND t.valid_from <= n.as_of + INTERVAL '35 days'
  GROUP BY n.account_id, n.as_of
)
SELECT
  n.account_id,
  n.as_of,
  CASE
    WHEN $as_of - n.as_of < 35 THEN NULL
    ELSE COALESCE(l.mrr, n.mrr) >= n.mrr * 1.1
  END AS expanded
FROM now AS n
LEFT JOIN later AS l ON l.account_id = n.account_id AND l.as_of = n.as_of
