SELECT account_id, as_of, seats = 0 AS churned FROM features.account_features
