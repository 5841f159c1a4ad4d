/*---
description: Which account each vendor's key belongs to. Declared keys win; then a domain that belongs to one account only.
checks:
  - not_null: [source, key]
  - unique: [source, key]
  - relationship: {column: account_id, to: staging.crm_accounts.account_id}
  - expression: {name: matched, sql: "account_id IS NOT NULL", severity: warn}
---*/
SELECT
  c.source,
  c.key,
  c.name,
  coalesce(a.account_id, d.account_id) AS account_id,
  CASE
    WHEN a.account_id IS NOT NULL THEN 'declared key'
    WHEN d.account_id IS NOT NULL THEN 'domain'
    WHEN c.declared_account_id IS NOT NULL THEN 'the declared account is not in the CRM'
    WHEN d.accounts > 1 THEN 'the domain belongs to several accounts'
    WHEN c.domain IS NULL THEN 'no declared key and no company domain'
    ELSE 'no account has this domain'
  END AS rule
FROM identity.candidates AS c
LEFT JOIN staging.crm_accounts AS a ON c.declared_account_id = a.account_id
LEFT JOIN identity.domains AS d ON c.declared_account_id IS NULL AND c.domain = d.domain
