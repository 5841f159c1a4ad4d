/*---
description: Every key of every vendor with the account that its owner declared, and with the domain to look at where none was declared.
materialized: view
---*/
SELECT
  'stripe' AS source,
  c.customer_id AS key,
  c.customer_name AS name,
  coalesce(c.salesforce_id, a.account_id) AS declared_account_id,
  c.domain
FROM staging.stripe_customers AS c
LEFT JOIN staging.crm_accounts AS a ON c.customer_id = a.stripe_customer_id
UNION ALL
SELECT
  'zendesk' AS source,
  CAST(organization_id AS VARCHAR) AS key,
  organization_name AS name,
  external_id AS declared_account_id,
  domain
FROM staging.zendesk_organizations
UNION ALL
SELECT
  'mixpanel' AS source,
  u.company AS key,
  u.company AS name,
  a.account_id AS declared_account_id,
  CASE WHEN a.account_id IS NULL THEN normalize_domain(u.company) END AS domain
FROM (SELECT DISTINCT company FROM staging.usage_daily) AS u
LEFT JOIN staging.crm_accounts AS a ON u.company = a.account_id
