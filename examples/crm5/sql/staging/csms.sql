/*---
description: The customer success managers. The data names none, so these five are made up.
checks:
  - unique: [csm_number]
---*/
SELECT
  column1 AS csm_number,
  column2 AS csm_id,
  column3 AS csm_name
FROM (
  VALUES
    (1, 'csm-1', 'Amara Okafor'),
    (2, 'csm-2', 'Ben Lindqvist'),
    (3, 'csm-3', 'Chiara Romano'),
    (4, 'csm-4', 'Daniel Weiss'),
    (5, 'csm-5', 'Elif Demir')
)
