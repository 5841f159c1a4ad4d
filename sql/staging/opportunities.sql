/*---
description: Deals as they stood on the evening of as_of, one row each.
checks:
  - not_null: [opportunity_id, account_id]
  - unique: [opportunity_id]
---*/
SELECT
  id AS opportunity_id,
  account_id,
  name AS opportunity_name,
  opportunity_type,
  stage,
  amount,
  close_date,
  is_closed,
  is_won,
  created_at,
  updated_at
FROM raw.salesforce__opportunities
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY
  row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
  AND NOT coalesce(is_deleted, FALSE)
