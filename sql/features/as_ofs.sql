/*---
description: >
  The days whose evenings are looked at: the end of each month with 12 weeks of usage before it, for training and trends, and
  tonight.
checks:
  - unique: [as_of]
---*/
WITH bounds AS (
  SELECT min(day) AS first_day FROM staging.usage_daily
),
months AS (
  SELECT unnest(generate_series(date_trunc('month', first_day), CAST($as_of AS TIMESTAMP), INTERVAL '1' MONTH)) AS month, first_day
  FROM bounds
)
SELECT CAST(month + INTERVAL '1' MONTH - INTERVAL '1' DAY AS DATE) AS as_of
FROM months
WHERE
  CAST(month + INTERVAL '1' MONTH - INTERVAL '1' DAY AS DATE) < $as_of
  AND CAST(month + INTERVAL '1' MONTH - INTERVAL '1' DAY AS DATE) >= first_day + INTERVAL '83' DAY
UNION ALL
SELECT $as_of AS as_of
