/*---
description: Invoices with the days on which they were written, due and paid. Whether one was overdue on an earlier day follows from these.
checks:
  - not_null: [invoice_id, customer_id, invoiced_on]
  - unique: [invoice_id]
  - range: {column: amount_due, min: 0}
  - expression: {name: paid_after_invoiced, sql: "paid_on >= invoiced_on", severity: warn}
---*/
SELECT
  id AS invoice_id,
  customer_id,
  CAST(amount_due AS DECIMAL(18, 2)) / 100 AS amount_due,
  CAST(created_at AS DATE) AS invoiced_on,
  CAST(due_at AS DATE) AS due_on,
  CAST(paid_at AS DATE) AS paid_on
FROM raw.stripe__invoices
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
