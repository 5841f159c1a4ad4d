use super::*;
use cscopilot_diag::Diagnostics;

fn model(text: &str) -> Result<Loaded<SqlModel>, Diagnostic> {
    SqlModel::parse("sql/staging/users.sql", Arc::from(text), None)
}

fn errors(text: &str) -> String {
    let mut out = Diagnostics::new();
    match model(text) {
        Ok(model) => model.validate(&mut out),
        Err(error) => out.push(error),
    }
    out.to_string()
}

#[test]
fn a_file_without_header_is_a_table() {
    let model = model("SELECT 1 AS one").unwrap();
    assert_eq!(model.name, "staging.users");
    assert_eq!(*model.value.header.materialized, Materialization::Table);
}

#[test]
fn header_values_know_their_line_in_the_sql_file() {
    let text = "/*---\nmaterialized: incremental\non: raw.crm__users\nunique_key: [user_id]\nchecks:\n  - not_null: [user_id]\n  - \
                unique: {columns: [user_id], severity: warn}\n---*/\nSELECT 1 AS user_id";
    let model = model(text).unwrap();
    let header = &model.value.header;
    assert_eq!((header.on.as_ref().unwrap().line, header.on.as_ref().unwrap().column), (3, 5));
    assert_eq!(header.checks[1].line, 7);
    assert_eq!(header.checks[1].columns()[0].line, 7);
    assert_eq!(header.checks[1].severity(), CheckSeverity::Warn);
    assert_eq!(header.checks[0].label(), "not_null(user_id)");
}

#[test]
fn every_kind_of_check_parses() {
    let text = "/*---\nchecks:\n  - not_null: [a]\n  - unique: [a, b]\n  - accepted_values: {column: a, values: [x, 1, 2.5, true], severity: warn}\n  - \
                range: {column: b, min: 0, max: 10}\n  - range: {column: d, min: 2020-01-01}\n  - relationship: {column: a, to: identity.accounts.account_id}\n  - \
                freshness: {column: d, max_age_days: 3}\n  - row_count: {min: 1}\n  - expression: {name: a_is_b, sql: \"a = b\"}\n---*/\nSELECT 1";
    let model = model(text).unwrap();
    let labels: Vec<String> = model.value.header.checks.iter().map(|c| c.label()).collect();
    insta::assert_snapshot!(labels.join("\n"), @r"
    not_null(a)
    unique(a, b)
    accepted_values(a)
    range(b)
    range(d)
    relationship(a to identity.accounts.account_id)
    freshness(d)
    row_count
    a_is_b
    ");
    assert_eq!(errors(text), "");
}

#[test]
fn a_sibling_yaml_may_hold_the_header() {
    let sibling = Sibling { path: "sql/staging/users.yaml".into(), text: Arc::from("version: 1\nmaterialized: view\n") };
    let model = SqlModel::parse("sql/staging/users.sql.j2", Arc::from("SELECT 1"), Some(sibling)).unwrap();
    assert!(model.value.template);
    assert_eq!(*model.value.header.materialized, Materialization::View);
    assert_eq!(model.header_place(&model.value.header.materialized).to_string(), "sql/staging/users.yaml:2:15");
}

#[test]
fn paths_that_name_no_table_are_refused() {
    for path in ["sql/users.sql", "sql/a/b/users.sql", "sql/staging/My-Users.sql", "sql/raw/users.sql", "sql/staging/users.txt"] {
        let error = SqlModel::parse(path, Arc::from("SELECT 1"), None).unwrap_err();
        assert_eq!(error.code, "SQL001", "{path}");
    }
}

#[test]
fn broken_headers_are_shown_in_place() {
    insta::assert_snapshot!("header_unclosed", errors("/*---\nmaterialized: table\nSELECT 1"));
    insta::assert_snapshot!("header_unknown_field", errors("\n/*---\ndescription: Users.\nmaterialised: table\n---*/\nSELECT 1"));
    insta::assert_snapshot!("header_unknown_check", errors("/*---\nchecks:\n  - non_null: [a]\n---*/\nSELECT 1"));
    insta::assert_snapshot!("header_incremental_without_driver", errors("/*---\nmaterialized: incremental\n---*/\nSELECT 1"));
    insta::assert_snapshot!(
        "header_two_ways",
        errors("/*---\nmaterialized: incremental\non: a.b\npartition_by: [x]\nunique_key: [y]\n---*/\nSELECT 1")
    );
    insta::assert_snapshot!(
        "header_view_with_keys",
        errors("/*---\nmaterialized: view\non: a.b\nunique_key: [x]\npartition_by: [y]\nlookback: 2\n---*/\nSELECT 1")
    );
    insta::assert_snapshot!(
        "header_empty_checks",
        errors(
            "/*---\nchecks:\n  - not_null: []\n  - range: {column: a}\n  - range: {column: a, min: 5, max: 1}\n  - row_count: {}\n  - relationship: {column: a, to: accounts}\n---*/\nSELECT 1"
        )
    );
}

#[test]
fn two_headers_are_one_too_many() {
    let sibling = Sibling { path: "sql/staging/users.yaml".into(), text: Arc::from("version: 1\n") };
    let error = SqlModel::parse("sql/staging/users.sql", Arc::from("/*---\ndescription: x\n---*/\nSELECT 1"), Some(sibling)).unwrap_err();
    assert_eq!(error.code, "SQL003");
}

#[test]
fn the_query_keeps_its_lines_without_the_header() {
    let model = model("/*---\ndescription: 'files /* of {{ all }}'\n---*/ SELECT 1\nFROM x").unwrap();
    assert_eq!(model.sql(), format!("     \n{}\n      SELECT 1\nFROM x", " ".repeat(36)));
}
