use super::*;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::{Cursor, Write};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn all(plan: &Plan, body: &[u8]) -> Result<Vec<PageRows>, Error> {
    let mut rows = Vec::new();
    crate::page::stream::parse(&plan.0, &context(), Cursor::new(body), &plan.1, &mut |chunk| {
        rows.push(chunk);
        true
    })?;
    Ok(rows)
}

/// The same, for bodies of one chunk.
fn one(plan: &Plan, body: &[u8]) -> PageRows {
    let mut rows = all(plan, body).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn unreadable(plan: &Plan, body: &[u8]) -> String {
    match all(plan, body) {
        Err(Error::Page(PageError::Unreadable { form, reason, .. })) => format!("{form}: {reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn joins_a_record_that_stands_on_two_lines() {
    let plan = formatted("response: jsonl");
    let rows = one(&plan, b"{\"id\":\"a\"}\n{\"id\":\"b\",\"name\":\"x\n y\",\"n\":2}\r\n\n{\"id\":\"c\"}\n{oops\n{\"id\":\"d\"}\n{\"id\":\"e\"\n,\"n\":\"x\"}");
    assert_eq!(
        (column(&rows, "id"), column(&rows, "name")),
        (["a", "b", "c", "d"].map(str::to_owned).to_vec(), ["-", "x y", "-", "-"].map(str::to_owned).to_vec())
    );
    assert_eq!((rows.records, column(&rows, "_line")), (6, ["1", "2", "5", "7"].map(str::to_owned).to_vec()));
    assert_eq!(
        reasons(&rows),
        ["6 broken_json: a key in quotes is missing at byte 2, near `oops`", "8 bad_value: `x` is no whole number (int)"]
    );
    assert_eq!((rows.rejected[1].raw.as_str(), rows.rejected[1].byte), ("{\"id\":\"e\",\"n\":\"x\"}", 72));
}

#[test]
fn a_broken_end_is_an_error_and_a_broken_line_is_not() {
    let plan = formatted("response: jsonl");
    assert_eq!(
        unreadable(&plan, b"{\"id\":\"a\"}\n{\"id\":\"b\",\"na"),
        "JSON Lines: it ends in the middle of a record (line 2, near `{\"id\":\"b\",\"na`)"
    );
    let chunks = all(&plan, b"{\"id\":\"a\"}\nterminated early\n").unwrap();
    let broken: Vec<String> = chunks.iter().flat_map(reasons).collect();
    assert_eq!(broken, ["2 broken_json: this is no JSON value at byte 1, near `terminated early`"]);
    assert_eq!(unreadable(&plan, b"\n<html>\n"), "JSON Lines: it begins with `<html> `");
    assert!(all(&plan, b"").unwrap().is_empty());
    assert!(one(&plan, b"\n").records == 0);
}

#[test]
fn gzip_is_recognised_and_its_end_must_be_there() {
    let text = b"\xef\xbb\xbf{\"id\":\"a\"}\n{\"id\":\"b\"}\n".to_vec();
    let lines = formatted("response: jsonl");
    assert_eq!(column(&one(&lines, &gzip(&text)), "id"), ["a", "b"]);
    assert_eq!(column(&one(&lines, &text), "id"), ["a", "b"]);
    let long: Vec<u8> = (0..5000).flat_map(|n| format!("{{\"id\":\"{}\"}}\n", n * 7919 % 5003).into_bytes()).collect();
    let zipped = gzip(&long);
    for cut in [zipped.len() - 1, zipped.len() / 2, 15] {
        let error = all(&lines, &zipped[..cut]).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. } | Error::Page(PageError::Unreadable { .. })), "{error}");
    }
    let page = br#"{"data": [{"id": "a"}]}"#;
    let json = formatted("records: {path: data}");
    assert_eq!(parse_json(&json.0, &context(), &gzip(page)).unwrap().records, 1);
    assert_eq!(one(&json, &gzip(page)).records, 1);
    assert!(matches!(error_of(&json.0, &gzip(page)[..20]), PageError::Unreadable { .. }));
}

#[test]
fn archives_hold_files_that_are_packed_or_not() {
    let plan = formatted("response: zip_jsonl");
    let body = zip(&[
        ("1/a.json.gz", gzip(b"{\"id\":\"a\"}\n{\"id\":\"b\"}\n")),
        ("1/", Vec::new()),
        ("1/b.json", b"{\"id\":\"c\"}".to_vec()),
        ("empty", Vec::new()),
    ]);
    let rows = all(&plan, &body).unwrap();
    let ids: Vec<String> = rows.iter().flat_map(|rows| column(rows, "id")).collect();
    let files: Vec<String> = rows.iter().flat_map(|rows| column(rows, "_file")).collect();
    assert_eq!((ids.join(""), files.join(" ")), ("abc".to_owned(), "GET /x 1/a.json.gz GET /x 1/a.json.gz GET /x 1/b.json".to_owned()));
    assert_eq!(rows[1].file, "GET /x 1/b.json");
    for cut in [0, 10, body.len() / 2, body.len() - 1] {
        assert!(unreadable(&plan, &body[..cut]).starts_with("zip archive: "));
    }
    let mut damaged = zip(&[("a", b"{\"id\":\"a\"}\n".repeat(500))]);
    damaged[60] ^= 0x55;
    assert!(all(&plan, &damaged).is_err());
}

#[test]
fn emitting_stops_when_nobody_wants_more() {
    let body = zip(&[("a", b"{\"id\":\"a\"}\n".to_vec()), ("b", b"{\"id\":\"b\"}\n".to_vec())]);
    let mut chunks = 0;
    let plan = formatted("response: zip_jsonl");
    crate::page::stream::parse(&plan.0, &context(), Cursor::new(body), &plan.1, &mut |_| {
        chunks += 1;
        false
    })
    .unwrap();
    assert_eq!(chunks, 1);
}

#[test]
fn tables_are_read_by_their_header() {
    let yaml = "columns:\n  id: {type: string, from: Id}\n  owner: {type: string, from: Owner.Name}\n  n: {type: int, from: N, optional: true}\n  at: {type: timestamp, from: At}\nprimary_key: [id]\ndrift: evolve\nreads:\n  - name: bulk\n    endpoint: {path: /x}\n    response: {csv: {}}\n    records: {path: records, unwrap: x, filter: [{path: Kind, present: false}]}\n    delete_when: {path: IsDeleted, equals: true}\n";
    let plan = Plan::of(yaml);
    let body = "Id,IsDeleted,\"Owner.Name\",At,Kind,New\n1,false,NA,2024-01-31T12:00:00.000Z,,\n2,true,\"a\n\"\"b\"\"\",,,x\n3,false,,bad,,\n4,false,,,y,\n\u{0}\u{0}5,false,z\u{0}z,,,\n6,false\n";
    let rows = one(&plan, body.as_bytes());
    assert_eq!(
        (column(&rows, "id"), column(&rows, "owner"), column(&rows, "_op")),
        (
            ["1", "2", "5"].map(str::to_owned).to_vec(),
            ["NA", "a\n\"b\"", "zz"].map(str::to_owned).to_vec(),
            ["upsert", "delete", "upsert"].map(str::to_owned).to_vec()
        )
    );
    assert_eq!(
        (column(&rows, "n"), column(&rows, "New"), column(&rows, "_line")),
        (
            ["-", "-", "-"].map(str::to_owned).to_vec(),
            ["-", "x", "-"].map(str::to_owned).to_vec(),
            ["2", "3", "7"].map(str::to_owned).to_vec()
        )
    );
    assert_eq!((rows.records, rows.filtered), (6, 1));
    assert_eq!(
        reasons(&rows),
        ["5 bad_value: `bad` is no timestamp of the declared format (timestamp)", "8 wrong_field_count: 2 fields where the file has 6"]
    );
}

#[test]
fn tables_without_header_column_or_end_are_errors() {
    let plan = formatted("response: {csv: {delimiter: ';'}}");
    assert_eq!(unreadable(&plan, b""), "CSV: it is empty");
    assert_eq!(unreadable(&plan, b"id;name;n\na;b;1\nc;d"), "CSV: it ends in the middle of a record");
    assert_eq!(unreadable(&plan, b"id;name;n\na;b;1\nc;\"d"), "CSV: it ends in the middle of a record");
    assert!(matches!(all(&plan, b"<html>\n</html>"), Err(Error::NoColumn { .. })));
    assert!(matches!(all(&plan, b"id;name;n;n\n"), Err(Error::ColumnTwice { .. })));
    assert_eq!(column(&one(&plan, b"id;name;n\na;b;1"), "n"), ["1"]);
    assert!(all(&plan, b"id;name;n\n").unwrap().is_empty());
}

proptest! {
    #[test]
    fn records_are_the_same_wherever_they_are_cut_in_two(
        names in prop::collection::vec(("[a-z\"\\\\{}ä,]{0,12}", proptest::option::of(any::<prop::sample::Index>()), 0..3_usize), 0..12),
        target in 1_usize..80,
    ) {
        let plan = formatted("response: jsonl");
        let mut text = String::new();
        for (id, (name, cut, blanks)) in names.iter().enumerate() {
            let mut record = json!({"id": id.to_string(), "x": {"y": [name]}, "name": name, "n": id}).to_string();
            if let Some(cut) = cut {
                let mut at = 1 + cut.index(record.len() - 1);
                while !record.is_char_boundary(at) {
                    at -= 1;
                }
                record.insert(at, '\n');
            }
            text.push_str(&record);
            text.push_str(&"\n".repeat(1 + blanks));
        }
        let mut found = Vec::new();
        let mut records = 0;
        let more = lines::read_chunks(&plan.0, &context(), "f", Box::new(text.as_bytes()), target, &mut |rows: PageRows| {
            assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
            records += rows.records;
            found.extend(column(&rows, "name").into_iter().zip(column(&rows, "n")));
            true
        });
        prop_assert!(more.unwrap());
        let expected: Vec<(String, String)> = names.iter().enumerate().map(|(n, (name, ..))| (name.clone(), n.to_string())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(records, names.len() as u64);
    }
}
