//! What happens to each field of a record: a pure decision from three values, so that it can be tested alone.
//!
//! | wanted is … | and the CRM has … | then |
//! |---|---|---|
//! | what the CRM has | | nothing; if the log doesn't know, it is told (a run died between writing and logging) |
//! | something else | what we wrote last, or we never wrote | write |
//! | something else | something else than we wrote last | a person edited it: keep it, unless the mapping says overwrite |

use crate::value::same;
use cscopilot_spec::OnConflict;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields of a record by their API names.
pub(crate) type Fields = BTreeMap<String, Value>;

/// What the log knows of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    /// What we wrote last, field by field.
    pub(crate) written: Fields,
    /// Edits that we kept, field by field: the person's value.
    pub(crate) kept: Fields,
}

/// What happens to a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Decision {
    /// To be written.
    pub(crate) write: Fields,
    /// There already, but the log doesn't know.
    pub(crate) confirm: Fields,
    /// Edits of a person that stay: what we would have written.
    pub(crate) keep: Fields,
    /// Those among them that the log doesn't know yet.
    pub(crate) newly_kept: Vec<String>,
}

impl Decision {
    pub(crate) fn is_nothing(&self) -> bool {
        self.write.is_empty() && self.confirm.is_empty() && self.keep.is_empty()
    }
}

/// Decides for one record.
pub(crate) fn decide(wanted: &Fields, current: &Fields, known: &Known, on_conflict: OnConflict) -> Decision {
    let mut decision = Decision::default();
    for (field, want) in wanted {
        let has = current.get(field).unwrap_or(&Value::Null);
        let wrote = known.written.get(field);
        if same(want, has) {
            let told = wrote.is_some_and(|w| same(w, want)) || wrote.is_none() && want.is_null();
            if !told {
                decision.confirm.insert(field.clone(), want.clone());
            }
            continue;
        }
        let edited = wrote.is_some_and(|w| !same(w, has));
        if edited && on_conflict == OnConflict::KeepEdit {
            decision.keep.insert(field.clone(), want.clone());
            if !known.kept.get(field).is_some_and(|k| same(k, has)) {
                decision.newly_kept.push(field.clone());
            }
        } else {
            decision.write.insert(field.clone(), want.clone());
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn one(value: &Value) -> Fields {
        Fields::from([("F".to_owned(), value.clone())])
    }

    fn decided(want: Value, has: Value, wrote: Option<Value>, on_conflict: OnConflict) -> &'static str {
        let known = Known { written: wrote.iter().flat_map(one).collect(), kept: Fields::new() };
        let d = decide(&one(&want), &one(&has), &known, on_conflict);
        match (d.write.len(), d.confirm.len(), d.keep.len()) {
            (0, 0, 0) => "nothing",
            (1, 0, 0) => "write",
            (0, 1, 0) => "confirm",
            (0, 0, 1) => "keep",
            _ => "several",
        }
    }

    #[test]
    fn follows_the_table_above() {
        use OnConflict::{KeepEdit, Overwrite};
        let (a, b, c) = (json!(1), json!(2), json!(3));
        assert_eq!(decided(a.clone(), a.clone(), Some(a.clone()), KeepEdit), "nothing");
        assert_eq!(decided(Value::Null, Value::Null, None, KeepEdit), "nothing");
        assert_eq!(decided(a.clone(), a.clone(), None, KeepEdit), "confirm");
        assert_eq!(decided(a.clone(), a.clone(), Some(b.clone()), KeepEdit), "confirm");
        assert_eq!(decided(a.clone(), Value::Null, None, KeepEdit), "write");
        assert_eq!(decided(a.clone(), b.clone(), None, KeepEdit), "write");
        assert_eq!(decided(a.clone(), b.clone(), Some(b.clone()), KeepEdit), "write");
        assert_eq!(decided(a.clone(), b.clone(), Some(c.clone()), KeepEdit), "keep");
        assert_eq!(decided(a.clone(), b.clone(), Some(a.clone()), KeepEdit), "keep");
        assert_eq!(decided(a, b, Some(c), Overwrite), "write");
    }

    #[test]
    fn a_kept_edit_is_told_once() {
        let known = Known { written: one(&json!(1)), kept: one(&json!(5)) };
        assert!(decide(&one(&json!(2)), &one(&json!(5)), &known, OnConflict::KeepEdit).newly_kept.is_empty());
        assert_eq!(decide(&one(&json!(2)), &one(&json!(6)), &known, OnConflict::KeepEdit).newly_kept, ["F"]);
    }

    proptest! {
        /// After writing, a second run with the same wish finds nothing to do, whatever was there before.
        #[test]
        fn a_second_run_does_nothing(want in 0..4, has in 0..4, wrote in proptest::option::of(0..4), overwrite: bool) {
            let value = |n: i32| if n == 0 { Value::Null } else { json!(n) };
            let on_conflict = if overwrite { OnConflict::Overwrite } else { OnConflict::KeepEdit };
            let mut known = Known { written: wrote.map(value).iter().flat_map(one).collect(), kept: Fields::new() };
            let mut crm = one(&value(has));
            let first = decide(&one(&value(want)), &crm, &known, on_conflict);
            crm.extend(first.write.clone());
            known.written.extend(first.write);
            known.written.extend(first.confirm);
            for field in first.newly_kept {
                known.kept.insert(field.clone(), crm[&field].clone());
            }
            let second = decide(&one(&value(want)), &crm, &known, on_conflict);
            prop_assert!(second.write.is_empty() && second.confirm.is_empty() && second.newly_kept.is_empty());
        }
    }
}
