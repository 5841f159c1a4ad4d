/*---
description: The customer success managers. The data names none, so these four are made up.
checks:
  - unique: [csm_number]
---*/
SELECT
  column1 AS csm_number,
  column2 AS csm_id,
  column3 AS csm_name
FROM (
  VALUES
    (0, 'csm-1', 'Farid Haddad'),
    (1, 'csm-2', 'Grace Nakamura'),
    (2, 'csm-3', 'Hugo Almeida'),
    (3, 'csm-4', 'Ines Petrova')
)
