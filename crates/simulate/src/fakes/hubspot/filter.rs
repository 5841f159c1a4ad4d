//! The filters of a search.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::failure::Failure;
use super::kinds::{ObjectKind, Type};

/// Most groups of filters, filters of a group, and filters in all.
const MOST: (usize, usize, usize) = (5, 6, 18);

/// A filter, ready to be applied.
#[derive(Debug)]
pub(super) struct Filter {
    property: &'static str,
    kind: Type,
    operator: Operator,
    values: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Between,
    ContainsToken,
    NotContainsToken,
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
}

/// A value in the order of its type.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Key {
    Number(f64),
    Text(String),
}

/// Milliseconds since 1970, or an ISO instant or date.
fn millis(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let at = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis());
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
    at.or_else(|_| day()).ok().map(|millis| millis as f64)
}

fn key(kind: Type, text: &str) -> Option<Key> {
    match kind {
        Type::Number => text.parse().ok().map(Key::Number),
        Type::DateTime => millis(text).map(Key::Number),
        Type::String | Type::Enumeration | Type::Bool => Some(Key::Text(text.to_lowercase())),
    }
}

impl Filter {
    fn parse(kind: &ObjectKind, filter: &Value) -> Result<Self, Failure> {
        let name = filter["propertyName"].as_str().unwrap_or_default();
        let problem = |what: &str| Failure::invalid(&format!("There was a problem with the request: {what}"));
        let (property, value_type) = kind
            .properties
            .iter()
            .find(|(property, _)| *property == name)
            .copied()
            .ok_or_else(|| problem(&format!("property '{name}' does not exist")))?;
        let operator = match filter["operator"].as_str().unwrap_or_default() {
            "BETWEEN" => Operator::Between,
            "CONTAINS_TOKEN" => Operator::ContainsToken,
            "NOT_CONTAINS_TOKEN" => Operator::NotContainsToken,
            "EQ" => Operator::Eq,
            "NEQ" => Operator::Neq,
            "GT" => Operator::Gt,
            "GTE" => Operator::Gte,
            "LT" => Operator::Lt,
            "LTE" => Operator::Lte,
            "IN" => Operator::In,
            "NOT_IN" => Operator::NotIn,
            "HAS_PROPERTY" => Operator::HasProperty,
            "NOT_HAS_PROPERTY" => Operator::NotHasProperty,
            other => return Err(problem(&format!("unknown operator '{other}'"))),
        };
        let given: Vec<String> = match operator {
            Operator::HasProperty | Operator::NotHasProperty => Vec::new(),
            Operator::In | Operator::NotIn => filter["values"].as_array().into_iter().flatten().map(text).collect(),
            Operator::Between => vec![text(&filter["value"]), text(&filter["highValue"])],
            _ => vec![text(&filter["value"])],
        };
        let values: Option<Vec<Key>> = given.iter().map(|value| key(value_type, value)).collect();
        let values = values.ok_or_else(|| problem(&format!("{name} must be compared with a {}", value_type.names().0)))?;
        Ok(Self { property, kind: value_type, operator, values })
    }

    /// Does a record's properties meet it? A property without value meets only `NOT_HAS_PROPERTY` and the negations.
    fn holds(&self, properties: &Value) -> bool {
        let own = properties[self.property].as_str().filter(|text| !text.is_empty()).and_then(|text| key(self.kind, text));
        let first = self.values.first();
        let order = own.as_ref().zip(first).and_then(|(own, value)| own.partial_cmp(value));
        let contains = || match (&own, first) {
            (Some(Key::Text(own)), Some(Key::Text(token))) => has_token(own, token),
            _ => false,
        };
        match self.operator {
            Operator::HasProperty => own.is_some(),
            Operator::NotHasProperty => own.is_none(),
            Operator::Eq => order == Some(Ordering::Equal),
            Operator::Neq => own.is_some() && order != Some(Ordering::Equal),
            Operator::Gt => order == Some(Ordering::Greater),
            Operator::Gte => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Operator::Lt => order == Some(Ordering::Less),
            Operator::Lte => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Operator::Between => own.is_some_and(|own| own >= self.values[0] && own <= self.values[1]),
            Operator::In => own.is_some_and(|own| self.values.contains(&own)),
            Operator::NotIn => !own.is_some_and(|own| self.values.contains(&own)),
            Operator::ContainsToken => contains(),
            Operator::NotContainsToken => !contains(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// Does a text have this word? `*` at its ends stands for anything.
fn has_token(text: &str, token: &str) -> bool {
    let bare = token.trim_matches('*');
    let (open_start, open_end) = (token.starts_with('*'), token.ends_with('*'));
    text.split(|c: char| !c.is_alphanumeric()).any(|word| match (open_start, open_end) {
        (true, true) => word.contains(bare),
        (true, false) => word.ends_with(bare),
        (false, true) => word.starts_with(bare),
        (false, false) => word == bare,
    })
}

/// Groups of filters: in one of them all must hold.
#[derive(Debug)]
pub(super) struct Groups(Vec<Vec<Filter>>);

impl Groups {
    /// Reads `filterGroups`, or the older `filters`.
    pub(super) fn parse(kind: &ObjectKind, request: &Value) -> Result<Self, Failure> {
        let groups: Vec<&Value> = match (request["filterGroups"].as_array(), request.get("filters")) {
            (Some(groups), _) => groups.iter().map(|group| &group["filters"]).collect(),
            (None, Some(filters)) => vec![filters],
            (None, None) => Vec::new(),
        };
        let list = |filters: &&Value| filters.as_array().cloned().unwrap_or_default();
        let counts: Vec<usize> = groups.iter().map(|group| list(group).len()).collect();
        if counts.len() > MOST.0 || counts.iter().any(|n| *n > MOST.1) || counts.iter().sum::<usize>() > MOST.2 {
            return Err(Failure::invalid(&format!(
                "No more than {} filter groups, {} filters in a group and {} filters are allowed",
                MOST.0, MOST.1, MOST.2
            )));
        }
        let parsed = groups.iter().map(|group| list(group).iter().map(|filter| Filter::parse(kind, filter)).collect());
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    pub(super) fn hold(&self, properties: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|group| group.iter().all(|filter| filter.holds(properties)))
    }
}

/// A property's value, to sort by.
pub(super) fn key_of(kind: Type, value: &Value) -> Option<Key> {
    value.as_str().and_then(|text| key(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(filter: Value, properties: &Value) -> bool {
        let kind = ObjectKind::find("deals").unwrap();
        Groups::parse(kind, &json!({"filterGroups": [{"filters": [filter]}]})).unwrap().hold(properties)
    }

    #[test]
    fn values_are_compared_by_the_type_of_the_property() {
        let deal = json!({"amount": "900.5", "dealname": "Big Deal, renewed", "hs_lastmodifieddate": "2026-01-01T00:00:00.250Z", "closedate": null});
        let filter = |name: &str, operator: &str, value: Value| json!({"propertyName": name, "operator": operator, "value": value});
        assert!(holds(filter("amount", "LT", json!("1000")), &deal), "not as texts");
        assert!(holds(filter("hs_lastmodifieddate", "GTE", json!("1767225600250")), &deal));
        assert!(!holds(filter("hs_lastmodifieddate", "GTE", json!(1_767_225_600_251_i64)), &deal));
        assert!(holds(filter("hs_lastmodifieddate", "LT", json!("2026-01-02")), &deal));
        assert!(holds(filter("dealname", "CONTAINS_TOKEN", json!("RENEW*")), &deal));
        assert!(holds(json!({"propertyName": "closedate", "operator": "NOT_HAS_PROPERTY"}), &deal));
        assert!(holds(json!({"propertyName": "amount", "operator": "BETWEEN", "value": "900", "highValue": "901"}), &deal));
        assert!(!holds(json!({"propertyName": "amount", "operator": "IN", "values": ["1", "2"]}), &deal));
    }
}
