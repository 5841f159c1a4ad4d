//! What holds for any body.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c.\"\\\\ä]{0,3}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn json_plan() -> PagePlan {
    let yaml = "columns:\n  id: {type: int}\n  v: {type: json, from: o.v}\nprimary_key: [id]\ndrift: evolve\nreads:\n  - {name: a, endpoint: {path: /x}, records: {path: out.list, filter: [{path: skip, present: false}]}}\n";
    plan_with(yaml, &["next", "out.total"])
}

fn page(values: &[(Value, bool)], next: &Value) -> Value {
    let records: Vec<Value> = values
        .iter()
        .enumerate()
        .map(
            |(id, (value, skip))| {
                if *skip { json!({"skip": 1, "id": id}) } else { json!({"o": {"w": 1, "v": value}, "id": id, "w": value}) }
            },
        )
        .collect();
    json!({"a": next, "next": next, "out": {"list": records, "total": values.len(), "z": next}})
}

proptest! {
    #[test]
    fn any_records_are_read_as_they_were_written(
        values in prop::collection::vec((any_json(), any::<bool>()), 0..6),
        next in any_json(),
        pretty in any::<bool>(),
    ) {
        let body = page(&values, &next);
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let rows = parse(&json_plan(), &text);
        let kept: Vec<&Value> = values.iter().filter(|(_, skip)| !skip).map(|(value, _)| value).collect();
        prop_assert_eq!(rows.records, values.len() as u64);
        prop_assert_eq!(rows.filtered, (values.len() - kept.len()) as u64);
        prop_assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
        let read = column(&rows, "v");
        prop_assert_eq!(read.len(), kept.len());
        for (read, value) in read.iter().zip(kept) {
            let read = if read == "-" { Value::Null } else { serde_json::from_str(read).unwrap() };
            prop_assert_eq!(&read, value);
        }
        prop_assert_eq!(&rows.envelope[1], &Some(json!(values.len())));
        let same = match (&rows.envelope[0], &next) {
            (Some(Value::String(text)), Value::Number(number)) => text.parse::<f64>().unwrap() == number.as_f64().unwrap(),
            (found, next) => found.as_ref() == Some(next),
        };
        prop_assert!(same, "{:?} {}", rows.envelope[0], next);
    }

    #[test]
    fn a_body_that_was_cut_is_never_taken_for_a_whole_one(values in prop::collection::vec((any_json(), any::<bool>()), 0..4), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string(&page(&values, &json!("t"))).unwrap();
        let cut = cut.index(text.len());
        let result = parse_json(&json_plan(), &context(), &text.as_bytes()[..cut]);
        prop_assert!(matches!(result, Err(Error::Page(PageError::Unreadable { .. }))), "{result:?}");
    }

    #[test]
    fn any_bytes_are_rows_or_an_error(body in prop::collection::vec(any::<u8>(), 0..200), lines in any::<bool>()) {
        let mut body = body;
        if lines {
            body.insert(0, b'{');
        }
        for plan in plans() {
            drop(all(&plan, &body));
        }
        drop(parse_json(&json_plan(), &context(), &body));
    }

    #[test]
    fn any_change_of_a_sound_body_is_rows_or_an_error(
        values in prop::collection::vec((any_json(), any::<bool>()), 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut body = serde_json::to_vec(&page(&values, &json!({"a": [1]}))).unwrap();
        for (at, byte, how) in changes {
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
        }
        let sound = serde_json::from_slice::<Value>(&body);
        match parse_json(&json_plan(), &context(), &body) {
            Ok(rows) => prop_assert_eq!(rows.records, rows.filtered + rows.rejected.len() as u64 + rows.batch.num_rows() as u64),
            Err(error) => prop_assert!(
                matches!(error, Error::Page(PageError::NoRecords { .. })) || sound.is_err(),
                "{} {}", error, String::from_utf8_lossy(&body)
            ),
        }
        for plan in plans() {
            for rows in all(&plan, &body).into_iter().flatten() {
                prop_assert_eq!(rows.records, rows.filtered + rows.rejected.len() as u64 + rows.batch.num_rows() as u64);
            }
        }
    }
}

fn plans() -> [Plan; 3] {
    ["response: jsonl", "response: {csv: {}}", "response: zip_jsonl"].map(formatted)
}

/// All chunks of a body.
fn all(plan: &Plan, body: &[u8]) -> Result<Vec<PageRows>, Error> {
    let mut rows = Vec::new();
    crate::page::stream::parse(&plan.0, &context(), std::io::Cursor::new(body), &plan.1, &mut |chunk| {
        rows.push(chunk);
        true
    })?;
    Ok(rows)
}
