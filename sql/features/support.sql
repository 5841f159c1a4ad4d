/*---
description: Tickets and answers to "how was it?" of each account within 28 and 84 days up to each day looked at.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of]
  - unique: [account_id, as_of]
---*/
WITH tickets AS (
  SELECT
    k.account_id,
    t.*,
    r.is_good,
    r.rated_on
  FROM staging.tickets AS t
  INNER JOIN identity.keys AS k ON k.source = 'zendesk' AND k.key = CAST(t.organization_id AS VARCHAR)
  LEFT JOIN staging.ratings AS r ON t.ticket_id = r.ticket_id
  WHERE k.account_id IS NOT NULL
)
SELECT
  s.account_id,
  s.as_of,
  count(*) FILTER (WHERE t.opened_on > s.as_of - INTERVAL '28' DAY) AS tickets_28d,
  count(*) FILTER (WHERE t.opened_on > s.as_of - INTERVAL '84' DAY) AS tickets_84d,
  count(*) FILTER (WHERE t.is_urgent AND t.opened_on > s.as_of - INTERVAL '28' DAY) AS urgent_tickets_28d,
  count(*) FILTER (WHERE t.solved_on IS NULL OR t.solved_on > s.as_of) AS open_tickets,
  avg(CAST(t.solved_on - t.opened_on AS BIGINT))
    FILTER (WHERE t.solved_on <= s.as_of AND t.opened_on > s.as_of - INTERVAL '84' DAY) AS days_to_solve_84d,
  avg(CASE WHEN t.is_good THEN 1.0 ELSE 0.0 END)
    FILTER (WHERE t.is_good IS NOT NULL AND t.rated_on <= s.as_of AND t.rated_on > s.as_of - INTERVAL '168' DAY) AS csat_168d
FROM features.spine AS s
INNER JOIN tickets AS t ON s.account_id = t.account_id AND t.opened_on <= s.as_of AND t.opened_on > s.as_of - INTERVAL '168' DAY
GROUP BY s.account_id, s.as_of
