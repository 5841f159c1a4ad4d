/*---
description: >
  Every state of every subscription, and from when to when it held, with the revenue a month in dollars. Days are those on
  whose evening the state was known; a state that did not last until the evening is left out.
checks:
  - not_null: [subscription_id, customer_id, valid_from, mrr]
  - unique: [subscription_id, valid_from]
  - accepted_values: {column: status, values: [trialing, active, past_due, canceled, unpaid, paused, incomplete, incomplete_expired]}
  - range: {column: mrr, min: 0}
---*/
WITH evenings AS (
  SELECT
    *,
    CAST(updated_at AS DATE) AS day
  FROM raw.stripe__subscriptions
  WHERE CAST(updated_at AS DATE) <= $as_of
  QUALIFY row_number() OVER (PARTITION BY id, CAST(updated_at AS DATE) ORDER BY updated_at DESC, _extracted_at DESC) = 1
)
SELECT
  e.id AS subscription_id,
  e.customer_id,
  k.account_id,
  e.status,
  e.status IN ('active', 'past_due', 'trialing') AS is_active,
  e.plan,
  e.quantity AS seats,
  e.interval AS billing_interval,
  CAST(
    CAST(e.quantity * e.unit_amount AS DECIMAL(18, 2)) / 100 / CASE WHEN e.interval = 'year' THEN 12 ELSE 1 END
    AS DECIMAL(18, 2)
  ) AS mrr,
  e.list_price,
  CAST(e.started_at AS DATE) AS started_on,
  CAST(e.current_period_end AS DATE) AS period_ends_on,
  CAST(e.ended_at AS DATE) AS ended_on,
  e.day AS valid_from,
  lead(e.day) OVER (PARTITION BY e.id ORDER BY e.day) AS valid_to
FROM evenings AS e
LEFT JOIN identity.keys AS k ON k.source = 'stripe' AND k.key = e.customer_id
