/*---
description: One row per ticket. `counts` tells whether the account had signed up by then; features use only those.
checks:
  - not_null: [ticket_id, account_id, submitted_on]
  - unique: [ticket_id]
  - relationship: {column: account_id, to: staging.accounts.account_id, severity: warn}
  - accepted_values: {column: priority, values: [low, medium, high, urgent]}
  - range: {column: satisfaction_score, min: 1, max: 5}
  - expression: {name: not_before_signup, sql: counts, severity: warn}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY ticket_id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.ravenstack__tickets
  WHERE submitted_at <= $as_of
)
SELECT
  t.ticket_id,
  t.account_id,
  t.submitted_at AS submitted_on,
  -- What happened after as_of is not known yet.
  CASE WHEN CAST(t.closed_at AS DATE) <= $as_of THEN CAST(t.closed_at AS DATE) END AS closed_on,
  t.resolution_time_hours,
  t.priority,
  t.first_response_time_minutes,
  t.satisfaction_score,
  t.escalation_flag,
  a.account_id IS NOT NULL AND t.submitted_at >= a.signup_date AS counts
FROM newest AS t
LEFT JOIN staging.accounts AS a ON a.account_id = t.account_id
WHERE t.recency = 1
