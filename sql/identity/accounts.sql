/*---
description: Accounts with the key that each vendor knows them by.
checks:
  - not_null: [account_id]
  - unique: [account_id]
---*/
SELECT
  a.account_id,
  a.account_name,
  a.domain,
  a.account_id AS crm_id,
  min(k.key) FILTER (WHERE k.source = 'stripe') AS stripe_customer_id,
  min(k.key) FILTER (WHERE k.source = 'zendesk') AS zendesk_organization_id,
  min(k.key) FILTER (WHERE k.source = 'mixpanel') AS mixpanel_company
FROM staging.crm_accounts AS a
LEFT JOIN identity.keys AS k ON a.account_id = k.account_id
GROUP BY a.account_id, a.account_name, a.domain
