use super::*;
use crate::error::Error;
use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use cscopilot_spec::connector::{ConnectorStream, Drift, ResponseFormat};
use cscopilot_spec::source::Ordered;
use serde_json::json;
use std::sync::Arc;

mod any;
mod join;
mod stream;

/// The plan of a stream's first read, with some paths of the envelope.
fn plan_with(yaml: &str, envelope: &[&str]) -> PagePlan {
    let text: Arc<str> = Arc::from(yaml);
    let stream: ConnectorStream = cscopilot_spec::parse("c.yaml", &text, yaml, 0).unwrap_or_else(|e| panic!("{e}"));
    let read = &stream.reads[0];
    let envelope: Vec<String> = envelope.iter().map(|p| (*p).to_owned()).collect();
    PagePlan::new(&stream, &Ordered::default(), stream.drift, read, &read.response, &envelope).unwrap()
}

/// A plan and its format, for bodies that are streamed.
struct Plan(PagePlan, ResponseFormat);

impl Plan {
    fn of(yaml: &str) -> Self {
        let text: Arc<str> = Arc::from(yaml);
        let stream: ConnectorStream = cscopilot_spec::parse("c.yaml", &text, yaml, 0).unwrap_or_else(|e| panic!("{e}"));
        Self(plan_with(yaml, &[]), stream.reads[0].response.clone())
    }
}

fn formatted(read: &str) -> Plan {
    Plan::of(&yaml("", read))
}

/// A plan with the columns `id`, `name` and `n`, and more of the read.
fn plan(read: &str) -> PagePlan {
    plan_with(&yaml("", read), &[])
}

fn yaml(stream: &str, read: &str) -> String {
    format!(
        "columns:\n  id: {{type: string}}\n  name: {{type: string}}\n  n: {{type: int}}\nprimary_key: [id]\n{stream}\nreads:\n  - name: all\n    endpoint: {{path: /x}}\n    {read}\n"
    )
}

fn context() -> PageContext {
    PageContext { added: Vec::new(), file: "GET /x".to_owned(), batch: "b1".to_owned(), extracted_at_micros: 5, deletes: false }
}

fn parse_json(plan: &PagePlan, ctx: &PageContext, body: &[u8]) -> crate::error::Result<PageRows> {
    find_records(plan, ctx, bytes::Bytes::copy_from_slice(body))?.rows(plan, ctx)
}

fn parse(plan: &PagePlan, body: &str) -> PageRows {
    parse_json(plan, &context(), body.as_bytes()).unwrap_or_else(|e| panic!("{e}: {body}"))
}

fn error_of(plan: &PagePlan, body: &[u8]) -> PageError {
    match parse_json(plan, &context(), body) {
        Err(Error::Page(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// A column's values as text; `-` is NULL.
fn column(rows: &PageRows, name: &str) -> Vec<String> {
    let array = rows.batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    (0..array.len()).map(|row| if array.is_null(row) { "-".to_owned() } else { array_value_to_string(array, row).unwrap() }).collect()
}

fn reasons(rows: &PageRows) -> Vec<String> {
    rows.rejected.iter().map(|r| format!("{} {}: {}", r.line, r.reason.as_str(), r.detail)).collect()
}

#[test]
fn finds_the_envelope_before_behind_and_around_the_records() {
    let plan = plan_with(
        &yaml("", "records: {path: data.items}"),
        &["data", "paging.next.after", "total", "data.more", "none", "data.items.1.id"],
    );
    let body = r#" {"total": 2, "data": {"items": [{"id": "a", "name": "x\u00e4", "n": 1}, {"n": 2, "id": "b"}], "more": true},
        "paging": {"next": {"after": "10\/0"}}} "#;
    let rows = parse(&plan, body);
    assert_eq!(
        (column(&rows, "id"), column(&rows, "name"), column(&rows, "n")),
        (vec!["a".to_owned(), "b".to_owned()], vec!["xä".to_owned(), "-".to_owned()], vec!["1".to_owned(), "2".to_owned()])
    );
    assert_eq!((rows.records, rows.filtered, rows.rejected.len()), (2, 0, 0));
    assert_eq!(rows.envelope[1..], [Some(json!("10/0")), Some(json!(2)), Some(json!(true)), None, Some(json!("b"))]);
    assert_eq!(rows.envelope[0].as_ref().unwrap()["items"][1]["id"], "b");
}

#[test]
fn rows_carry_the_columns_of_the_log() {
    let rows = parse(&plan("records: {path: data}"), r#"{"data": [{"id": "a"}, {"id": "b"}]}"#);
    assert_eq!(column(&rows, "_line"), ["1", "2"]);
    assert_eq!(column(&rows, "_op"), ["upsert", "upsert"]);
    assert_eq!((column(&rows, "_file")[0].as_str(), column(&rows, "_batch")[1].as_str()), ("GET /x", "b1"));
    let names: Vec<&str> = rows.batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["id", "name", "n", "_extracted_at", "_op", "_batch", "_file", "_line"]);
}

#[test]
fn tokens_and_numbers_keep_all_their_digits() {
    let yaml = "columns:\n  id: {type: string}\n  money: {type: 'decimal(38,10)'}\nprimary_key: [id]\nreads:\n  - {name: a, endpoint: {path: /x}, records: {path: data}}\n";
    let plan = plan_with(yaml, &["token", "big", "odd"]);
    let rows = parse(
        &plan,
        r#"{"data": [{"id": 9007199254740993, "money": 1234567890123456789012345678.0123456789}], "token": "[\"1\",\"2\"]", "big": 18446744073709551615, "odd": 1.10}"#,
    );
    assert_eq!(column(&rows, "money"), ["1234567890123456789012345678.0123456789"]);
    assert_eq!(column(&rows, "id"), ["9007199254740993"]);
    assert_eq!(rows.envelope, [Some(json!("[\"1\",\"2\"]")), Some(json!(u64::MAX)), Some(json!("1.10"))]);
}

#[test]
fn unwraps_events_and_tells_deletions() {
    let yaml = "columns:\n  id: {type: string}\n  name: {type: string, not_null: true}\n  changed_at: {type: timestamp, from: $.created, format: unix_secs}\nprimary_key: [id]\nreads:\n  - name: e\n    endpoint: {path: /events}\n    records: {path: data, unwrap: data.object, filter: [{path: type, contains: customer.}]}\n    delete_when: {path: type, ends_with: .deleted}\n";
    let rows = parse(
        &plan_with(yaml, &[]),
        r#"{"data": [
            {"type": "customer.updated", "created": 1, "data": {"object": {"id": "a", "name": "A"}}},
            {"type": "customer.deleted", "created": 2, "data": {"object": {"id": "b"}}},
            {"type": "invoice.paid", "created": 3, "data": {"object": {"id": "c"}}},
            {"type": "customer.updated", "created": 4, "data": {"object": {"id": "d"}}},
            {"type": "customer.updated", "created": 5, "data": {"object": null}},
            {"type": "customer.deleted", "created": 6, "data": {"object": {"name": "x"}}}]}"#,
    );
    assert_eq!(
        (column(&rows, "id"), column(&rows, "_op")),
        (vec!["a".to_owned(), "b".to_owned()], vec!["upsert".to_owned(), "delete".to_owned()])
    );
    assert_eq!(column(&rows, "changed_at"), ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"]);
    assert_eq!((rows.records, rows.filtered), (6, 1));
    assert_eq!(
        reasons(&rows),
        [
            "4 missing_value: `name` has no value",
            "5 not_an_object: there is no object at `data.object`",
            "6 missing_value: `id` has no value"
        ]
    );
}

#[test]
fn the_engine_or_the_read_can_say_that_all_are_deletions() {
    let page = r#"{"data": [{"id": "a"}]}"#;
    assert_eq!(column(&parse(&plan("records: {path: data}\n    deletes: true"), page), "_op"), ["delete"]);
    let ctx = PageContext { deletes: true, ..context() };
    let rows = parse_json(&plan("records: {path: data}"), &ctx, page.as_bytes()).unwrap();
    assert_eq!(column(&rows, "_op"), ["delete"]);
}

#[test]
fn explodes_lists_and_keeps_what_stands_above_them() {
    let yaml = "columns:\n  ticket: {type: int, from: $.id}\n  id: {type: string}\n  kind: {type: string, from: type}\nprimary_key: [id]\ndrift: evolve\nreads:\n  - name: e\n    endpoint: {path: /events}\n    records: {path: list, explode: events, unwrap: event}\n";
    let rows = parse(
        &plan_with(yaml, &[]),
        r#"{"list": [{"id": 1, "x": 1, "events": [{"event": {"id": "a", "type": "t", "new": [1, 2]}}, {"event": {"id": "b"}}, 5]},
            {"id": 2, "events": []}, {"id": 3}, {"id": 4, "events": {"a": 1}}, {"events": [{"event": {"id": "c"}}], "id": 5}]}"#,
    );
    assert_eq!(
        (column(&rows, "ticket"), column(&rows, "id"), column(&rows, "kind"), column(&rows, "new")),
        (
            ["1", "1", "5"].map(str::to_owned).to_vec(),
            ["a", "b", "c"].map(str::to_owned).to_vec(),
            ["t", "-", "-"].map(str::to_owned).to_vec(),
            ["[1, 2]", "-", "-"].map(str::to_owned).to_vec()
        )
    );
    assert_eq!(rows.records, 5);
    assert_eq!(reasons(&rows), ["1 not_an_object: the element is no object but `5`", "4 bad_value: `{\"a\": 1}` at `events` is no list"]);
}

#[test]
fn bodies_may_be_the_list_or_the_record() {
    let whole = plan_with(&yaml("", ""), &["id", "0.id"]);
    let rows = parse(&whole, r#"[{"id": "a"}, {"id": "b"}]"#);
    assert_eq!((column(&rows, "id").len(), &rows.envelope), (2, &vec![None, Some(json!("a"))]));
    let rows = parse(&whole, r#"{"id": "a"}"#);
    assert_eq!((column(&rows, "id").len(), &rows.envelope), (1, &vec![Some(json!("a")), None]));
    assert_eq!(column(&parse(&plan("records: {path: t, single: true}"), r#"{"t": {"id": "a"}}"#), "id"), ["a"]);
    assert_eq!(parse(&plan("records: {path: t.0.list}"), r#"{"t": [{"list": [{"id": "a"}]}, {"list": 1}]}"#).records, 1);
}

#[test]
fn records_that_are_not_where_they_should_be_are_an_error() {
    let found = |plan: &PagePlan, body: &str| match error_of(plan, body.as_bytes()) {
        PageError::NoRecords { found, .. } => found,
        other => panic!("{other}"),
    };
    let list = plan("records: {path: data.list}");
    assert_eq!(found(&list, r#"{"error": "no"}"#), "nothing");
    assert_eq!(found(&list, r#"{"data": 5}"#), "nothing");
    assert_eq!(found(&list, "[]"), "nothing");
    assert_eq!(found(&list, r#"{"data": {"list": {}}}"#), "an object, not a list");
    assert_eq!(found(&list, r#"{"data": {"list": 5}}"#), "neither a list nor an object");
    assert_eq!(found(&plan("records: {path: data, single: true}"), r#"{"data": []}"#), "a list, not one record");
    assert_eq!(found(&plan(""), "null"), "null");
    assert_eq!(parse(&list, r#"{"data": {"list": null}}"#).records, 0);
    assert_eq!(parse(&list, r#"{"data": {"list": []}}"#).batch.num_rows(), 0);
}

#[test]
fn bodies_that_are_no_json_are_named_errors() {
    let plan = plan("records: {path: data}");
    for (body, reason) in [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("<html><body>502</body></html>", "this is no JSON value at byte 1, near `<html><body>502</body></html>`"),
        ("Rate limit", "this is no JSON value at byte 1, near `Rate limit`"),
        (r#"{"data": [{"id": "a"}"#, "a comma or a closing bracket is missing at its end"),
        (r#"{"data": [{"id": "a"}]} x"#, "more text behind the value at byte 25, near `x`"),
        (r#"{"data":"#, "it ends too early"),
    ] {
        let error = error_of(&plan, body.as_bytes());
        assert_eq!(error.to_string(), format!("the answer to GET /x is no JSON: {reason}"));
    }
}

#[test]
fn odd_records_are_rejected_with_their_place() {
    let rows = parse(&plan("records: {path: data}"), r#"{"data": [1, {"id": "a", "n": "x"}, {"n": 1}, {"id": "b"}, {"id": {"x": 1}}]}"#);
    assert_eq!(column(&rows, "id"), ["b"]);
    assert_eq!(
        reasons(&rows),
        [
            "1 not_an_object: the record is no object but `1`",
            "2 bad_value: `x` is no whole number (int)",
            "3 missing_value: `id` has no value",
            "5 bad_value: `{\"x\": 1}` is an object or a list; declare the column as json to keep it (string)"
        ]
    );
    assert_eq!(rows.rejected[1].raw, r#"{"id": "a", "n": "x"}"#);
    assert_eq!(rows.records, 5);
}

#[test]
fn text_that_is_no_utf8_is_rejected_row_by_row() {
    let rows = parse_json(&plan("records: {path: data}"), &context(), b"{\"data\": [{\"id\": \"a\xff\"}, {\"id\": \"b\"}]}").unwrap();
    assert_eq!((column(&rows, "id"), reasons(&rows)[0].starts_with("1 invalid_encoding")), (vec!["b".to_owned()], true));
}

const DRIFTING: &str =
    r#"{"data": [{"id": "a", "n": 1, "$new": 1, "id ": null}, {"$new": "é\n", "id": "b"}, {"id": "c", "_line": {"x": [1]}}]}"#;

fn drifting(drift: Drift) -> PagePlan {
    let drift = serde_json::to_value(drift).unwrap();
    plan_with(&yaml(&format!("drift: {}", drift.as_str().unwrap()), "records: {path: data}"), &[])
}

#[test]
fn evolve_gives_new_fields_columns_of_text() {
    let rows = parse(&drifting(Drift::Evolve), DRIFTING);
    let names: Vec<&str> = rows.batch.schema_ref().fields().iter().skip(8).map(|f| f.name().as_str()).collect();
    // Signs that tables don't allow, and names that are taken, are told apart by a hash.
    assert_eq!(names.len(), 3);
    assert!(names[0].starts_with("_line_") && names[1].starts_with("_new_") && names[2].starts_with("id__"), "{names:?}");
    assert_eq!(
        (column(&rows, names[1]), column(&rows, names[0]), column(&rows, names[2])),
        (
            ["1", "é\n", "-"].map(str::to_owned).to_vec(),
            ["-", "-", "{\"x\": [1]}"].map(str::to_owned).to_vec(),
            ["-", "-", "-"].map(str::to_owned).to_vec()
        )
    );
    assert_eq!(rows.unknown_fields.iter().collect::<Vec<_>>(), ["$new", "_line", "id "]);
}

#[test]
fn other_policies_leave_out_reject_or_stop() {
    let rows = parse(&drifting(Drift::DiscardValue), DRIFTING);
    assert_eq!((rows.batch.num_columns(), rows.batch.num_rows(), rows.unknown_fields.len()), (8, 3, 3));
    let page = r#"{"data": [{"id": "a", "x": 1, "y": null}, {"id": "b"}]}"#;
    let rows = parse(&drifting(Drift::DiscardRow), page);
    assert_eq!((column(&rows, "id"), reasons(&rows)), (vec!["b".to_owned()], vec!["1 unknown_field: no column reads `x`, `y`".to_owned()]));
    let error = error_of(&drifting(Drift::Freeze), page.as_bytes());
    assert_eq!(error.to_string(), "the answer to GET /x has fields that no column reads: `x`, `y`");
}

#[test]
fn fields_that_any_path_passes_through_are_known() {
    let yaml = "columns:\n  id: {type: string}\n  email: {type: string, from: properties.email}\nprimary_key: [id]\ndrift: freeze\nreads:\n  - name: e\n    endpoint: {path: /x}\n    records: {filter: [{path: archived, equals: false}]}\n    delete_when: {path: state, equals: gone}\n";
    let rows = parse(&plan_with(yaml, &[]), r#"[{"id": 1, "properties": {"email": "e", "other": 1}, "archived": false, "state": "here"}]"#);
    assert_eq!((column(&rows, "email"), rows.unknown_fields.len()), (vec!["e".to_owned()], 0));
}

#[test]
fn values_of_the_request_fill_columns() {
    let read = "records: {path: data, add: {parent: {type: int, value: '{{ parent.id }}'}, name: {type: string, value: x}}}";
    let plan = plan_with(&yaml("", read), &[]);
    let ctx = |parent: Option<&str>| PageContext { added: vec![parent.map(str::to_owned), Some("a\\n".to_owned())], ..context() };
    let page = br#"{"data": [{"id": "a", "name": "theirs"}, {"id": "b"}]}"#;
    let rows = parse_json(&plan, &ctx(Some("7")), page).unwrap();
    assert_eq!((column(&rows, "parent"), column(&rows, "name")), (vec!["7".to_owned(); 2], vec!["a\\n".to_owned(); 2]));
    assert_eq!(column(&parse_json(&plan, &ctx(None), page).unwrap(), "parent"), ["-", "-"]);
    let error = parse_json(&plan, &ctx(Some("x")), page).unwrap_err();
    assert_eq!(error.to_string(), "the value of the added column `parent` can't be used: `x` is no whole number (int)");
    assert_eq!(parse_json(&plan, &ctx(Some("x")), br#"{"data": []}"#).unwrap().batch.num_rows(), 0);
}

#[test]
fn the_last_records_id_is_told_even_if_it_was_filtered_out() {
    let read = "records: {path: data, filter: [{path: n, equals: 1}]}\n    paginator: {last_id: {param: after, id: name, stop_when: {path: more, equals: false}}}";
    let rows = parse(&plan(read), r#"{"data": [{"id": "a", "n": 1, "name": "x"}, {"id": "b", "n": 2, "name": "\u0079"}]}"#);
    assert_eq!((column(&rows, "id"), rows.last_id.as_deref()), (vec!["a".to_owned()], Some("y")));
    let restart = "records: {path: data}\n    paginator: {cursor: {path: next, place: {param: after}, restart: {records: 10, key: n}}}";
    assert_eq!(parse(&plan(restart), r#"{"data": [{"id": "a", "n": 1}]}"#).last_id.as_deref(), Some("1"));
    assert_eq!(parse(&plan(restart), r#"{"data": []}"#).last_id, None);
}

#[test]
fn keys_in_any_order_and_number_are_found() {
    let plan = plan("records: {path: data}");
    let records =
        ["{\"id\":\"1\",\"name\":\"a\",\"n\":1}", "{\"n\":2,\"id\":\"2\"}", "{\"name\":\"c\",\"x\":{\"id\":9},\"n\":3,\"\\u0069d\":\"3\"}"];
    let body: Vec<&str> = (0..300).map(|n| records[n % 7 % 3]).collect();
    let rows = parse(&plan, &format!("{{\"data\":[{}]}}", body.join(",")));
    let expected: Vec<String> = (0..300).map(|n| (n % 7 % 3 + 1).to_string()).collect();
    assert_eq!((column(&rows, "id"), column(&rows, "n")), (expected.clone(), expected));
    // Objects used as maps have other keys each time.
    let body: Vec<String> = (0..2000).map(|n| format!("{{\"k{n}\":{n},\"id\":\"{n}\"}}")).collect();
    let rows = parse(&plan, &format!("{{\"data\":[{}]}}", body.join(",")));
    assert_eq!((column(&rows, "id")[1999].as_str(), rows.unknown_fields.len()), ("1999", 2000));
}
