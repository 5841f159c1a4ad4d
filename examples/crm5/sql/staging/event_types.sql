/*---
description: The names of the 28 kinds of events.
checks:
  - not_null: [event_type_id, event_type]
  - unique: [event_type_id]
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY event_type_id ORDER BY _extracted_at DESC, _line DESC) AS recency
  FROM raw.crm5__event_types
)
SELECT
  event_type_id,
  event_type_name AS event_type
FROM newest
WHERE recency = 1
