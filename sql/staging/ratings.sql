/*---
description: Answers to "how was it?", one per ticket and rating.
checks:
  - not_null: [rating_id, ticket_id, rated_on]
  - unique: [rating_id]
---*/
SELECT
  id AS rating_id,
  ticket_id,
  score = 'good' AS is_good,
  CAST(created_at AS DATE) AS rated_on
FROM raw.zendesk__satisfaction_ratings
WHERE CAST(updated_at AS DATE) <= $as_of AND score IN ('good', 'bad')
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
