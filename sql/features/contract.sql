/*---
description: The contract as it stood on the evening of each day looked at, what it was 84 days before, and unpaid invoices.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of, mrr, seats]
  - unique: [account_id, as_of]
---*/
WITH now AS (
  SELECT
    s.account_id,
    s.as_of,
    sum(h.mrr) AS mrr,
    sum(h.seats) AS seats,
    max(h.plan) AS plan,
    max(h.billing_interval) AS billing_interval,
    max(CAST(h.list_price AS DOUBLE) * h.seats / 100) AS list_mrr,
    min(h.started_on) AS started_on,
    min(h.period_ends_on) AS period_ends_on
  FROM features.spine AS s
  INNER JOIN history.subscriptions AS h
    ON s.account_id = h.account_id AND h.is_active AND h.valid_from <= s.as_of AND (h.valid_to IS NULL OR h.valid_to > s.as_of)
  GROUP BY s.account_id, s.as_of
),
before AS (
  SELECT
    s.account_id,
    s.as_of,
    sum(h.mrr) AS mrr,
    sum(h.seats) AS seats
  FROM features.spine AS s
  INNER JOIN history.subscriptions AS h
    ON
      s.account_id = h.account_id
      AND h.is_active
      AND h.valid_from <= s.as_of - INTERVAL '84' DAY
      AND (h.valid_to IS NULL OR h.valid_to > s.as_of - INTERVAL '84' DAY)
  GROUP BY s.account_id, s.as_of
),
invoices AS (
  SELECT
    s.account_id,
    s.as_of,
    count(*) FILTER (WHERE i.due_on < s.as_of AND (i.paid_on IS NULL OR i.paid_on > s.as_of)) AS overdue_invoices,
    sum(i.amount_due) FILTER (WHERE i.due_on < s.as_of AND (i.paid_on IS NULL OR i.paid_on > s.as_of)) AS overdue_amount,
    count(*) FILTER (WHERE i.paid_on <= s.as_of AND i.paid_on > i.due_on) AS paid_late
  FROM features.spine AS s
  INNER JOIN identity.keys AS k ON s.account_id = k.account_id AND k.source = 'stripe'
  INNER JOIN staging.invoices AS i
    ON k.key = i.customer_id AND i.invoiced_on <= s.as_of AND i.invoiced_on > s.as_of - INTERVAL '180' DAY
  GROUP BY s.account_id, s.as_of
)
SELECT
  n.account_id,
  n.as_of,
  n.mrr,
  n.seats,
  n.plan,
  n.billing_interval = 'year' AS is_annual,
  1 - CAST(n.mrr AS DOUBLE) / nullif(n.list_mrr, 0) AS discount,
  CAST(n.as_of - n.started_on AS BIGINT) AS tenure_days,
  CAST(n.period_ends_on - n.as_of AS BIGINT) AS days_to_period_end,
  n.period_ends_on,
  CAST(n.mrr - b.mrr AS DOUBLE) / nullif(CAST(b.mrr AS DOUBLE), 0) AS mrr_change_84d,
  n.seats - b.seats AS seats_change_84d,
  coalesce(i.overdue_invoices, 0) AS overdue_invoices,
  coalesce(i.overdue_amount, 0) AS overdue_amount,
  coalesce(i.paid_late, 0) AS paid_late_180d
FROM now AS n
LEFT JOIN before AS b ON n.account_id = b.account_id AND n.as_of = b.as_of
LEFT JOIN invoices AS i ON n.account_id = i.account_id AND n.as_of = i.as_of
