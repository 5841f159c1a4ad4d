use super::*;
use crate::codec::cells::Kind;
use proptest::prelude::*;

fn chunk(text: &str) -> Chunk {
    Chunk { text: text.as_bytes().to_vec(), file: 0, first_line: 1, offset: 0, too_long: false }
}

fn values(paths: &[&str], text: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let tree = Paths::new(paths.iter().copied());
    let chunk = chunk(text);
    let scanned = scan(&tree, &chunk);
    let rows = (0..scanned.records.len())
        .map(|row| {
            scanned
                .cells
                .iter()
                .map(|column| {
                    let cell = column[row];
                    format!("{:?} {}", cell.kind(), String::from_utf8_lossy(cell.bytes(&chunk.text)))
                })
                .collect()
        })
        .collect();
    let rejected = scanned.rejected.iter().map(|r| format!("{}: {}", r.line, r.detail)).collect();
    (rows, rejected)
}

#[test]
fn finds_nested_paths_in_any_order_and_skips_the_rest() {
    let (rows, rejected) = values(
        &["id", "properties.account.id", "properties", "items.1"],
        "{\"properties\": {\"x\": [1, {\"id\": 9}], \"account\": {\"id\": \"a\\u00e4\"}}, \"id\": 7, \"items\": [5, -1.5e3]}\n\n{\"id\": null}\r\n",
    );
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(
        rows,
        [
            vec![
                "Number 7".to_owned(),
                "Escaped a\\u00e4".to_owned(),
                "Composite {\"x\": [1, {\"id\": 9}], \"account\": {\"id\": \"a\\u00e4\"}}".to_owned(),
                "Number -1.5e3".to_owned(),
            ],
            vec!["Null null".to_owned(), "Missing ".to_owned(), "Missing ".to_owned(), "Missing ".to_owned()],
        ]
    );
}

#[test]
fn a_dot_inside_a_key_is_written_with_a_backslash() {
    let (rows, _) = values(&["a\\.b.c"], "{\"a.b\": {\"c\": true}}");
    assert_eq!(rows, [vec!["True true".to_owned()]]);
}

#[test]
fn says_what_is_wrong_with_a_broken_line_and_goes_on() {
    let (rows, rejected) = values(
        &["a"],
        "{\"a\": 1}\n{\"a\": 1\n[1]\n{\"a\": 01}\n{\"a\": \"x}\n{a: 1}\n{\"a\" 1}\n{\"a\": nul}\n{\"a\": 1} x\n{\"a\": \"\\q\"}\n{\"a\": 1,}\n{\"a\": 2}",
    );
    assert_eq!(rows.len(), 2);
    insta::assert_snapshot!(rejected.join("\n"), @r#"
    2: a comma or a closing brace is missing at the end of the line
    3: the line is no JSON object
    4: this is no JSON number at byte 9, near `}`
    5: a string is not closed at the end of the line
    6: a key in quotes is missing at byte 2, near `a: 1}`
    7: a colon is missing at byte 6, near `1}`
    8: this is no JSON value at byte 7, near `nul}`
    9: more text behind the value at byte 10, near `x`
    10: an escape is unknown at byte 8, near `\q"}`
    11: a key in quotes is missing at byte 9, near `}`
    "#);
}

#[test]
fn nesting_has_a_limit_instead_of_a_stack_overflow() {
    let (_, rejected) = values(&["a"], &"[".repeat(100_000));
    assert!(rejected[0].contains("nested too deep"), "{rejected:?}");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c.\"\\\\ä]{0,3}", inner, 0..4).prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_accepted_and_its_values_found(a in any_json(), b in any_json()) {
        let record = serde_json::json!({"skip": b, "a": a, "n": {"b": b}});
        let line = serde_json::to_string(&record).unwrap();
        let tree = Paths::new(["a", "n.b"].into_iter());
        let chunk = chunk(&line);
        let scanned = scan(&tree, &chunk);
        prop_assert!(scanned.rejected.is_empty(), "{:?}", scanned.rejected);
        for (column, value) in scanned.cells.iter().zip([a, b]) {
            let cell = column[0];
            let bytes = cell.bytes(&chunk.text);
            let found: serde_json::Value = match cell.kind() {
                Kind::Text | Kind::Escaped => unescape(bytes).unwrap().into(),
                _ => serde_json::from_slice(bytes).unwrap(),
            };
            prop_assert_eq!(found, value);
        }
    }

    #[test]
    fn what_serde_refuses_is_refused(line in "[{}\\[\\]\",:\\\\a0-9.eE+\\- tfn]{0,24}") {
        let sound = serde_json::from_str::<serde_json::Value>(&line);
        let scanned = scan(&Paths::new(["a"].into_iter()), &chunk(&line));
        let blank = line.trim().is_empty();
        match sound {
            Ok(serde_json::Value::Object(_)) => prop_assert_eq!(scanned.records.len(), 1),
            _ if blank => prop_assert!(scanned.records.is_empty() && scanned.rejected.is_empty()),
            _ => prop_assert_eq!(scanned.rejected.len(), 1),
        }
    }

    #[test]
    fn any_bytes_are_an_answer(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let lines = text.split(|b| *b == b'\n').filter(|l| l.iter().any(|b| !is_blank(*b))).count();
        let chunk = Chunk { text, file: 0, first_line: 1, offset: 0, too_long: false };
        let scanned = scan(&Paths::new(["a"].into_iter()), &chunk);
        prop_assert_eq!(scanned.records.len() + scanned.rejected.len(), lines);
    }
}
