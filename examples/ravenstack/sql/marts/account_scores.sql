/*---
description: >-
  Each customer's health and probabilities, night by night. Without a promoted model its columns are NULL.
materialized: incremental
on: marts.accounts
partition_by: [as_of]
lookback: 1
checks:
  - not_null: [account_id, as_of, account_name]
  - unique: [account_id, as_of]
  - range: {column: health_score, min: 0, max: 100}
  - range: {column: churn_probability, min: 0, max: 1}
  - range: {column: expansion_probability, min: 0, max: 1}
---*/
WITH churn AS (
  SELECT * FROM marts.model_scores WHERE model = 'churn'
),
expansion AS (
  SELECT * FROM marts.model_scores WHERE model = 'expansion'
),
before AS (
  SELECT
    account_id,
    FIRST_VALUE(probability ORDER BY as_of DESC) AS probability
  FROM churn
  WHERE as_of < $as_of
  GROUP BY account_id
)
SELECT
  a.account_id,
  a.as_of,
  a.account_name,
  a.csm_id,
  a.csm_name,
  a.segment,
  a.plan,
  a.arr,
  a.renewal_date,
  h.health_score,
  h.health_band,
  h.health_coverage_pct,
  c.probability AS churn_probability,
  c.decile AS churn_decile,
  e.probability AS expansion_probability,
  CAST(c.probability * CAST(a.arr AS DOUBLE) AS DECIMAL(18, 2)) AS expected_churn_arr,
  c.probability - b.probability AS score_delta,
  c.top_reasons
FROM marts.accounts AS a
LEFT JOIN marts.health_scores AS h ON h.account_id = a.account_id AND h.as_of = a.as_of
LEFT JOIN churn AS c ON c.account_id = a.account_id AND c.as_of = a.as_of
LEFT JOIN expansion AS e ON e.account_id = a.account_id AND e.as_of = a.as_of
LEFT JOIN before AS b ON b.account_id = a.account_id
