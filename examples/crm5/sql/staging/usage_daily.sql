/*---
description: Usage per account and day, one column per kind of event that the features tell apart.
checks:
  - not_null: [account_id, usage_date]
  - unique: [account_id, usage_date]
  - relationship: {column: account_id, to: staging.accounts.account_id}
  - range: {column: events, min: 1}
  - freshness: {column: usage_date, max_age_days: 3}
---*/
WITH newest AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY account_id, date, event_type_id
      ORDER BY _extracted_at DESC, _line DESC
    ) AS recency
  FROM raw.crm5__events
  WHERE date <= $as_of
),
named AS (
  SELECT
    CAST(e.account_id AS VARCHAR) AS account_id,
    e.date,
    t.event_type,
    e.n_events,
    e.n_users,
    e.value_sum
  FROM newest AS e
  JOIN staging.event_types AS t ON t.event_type_id = e.event_type_id
  WHERE e.recency = 1
)
SELECT
  account_id,
  date AS usage_date,
  SUM(n_events) AS events,
  MAX(n_users) AS users,
  COUNT(*) AS kinds,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'search'), 0) AS search,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'create_search'), 0) AS create_search,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'edit_search'), 0) AS edit_search,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'delete_search'), 0) AS delete_search,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'win_opportunity'), 0) AS win_opportunity,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'advance_stage'), 0) AS advance_stage,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'add_competitor'), 0) AS add_competitor,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'disqualify_opportunity'), 0) AS disqualify_opportunity,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'lose_opportunity'), 0) AS lose_opportunity,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'quote'), 0) AS quote,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'create_opportunity'), 0) AS create_opportunity,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'add_contact'), 0) AS add_contact,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'edit_contact'), 0) AS edit_contact,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'add_lead'), 0) AS add_lead,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'unsub_lead'), 0) AS unsub_lead,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'edit_lead'), 0) AS edit_lead,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'email_lead'), 0) AS email_lead,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'call_lead'), 0) AS call_lead,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'create_list'), 0) AS create_list,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'delete_list'), 0) AS delete_list,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'email_list'), 0) AS email_list,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'meeting'), 0) AS meeting,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'schedule_meeting'), 0) AS schedule_meeting,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'edit_meeting'), 0) AS edit_meeting,
  COALESCE(SUM(n_events) FILTER (WHERE event_type = 'cancel_meeting'), 0) AS cancel_meeting,
  COALESCE(SUM(value_sum) FILTER (WHERE event_type = 'win_opportunity'), 0) AS won_value,
  COALESCE(SUM(value_sum) FILTER (WHERE event_type = 'lose_opportunity'), 0) AS lost_value
FROM named
GROUP BY account_id, date
