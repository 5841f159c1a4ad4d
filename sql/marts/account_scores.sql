/*---
description: >
  Tonight's scores of every customer. Probabilities are NULL where no model was good enough to be promoted. `survival_90d` is the
  chance to be a customer still in 90 days, `median_days_to_churn` the time after which half of such customers are gone.
materialized: incremental
on: marts.health_scores
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of, account_name, arr]
  - unique: [account_id, as_of]
  - range: {column: health_score, min: 0, max: 100}
  - range: {column: churn_probability, min: 0, max: 1}
---*/
SELECT
  a.account_id,
  h.as_of,
  a.account_name,
  a.csm_id,
  a.csm_name,
  a.segment,
  a.arr,
  a.renewal_date,
  a.crm_id,
  h.health_score,
  h.health_band,
  h.health_coverage_pct,
  c.probability AS churn_probability,
  c.decile AS churn_decile,
  e.probability AS expansion_probability,
  CAST(CAST(a.arr AS DOUBLE) * c.probability AS DECIMAL(18, 2)) AS expected_churn_arr,
  c.survival_30d,
  c.survival_90d,
  c.survival_180d,
  c.median_days AS median_days_to_churn,
  CAST(e.expected_amount AS DECIMAL(18, 2)) AS expected_expansion_arr,
  h.health_score - p.health_score AS score_delta,
  c.top_reasons
FROM marts.health_scores AS h
INNER JOIN marts.accounts AS a ON h.account_id = a.account_id
LEFT JOIN marts.model_scores AS c ON h.account_id = c.account_id AND h.as_of = c.as_of AND c.model = 'churn'
LEFT JOIN marts.model_scores AS e ON h.account_id = e.account_id AND h.as_of = e.as_of AND e.model = 'expansion'
LEFT JOIN (
  SELECT
    account_id,
    health_score
  FROM marts.health_scores
  WHERE as_of <= $as_of - INTERVAL '28' DAY
  QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY as_of DESC) = 1
) AS p ON h.account_id = p.account_id
WHERE h.as_of = $as_of
