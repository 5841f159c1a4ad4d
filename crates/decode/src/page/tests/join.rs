use super::*;
use bytes::Bytes;

fn chunked(below: &str) -> PagePlan {
    let yaml = format!(
        "columns:\n  id: {{type: string}}\n  a: {{type: string, from: properties.a}}\n  b: {{type: string, from: properties.b}}\n  c: {{type: string, from: properties.c}}\nprimary_key: [id]\nreads:\n  - name: e\n    endpoint: {{path: /x}}\n    records: {{path: results, property_chunks: {{max_chars: 10, key: id{below}}}}}\n"
    );
    plan_with(&yaml, &["paging.next.after"])
}

fn join(plan: &PagePlan, bodies: &[&str]) -> Result<PageRows, Error> {
    let bodies: Vec<Bytes> = bodies.iter().map(|body| Bytes::from((*body).to_owned())).collect();
    find_records(plan, &context(), join_chunks(plan, &bodies)?)?.rows(plan, &context())
}

#[test]
fn answers_for_groups_of_fields_become_one() {
    let rows = join(&chunked(", below: properties"), &[
        r#"{"results": [{"id": "1", "properties": {"a": "a1", "id": "1"}}, {"properties": {}, "id": "2"}], "paging": {"next": {"after": "x"}}}"#,
        r#"{"results": [{"id": "2", "properties": { "b": "b2" }, "x": 1}, {"id": "1", "properties": {"b": "b1"}}]}"#,
        r#"{"results": [{"id": "1", "properties": {"c": "c\"1"}}, {"id": "2", "properties": { }}]}"#,
    ])
    .unwrap();
    assert_eq!(
        (column(&rows, "a"), column(&rows, "b"), column(&rows, "c")),
        (vec!["a1".to_owned(), "-".to_owned()], vec!["b1".to_owned(), "b2".to_owned()], vec!["c\"1".to_owned(), "-".to_owned()])
    );
    assert_eq!(rows.envelope, [Some(json!("x"))]);
}

#[test]
fn fields_of_the_record_itself_are_joined() {
    let plan = plan("records: {path: d, property_chunks: {max_chars: 10, key: id}}");
    let rows = join(&plan, &[r#"{"d": [{"id": "1", "name": "x"}]}"#, r#"{"d": [{"id": "1", "n": 5}]}"#]).unwrap();
    assert_eq!((column(&rows, "name"), column(&rows, "n")), (vec!["x".to_owned()], vec!["5".to_owned()]));
}

#[test]
fn answers_that_hold_other_records_are_not_joined() {
    let plan = chunked(", below: properties");
    let one = r#"{"results": [{"id": "1", "properties": {"a": "x"}}, {"id": "2", "properties": {"a": "x"}}]}"#;
    for (other, reason) in [
        (r#"{"results": [{"id": "1", "properties": {}}]}"#, "the first has 2 records, number 2 has 1"),
        (r#"{"results": [{"id": "1", "properties": {}}, {"id": "3", "properties": {}}]}"#, "the record `2` is missing in one of them"),
        (r#"{"results": [{"id": "1", "properties": {}}, {"id": "1", "properties": {}}]}"#, "the record `1` is there twice"),
        (r#"{"results": [{"id": "1", "properties": {}}, {"id": "2"}]}"#, "has no key, or no object that holds the fields"),
        (r#"{"results": [{"id": "1", "properties": {}}, {"properties": {}}]}"#, "has no key, or no object that holds the fields"),
    ] {
        for bodies in [[one, other], [other, one]] {
            let error = join(&plan, &bodies).unwrap_err();
            assert!(matches!(error, Error::Page(PageError::GroupsDiffer { .. })), "{error}");
        }
        let error = join(&plan, &[one, other]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert!(matches!(join(&plan, &[one, "<html>"]), Err(Error::Page(PageError::Unreadable { .. }))));
    assert_eq!(join(&plan, &[one]).unwrap().records, 2);
}
