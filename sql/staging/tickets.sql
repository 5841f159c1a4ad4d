/*---
description: Tickets with the days on which they were opened and solved.
checks:
  - not_null: [ticket_id, opened_on]
  - unique: [ticket_id]
  - expression: {name: solved_after_opened, sql: "solved_on >= opened_on", severity: warn}
---*/
SELECT
  id AS ticket_id,
  min(organization_id) AS organization_id,
  CAST(min(created_at) AS DATE) AS opened_on,
  CAST(min(updated_at) FILTER (WHERE status IN ('solved', 'closed')) AS DATE) AS solved_on,
  bool_or(priority IN ('high', 'urgent')) AS is_urgent
FROM raw.zendesk__tickets
WHERE CAST(updated_at AS DATE) <= $as_of
GROUP BY id
