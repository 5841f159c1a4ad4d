//! The part of Mixpanel's expressions that extracts use: comparisons of properties, joined by `and`.
//!
//! `properties["$last_seen"] >= "2026-06-29T00:00:00"`, `properties["$time"] >= datetime(1700000000) and properties["x"] == 1`.

use std::cmp::Ordering;

use chrono::NaiveDateTime;
use serde_json::Value;

/// One comparison.
#[derive(Debug, PartialEq)]
struct Comparison {
    property: String,
    operator: &'static str,
    value: Operand,
}

#[derive(Debug, PartialEq)]
enum Operand {
    Text(String),
    Number(f64),
    /// Seconds since 1970.
    Instant(f64),
}

/// What must hold for a record.
#[derive(Debug, PartialEq)]
pub(super) struct Expression(Vec<Comparison>);

const OPERATORS: [&str; 6] = [">=", "<=", "==", "!=", ">", "<"];

impl Expression {
    /// Nothing if it can't be understood.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut all = Vec::new();
        loop {
            let (comparison, left) = comparison(rest)?;
            all.push(comparison);
            let left = left.trim_start();
            if left.is_empty() {
                return Some(Self(all));
            }
            rest = left.strip_prefix("and ").or_else(|| left.strip_prefix("AND "))?.trim_start();
        }
    }

    /// Does it hold for these properties?
    pub(super) fn holds(&self, properties: &Value) -> bool {
        self.0.iter().all(|comparison| comparison.holds(properties))
    }
}

fn comparison(text: &str) -> Option<(Comparison, &str)> {
    let bracket = text.starts_with('(');
    let text = text.strip_prefix('(').unwrap_or(text).trim_start();
    let scope = ["properties[", "user[", "event["].iter().find_map(|scope| text.strip_prefix(scope))?;
    let (property, rest) = quoted(scope)?;
    let rest = rest.strip_prefix(']')?.trim_start();
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
    let rest = rest[operator.len()..].trim_start();
    let (value, rest) = if let Some(rest) = rest.strip_prefix("datetime(") {
        let end = rest.find(')')?;
        (Operand::Instant(rest[..end].trim().parse().ok()?), &rest[end + 1..])
    } else if rest.starts_with(['"', '\'']) {
        let (text, rest) = quoted(rest)?;
        (Operand::Text(text), rest)
    } else {
        let end = rest.find([' ', ')']).unwrap_or(rest.len());
        (Operand::Number(rest[..end].parse().ok()?), &rest[end..])
    };
    let rest = if bracket { rest.trim_start().strip_prefix(')')? } else { rest };
    Some((Comparison { property, operator, value }, rest))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let end = text[1..].find(quote)? + 1;
    Some((text[1..end].to_string(), &text[end + 1..]))
}

impl Comparison {
    fn holds(&self, properties: &Value) -> bool {
        // An event's time has two names.
        let have = match (&properties[&self.property], self.property.as_str()) {
            (Value::Null, "$time") => &properties["time"],
            (have, _) => have,
        };
        let ordering = match &self.value {
            Operand::Text(want) => have.as_str().map(|have| have.cmp(want.as_str())),
            Operand::Number(want) => have.as_f64().and_then(|have| have.partial_cmp(want)),
            Operand::Instant(want) => instant(have).and_then(|have| have.partial_cmp(want)),
        };
        match self.operator {
            ">=" => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            ">" => ordering == Some(Ordering::Greater),
            "<" => ordering == Some(Ordering::Less),
            "==" => ordering == Some(Ordering::Equal),
            _ => ordering != Some(Ordering::Equal),
        }
    }
}

fn instant(value: &Value) -> Option<f64> {
    let parsed = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok();
    value.as_f64().or_else(|| Some(parsed(value.as_str()?)?.and_utc().timestamp() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_texts_numbers_and_times() {
        let user = json!({"$last_seen": "2026-06-29T08:00:00", "seats": 12, "time": 1_782_720_000});
        for (text, expected) in [
            (r#"properties["$last_seen"] >= "2026-06-29T08:00:00""#, true),
            (r#"properties["$last_seen"]>"2026-06-29T08:00:00""#, false),
            (r#"(properties["seats"] >= 12) and (properties["seats"] < 13)"#, true),
            (r#"properties['seats'] == 12 and properties["gone"] == "x""#, false),
            (r#"properties["gone"] != "x""#, true),
            (r#"properties["$last_seen"] < datetime(1782720001)"#, true),
            (r#"properties["$time"]>=datetime(1782720000)"#, true),
        ] {
            assert_eq!(Expression::parse(text).map(|e| e.holds(&user)), Some(expected), "{text}");
        }
        for wrong in ["", "seats > 1", r#"properties["seats"]"#, r#"properties["a"] == 1 or properties["b"] == 2"#] {
            assert_eq!(Expression::parse(wrong), None, "{wrong}");
        }
    }
}
