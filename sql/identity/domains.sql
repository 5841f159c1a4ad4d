/*---
description: Domains that belong to exactly one CRM account, and how many accounts claim each of the others.
materialized: view
---*/
SELECT
  domain,
  CASE WHEN count(*) = 1 THEN min(account_id) END AS account_id,
  count(*) AS accounts
FROM staging.crm_accounts
WHERE domain IS NOT NULL
GROUP BY domain
