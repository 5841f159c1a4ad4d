/*---
materialized: incremental
on: marts.health_scores
partition_by: [as_of]
---*/
SELECT a.account_id, h.as_of, a.account_name, a.csm_id, a.segment, a.arr, a.renewal_date, a.crm_id,
  h.health_score, h.health_band, h.health_coverage_pct, m.probability AS churn_probability, m.decile AS churn_decile,
  CAST(NULL AS DOUBLE) AS expansion_probability, CAST(NULL AS DOUBLE) AS expected_churn_arr, CAST(NULL AS DOUBLE) AS score_delta, m.top_reasons
FROM marts.accounts a
JOIN marts.health_scores h ON h.account_id = a.account_id
LEFT JOIN marts.model_scores m ON m.account_id = a.account_id AND m.as_of = h.as_of
