/*---
description: >-
  One row per account, product and start, as far as they were known on the evening of as_of. `contract_end` is what was
  agreed at the start; `end_date` is what happened, and later than as_of it is not known yet.
checks:
  - not_null: [account_id, product, start_date, contract_end, mrr]
  - unique: [account_id, product, start_date]
  - relationship: {column: account_id, to: staging.accounts.account_id}
  - range: {column: mrr, min: 0}
  - accepted_values: {column: units, values: [users, schedule_meeting, search]}
  - accepted_values: {column: bill_period_months, values: [1, 6, 12]}
  - expression: {name: starts_before_it_ends, sql: "start_date < end_date"}
  - expression: {name: discount_is_a_share, sql: "discount >= 0 AND discount < 1"}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY account_id, product, start_date
      ORDER BY _extracted_at DESC, _line DESC
    ) AS recency
  FROM raw.crm5__subscriptions
  WHERE start_date <= $as_of
)
SELECT
  CAST(account_id AS VARCHAR) AS account_id,
  product,
  split_part(product, '_', 1) AS plan,
  start_date,
  CASE bill_period_months
    WHEN 12 THEN CAST(start_date + INTERVAL '12 months' AS DATE)
    WHEN 6 THEN CAST(start_date + INTERVAL '6 months' AS DATE)
    ELSE CAST(start_date + INTERVAL '1 month' AS DATE)
  END AS contract_end,
  end_date,
  mrr,
  quantity,
  units,
  bill_period_months,
  discount
FROM newest
WHERE recency = 1
