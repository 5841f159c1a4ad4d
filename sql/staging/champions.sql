/*---
description: Champions at the accounts, from when to when. One whose contact was deleted has left.
checks:
  - not_null: [contact_id, account_id]
  - unique: [contact_id]
---*/
SELECT
  id AS contact_id,
  account_id,
  CAST(min(created_at) AS DATE) AS came_on,
  CAST(min(updated_at) FILTER (WHERE is_deleted) AS DATE) AS left_on
FROM raw.salesforce__contacts
WHERE title = 'Champion' AND CAST(updated_at AS DATE) <= $as_of
GROUP BY id, account_id
