/*---
description: >
  What is known about each customer on each day looked at, and only what was known on that evening. One row for tonight's
  score, many for training, from the same SQL. NULL means unknown.
materialized: incremental
on: features.spine
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of, segment, tenure_days]
  - unique: [account_id, as_of]
  - range: {column: csat_168d, min: 0, max: 1}
  - range: {column: events_28d, min: 0}
---*/
WITH accounts AS (
  SELECT
    s.account_id,
    s.as_of,
    max(h.segment) AS segment,
    max(h.employees) AS employees
  FROM features.spine AS s
  INNER JOIN history.crm_accounts AS h
    ON
      s.account_id = h.account_id
      AND CAST(h.valid_from AS DATE) <= s.as_of
      AND (h.valid_to IS NULL OR CAST(h.valid_to AS DATE) > s.as_of)
  GROUP BY s.account_id, s.as_of
)
SELECT
  s.account_id,
  s.as_of,
  coalesce(a.segment, CASE WHEN c.seats < 25 THEN 'SMB' WHEN c.seats < 150 THEN 'Mid-Market' ELSE 'Enterprise' END) AS segment,
  -- contract
  CAST(c.mrr * 12 AS DECIMAL(18, 2)) AS arr,
  c.tenure_days,
  c.seats,
  CAST(c.mrr AS DOUBLE) / nullif(c.seats, 0) AS price_per_seat,
  c.plan = 'team' AS is_team_plan,
  c.plan = 'enterprise' AS is_enterprise_plan,
  c.is_annual,
  c.discount,
  -- Monthly contracts renew all the time: only the end of a year means something.
  CASE WHEN c.is_annual THEN c.days_to_period_end END AS days_to_renewal,
  coalesce(c.is_annual AND c.days_to_period_end <= 35, FALSE) AS renewal_within_35d,
  c.mrr_change_84d,
  c.seats_change_84d,
  c.overdue_invoices,
  c.paid_late_180d,
  CAST(a.employees AS DOUBLE) / nullif(c.seats, 0) AS employees_per_seat,
  -- usage; an account whose company is unknown to the product analytics has NULLs here
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.events_7d, 0) END AS events_7d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.events_28d, 0) END AS events_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.events_84d, 0) END AS events_84d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.active_days_28d, 0) END AS active_days_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.logins_28d, 0) END AS logins_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(u.automation_28d, 0) END AS automation_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN coalesce(p.active_users_28d, 0) END AS active_users_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN CAST(coalesce(p.active_users_28d, 0) AS DOUBLE) / nullif(c.seats, 0) END AS seat_usage_28d,
  CASE WHEN i.mixpanel_company IS NOT NULL THEN CAST(coalesce(u.events_28d, 0) AS DOUBLE) / nullif(c.seats, 0) END AS events_per_seat_28d,
  -- The product knows how much accounts of this size use it: 0 is the usual, one unit is a factor of e.
  CASE
    WHEN i.mixpanel_company IS NOT NULL THEN ln(1 + CAST(coalesce(u.events_84d, 0) AS DOUBLE)) - 0.6 * ln(c.seats)
  END AS usage_for_size_84d,
  -- From 4 weeks to the 4 weeks before. The pseudo-count of 5 keeps tiny numbers from looking like changes.
  CASE
    WHEN u.events_84d > 0
      THEN CAST(u.events_28d + 5 AS DOUBLE) / (u.events_prev_28d + 5) - 1
  END AS usage_change_28d,
  CASE
    WHEN u.events_84d > 0 AND c.tenure_days >= 84
      THEN CAST(u.events_28d + 5 AS DOUBLE) / (CAST(u.events_84d AS DOUBLE) / 3 + 5) - 1
  END AS usage_trend_84d,
  CAST(u.advanced_84d AS DOUBLE) / nullif(u.events_84d, 0) AS advanced_share_84d,
  CAST(s.as_of - u.last_active_on AS BIGINT) AS days_since_active,
  -- support
  CASE WHEN i.zendesk_organization_id IS NOT NULL THEN coalesce(t.tickets_28d, 0) END AS tickets_28d,
  CASE WHEN i.zendesk_organization_id IS NOT NULL THEN coalesce(t.tickets_84d, 0) END AS tickets_84d,
  CASE WHEN i.zendesk_organization_id IS NOT NULL THEN coalesce(t.urgent_tickets_28d, 0) END AS urgent_tickets_28d,
  CASE WHEN i.zendesk_organization_id IS NOT NULL THEN coalesce(t.open_tickets, 0) END AS open_tickets,
  t.days_to_solve_84d,
  t.csat_168d,
  -- relationship
  r.touches_28d,
  r.touches_84d,
  r.calls_and_reviews_56d,
  r.days_since_touch,
  r.champion_left_84d
FROM features.spine AS s
INNER JOIN features.contract AS c ON s.account_id = c.account_id AND s.as_of = c.as_of
INNER JOIN identity.accounts AS i ON s.account_id = i.account_id
LEFT JOIN accounts AS a ON s.account_id = a.account_id AND s.as_of = a.as_of
LEFT JOIN features.usage AS u ON s.account_id = u.account_id AND s.as_of = u.as_of
LEFT JOIN features.active_users AS p ON s.account_id = p.account_id AND s.as_of = p.as_of
LEFT JOIN features.support AS t ON s.account_id = t.account_id AND s.as_of = t.as_of
LEFT JOIN features.relationship AS r ON s.account_id = r.account_id AND s.as_of = r.as_of
