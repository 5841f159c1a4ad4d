/*---
description: Whether the customer left within the month of the sample.
checks:
  - not_null: [account_id, as_of, churned]
  - unique: [account_id, as_of]
---*/
SELECT
  account_id,
  DATE '2019-12-31' AS as_of,
  churned
FROM staging.customers
