/*---
description: What CSMs did with accounts (calls, reviews, trainings, e-mails), on the day it was done. Plans are left out.
checks:
  - not_null: [task_id, account_id, touched_on]
  - unique: [task_id]
  - accepted_values: {column: kind, values: [Call, QBR, Training, Email], severity: warn}
---*/
WITH latest AS (
  SELECT *
  FROM raw.salesforce__tasks
  WHERE CAST(updated_at AS DATE) <= $as_of
  QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
)
SELECT
  id AS task_id,
  account_id,
  owner_id,
  task_type AS kind,
  CAST(completed_at AS DATE) AS touched_on
FROM latest
WHERE status = 'Completed' AND completed_at IS NOT NULL AND NOT coalesce(is_deleted, FALSE)
