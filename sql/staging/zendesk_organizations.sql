/*---
description: Companies as the help desk knows them, with what leads to the CRM account.
checks:
  - not_null: [organization_id]
  - unique: [organization_id]
---*/
SELECT
  id AS organization_id,
  name AS organization_name,
  external_id,
  normalize_domain(domain_name) AS domain
FROM raw.zendesk__organizations
WHERE CAST(updated_at AS DATE) <= $as_of
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, _extracted_at DESC) = 1
