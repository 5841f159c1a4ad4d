/*---
description: >-
  What was known of each account on the evening of as_of. A window of 28 days ends on as_of itself. No column looks past
  it; `contract_end` lies ahead, but was agreed before.
materialized: incremental
on: features.spine
partition_by: [as_of]
checks:
  - not_null: [account_id, as_of, mrr, tenure_days, days_to_contract_end]
  - unique: [account_id, as_of]
  - range: {column: days_since_last_use, min: 0, max: 84}
  - range: {column: tenure_days, min: 0}
  - range: {column: seat_use_pct, min: 0}
---*/
WITH usage AS (
  SELECT
    s.account_id,
    s.as_of,
    MAX(u.usage_date) AS last_used_on,
    COUNT(u.usage_date) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '7 days') AS active_days_7d,
    COUNT(u.usage_date) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS active_days_28d,
    COUNT(u.usage_date) AS active_days_84d,
    SUM(u.events) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '7 days') AS events_7d,
    SUM(u.events) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS events_28d,
    SUM(u.events) AS events_84d,
    MAX(u.users) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS users_28d,
    MAX(u.users) AS users_84d,
    SUM(u.search) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS searches_28d,
    SUM(u.create_search + u.edit_search + u.delete_search) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS saved_searches_28d,
    SUM(u.create_opportunity) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS opportunities_28d,
    SUM(u.advance_stage) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS stages_advanced_28d,
    SUM(u.quote) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS quotes_28d,
    SUM(u.win_opportunity) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS won_28d,
    SUM(u.lose_opportunity) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS lost_28d,
    SUM(u.disqualify_opportunity) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS disqualified_28d,
    SUM(u.add_competitor) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS competitors_named_28d,
    SUM(u.add_contact) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS contacts_added_28d,
    SUM(u.edit_contact) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS contacts_edited_28d,
    SUM(u.add_lead) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS leads_added_28d,
    SUM(u.edit_lead + u.email_lead + u.call_lead) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS leads_worked_28d,
    SUM(u.unsub_lead) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS leads_unsubscribed_28d,
    SUM(u.create_list) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS lists_made_28d,
    SUM(u.email_list) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS list_emails_28d,
    SUM(u.meeting) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS meetings_28d,
    SUM(u.schedule_meeting) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS meetings_scheduled_28d,
    SUM(u.edit_meeting) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS meetings_changed_28d,
    SUM(u.cancel_meeting) FILTER (WHERE u.usage_date > s.as_of - INTERVAL '28 days') AS meetings_cancelled_28d,
    SUM(u.won_value) AS won_value_84d,
    SUM(u.win_opportunity) AS won_84d,
    SUM(u.lose_opportunity) AS lost_84d,
    SUM(u.search) AS searches_84d,
    SUM(u.meeting) AS meetings_84d,
    SUM(u.add_contact) AS contacts_added_84d,
    SUM(u.create_opportunity) AS opportunities_84d
  FROM features.spine AS s
  JOIN staging.usage_daily AS u
    ON u.account_id = s.account_id
    AND u.usage_date <= s.as_of
    AND u.usage_date > s.as_of - INTERVAL '84 days'
  GROUP BY s.account_id, s.as_of
),
past_terms AS (
  SELECT
    s.account_id,
    s.as_of,
    COUNT(*) AS terms,
    MIN(t.valid_from) AS first_term_on,
    MAX(t.mrr) AS highest_mrr,
    FIRST_VALUE(t.mrr ORDER BY t.valid_from DESC)
      FILTER (WHERE t.valid_from <= s.as_of - INTERVAL '84 days') AS mrr_84d_ago,
    FIRST_VALUE(t.seats ORDER BY t.valid_from) AS first_seats
  FROM features.spine AS s
  JOIN history.terms AS t ON t.account_id = s.account_id AND t.valid_from <= s.as_of
  GROUP BY s.account_id, s.as_of
),
now AS (
  SELECT
    s.account_id AS account_key,
    s.as_of AS evening,
    t.*
  FROM features.spine AS s
  JOIN history.terms AS t
    ON t.account_id = s.account_id
    AND t.valid_from <= s.as_of
    AND t.valid_to > s.as_of
)
SELECT
  n.account_key AS account_id,
  n.evening AS as_of,
  n.plan AS segment,
  -- contract
  CAST(n.mrr AS DOUBLE) AS mrr,
  CAST(n.mrr * 12 AS DOUBLE) AS arr,
  CAST(n.plan_mrr AS DOUBLE) / n.seats AS price_per_seat,
  n.discount * 100 AS discount_pct,
  n.bill_period_months,
  n.contract_end - n.evening AS days_to_contract_end,
  n.contract_end - n.evening > 7 AND n.contract_end - n.evening <= 35 AS contract_ends_in_window,
  n.evening - p.first_term_on AS tenure_days,
  p.terms,
  (CAST(n.mrr AS DOUBLE) / CAST(p.mrr_84d_ago AS DOUBLE) - 1) * 100 AS mrr_change_84d_pct,
  (CAST(n.mrr AS DOUBLE) / CAST(p.highest_mrr AS DOUBLE) - 1) * 100 AS mrr_below_highest_pct,
  n.seats,
  n.seats - p.first_seats AS seats_gained,
  -- the account
  a.channel = 'appstore1' AS from_appstore1,
  a.channel = 'appstore2' AS from_appstore2,
  (n.evening - a.founded_on) / 365.25 AS company_age_years,
  -- how much and how often
  COALESCE(u.active_days_7d, 0) AS active_days_7d,
  COALESCE(u.active_days_28d, 0) AS active_days_28d,
  COALESCE(u.active_days_84d, 0) AS active_days_84d,
  LEAST(COALESCE(n.evening - u.last_used_on, 84), 84) AS days_since_last_use,
  COALESCE(u.events_7d, 0) AS events_7d,
  COALESCE(u.events_28d, 0) AS events_28d,
  COALESCE(u.events_84d, 0) AS events_84d,
  COALESCE(u.events_28d, 0) / CAST(n.mrr AS DOUBLE) * 100 AS events_28d_per_100_mrr,
  (u.events_7d * 4.0 / NULLIF(u.events_28d, 0) - 1) * 100 AS usage_change_7d_pct,
  (u.events_28d * 3.0 / NULLIF(u.events_84d, 0) - 1) * 100 AS usage_change_28d_pct,
  -- use against what was bought
  COALESCE(u.users_28d, 0) AS seats_used_28d,
  COALESCE(u.users_28d, 0) * 100.0 / n.seats AS seat_use_pct,
  COALESCE(u.meetings_scheduled_28d, 0) * 100.0 / n.meetings_entitled AS meeting_use_pct,
  COALESCE(u.searches_28d, 0) * 100.0 / n.searches_entitled AS search_use_pct,
  -- by kind
  COALESCE(u.searches_28d, 0) AS searches_28d,
  COALESCE(u.saved_searches_28d, 0) AS saved_searches_28d,
  COALESCE(u.opportunities_28d, 0) AS opportunities_28d,
  COALESCE(u.stages_advanced_28d, 0) AS stages_advanced_28d,
  COALESCE(u.quotes_28d, 0) AS quotes_28d,
  COALESCE(u.won_28d, 0) AS won_28d,
  COALESCE(u.lost_28d, 0) AS lost_28d,
  COALESCE(u.disqualified_28d, 0) AS disqualified_28d,
  COALESCE(u.competitors_named_28d, 0) AS competitors_named_28d,
  COALESCE(u.contacts_added_28d, 0) AS contacts_added_28d,
  COALESCE(u.contacts_edited_28d, 0) AS contacts_edited_28d,
  COALESCE(u.leads_added_28d, 0) AS leads_added_28d,
  COALESCE(u.leads_worked_28d, 0) AS leads_worked_28d,
  COALESCE(u.leads_unsubscribed_28d, 0) AS leads_unsubscribed_28d,
  COALESCE(u.lists_made_28d, 0) AS lists_made_28d,
  COALESCE(u.list_emails_28d, 0) AS list_emails_28d,
  COALESCE(u.meetings_28d, 0) AS meetings_28d,
  COALESCE(u.meetings_scheduled_28d, 0) AS meetings_scheduled_28d,
  COALESCE(u.meetings_changed_28d, 0) AS meetings_changed_28d,
  COALESCE(u.meetings_cancelled_28d, 0) AS meetings_cancelled_28d,
  u.won_84d * 100.0 / NULLIF(u.won_84d + u.lost_84d, 0) AS win_rate_84d_pct,
  u.won_value_84d / NULLIF(u.won_84d, 0) AS won_value_each,
  (u.searches_28d * 3.0 / NULLIF(u.searches_84d, 0) - 1) * 100 AS search_change_28d_pct,
  (u.meetings_28d * 3.0 / NULLIF(u.meetings_84d, 0) - 1) * 100 AS meeting_change_28d_pct,
  (u.contacts_added_28d * 3.0 / NULLIF(u.contacts_added_84d, 0) - 1) * 100 AS contact_change_28d_pct,
  (u.opportunities_28d * 3.0 / NULLIF(u.opportunities_84d, 0) - 1) * 100 AS opportunity_change_28d_pct,
  PERCENT_RANK() OVER (PARTITION BY n.evening ORDER BY COALESCE(u.events_28d, 0) / CAST(n.mrr AS DOUBLE)) * 100 AS usage_percentile
FROM now AS n
JOIN past_terms AS p ON p.account_id = n.account_key AND p.as_of = n.evening
JOIN staging.accounts AS a ON a.account_id = n.account_key
LEFT JOIN usage AS u ON u.account_id = n.account_key AND u.as_of = n.evening
