//! Conditions on records, without a JSON value for each record.

use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind};
use cscopilot_spec::connector::Predicate;
use serde_json::Value;
use std::borrow::Cow;

/// A condition, and the slot in which the value stands that it looks at.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) slot: usize,
    predicate: Predicate,
    equals: Option<Want>,
    one_of: Option<Vec<Want>>,
}

/// A value to compare with, as text.
#[derive(Debug)]
struct Want {
    text: String,
    null: bool,
}

impl Want {
    fn new(value: &Value) -> Self {
        Self { text: value.as_str().map_or_else(|| value.to_string(), str::to_owned), null: value.is_null() }
    }

    fn is(&self, value: Option<&[u8]>) -> bool {
        value.map_or(self.null, |value| value == self.text.as_bytes())
    }
}

impl Condition {
    pub(super) fn new(slot: usize, predicate: &Predicate) -> Self {
        Self {
            slot,
            equals: predicate.equals.as_ref().map(Want::new),
            one_of: predicate.one_of.as_ref().map(|all| all.iter().map(Want::new).collect()),
            predicate: predicate.clone(),
        }
    }

    /// Whether it holds: the same as [`Predicate::holds`] says of the value that stands there.
    pub(super) fn holds(&self, row: &[Cell], text: &[u8], codec: &Codec) -> bool {
        let cell = row.get(self.slot).copied().unwrap_or(Cell::MISSING);
        let bytes = cell.bytes(text);
        match cell.kind() {
            Kind::Missing | Kind::Null => self.holds_text(None),
            Kind::True | Kind::False => self.holds_text(Some(bytes)),
            // In CSV nothing tells an empty text from none.
            Kind::Text | Kind::Escaped if bytes.is_empty() && matches!(codec, Codec::Csv(_)) => self.holds_text(None),
            Kind::Text | Kind::Escaped => self.holds_text(Some(&codec.text(cell, text).unwrap_or(Cow::Borrowed(bytes)))),
            Kind::Number if is_plain(bytes) => self.holds_text(Some(bytes)),
            Kind::Number | Kind::Composite => {
                let value = serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
                self.predicate.holds(Some(&value))
            }
        }
    }

    fn holds_text(&self, value: Option<&[u8]>) -> bool {
        let predicate = &self.predicate;
        predicate.present.is_none_or(|present| present == value.is_some())
            && self.equals.as_ref().is_none_or(|want| want.is(value))
            && self.one_of.as_ref().is_none_or(|all| all.iter().any(|want| want.is(value)))
            && predicate.contains.as_ref().is_none_or(|part| value.is_some_and(|v| memchr::memmem::find(v, part.as_bytes()).is_some()))
            && predicate.ends_with.as_ref().is_none_or(|part| value.is_some_and(|v| v.ends_with(part.as_bytes())))
    }
}

/// A whole number that is written in one way only.
fn is_plain(number: &[u8]) -> bool {
    number.len() < 19 && number != b"-0" && number.iter().all(|b| b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::Walk;
    use crate::codec::paths::Paths;
    use crate::codec::places::Places;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2_i64..3).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(Value::from(1.0)),
            "(true|null|1|1.0|a|ab|\"|\\PC{0,3})".prop_map(Value::from),
            Just(serde_json::json!([1])),
        ]
    }

    proptest! {
        #[test]
        fn says_of_places_what_the_predicate_says_of_values(
            found in proptest::option::of(value()),
            equals in proptest::option::of(value()),
            one_of in proptest::option::of(prop::collection::vec(value(), 0..3)),
            contains in proptest::option::of("[a1\"]{0,2}"),
            ends_with in proptest::option::of("[a1b]{0,2}"),
            present in any::<Option<bool>>(),
        ) {
            let predicate = Predicate { path: None, header: None, equals, one_of, contains, ends_with, present };
            let record = found.as_ref().map_or_else(|| serde_json::json!({}), |found| serde_json::json!({"at": found}));
            let text = record.to_string();
            let codec = Codec::Jsonl(Paths::new(["at"].into_iter()));
            let Codec::Jsonl(paths) = &codec else { unreachable!() };
            let mut places = Places::new(paths);
            Walk::new(text.as_bytes(), 0).record(&mut places).unwrap();
            let condition = Condition::new(0, &predicate);
            prop_assert_eq!(condition.holds(&places.row, text.as_bytes(), &codec), predicate.holds(found.as_ref()), "{} {}", text, serde_json::json!(found));
        }
    }
}
