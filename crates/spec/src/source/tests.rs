use super::*;
use cscopilot_diag::Diagnostic;
use std::sync::Arc;

const SOUND: &str = r#"version: 1
files: {path: data}
streams:
  subscriptions:
    files: subscription*.csv.gz
    format: {csv: {delimiter: ";", quote: null}}
    columns:
      id: {type: string, from: Id}
      start_date: {type: date, format: "%d-%m-%Y"}
      mrr: {type: "decimal(18,2)", decimal_separator: ","}
    primary_key: [id]
    cursor: start_date
"#;

fn loaded(yaml: &str) -> Result<Loaded<Source>, Diagnostic> {
    let text: Arc<str> = Arc::from(yaml);
    let value = crate::parse("configs/sources/crm.yaml", &text, yaml, 0)?;
    Ok(Loaded { name: "crm".to_owned(), path: "configs/sources/crm.yaml".to_owned(), text, value })
}

/// The errors of the sound source with one text replaced.
fn errors(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    let source = match loaded(&SOUND.replace(from, to)) {
        Err(error) => return error.to_string(),
        Ok(source) => source,
    };
    let mut out = Diagnostics::new();
    for (name, stream) in source.value.streams.iter() {
        rules::name(&source, name, "stream", &mut out);
        rules::stream(&source, name, stream, &mut out);
    }
    out.to_string()
}

#[test]
fn keeps_the_order_and_places_of_columns() {
    let source = loaded(SOUND).unwrap();
    let stream = source.value.streams.get("subscriptions").unwrap();
    assert_eq!(stream.columns.names().collect::<Vec<_>>(), ["id", "start_date", "mrr"]);
    let (name, _) = stream.columns.iter().nth(1).unwrap();
    assert_eq!((name.line, name.column), (9, 7));
    let Some(Format::Csv(csv)) = stream.format() else { panic!("not csv") };
    assert_eq!((csv.delimiter.value, csv.quote, csv.header), (';', None, true));
    assert!(stream.needs_value("id") && !stream.needs_value("mrr"));
}

#[test]
fn the_ending_tells_the_format() {
    assert_eq!(Format::of_name("a*.csv.gz"), Some(Format::Csv(CsvFormat::default())));
    assert_eq!(Format::of_name("2024/**/*.jsonl.zst"), Some(Format::Jsonl(JsonlFormat::default())));
    assert_eq!(Format::of_name("x.parquet"), Some(Format::Parquet(ParquetFormat::default())));
    assert_eq!(Format::of_name("*.csv.*"), Some(Format::Csv(CsvFormat::default())));
    assert_eq!(Format::of_name("x.txt"), None);
    assert_eq!(Format::of_name("x"), None);
}

#[test]
fn a_sound_source_has_no_errors() {
    assert_eq!(errors("version: 1", "version: 1"), "");
}

#[test]
fn says_what_is_wrong_and_what_to_do() {
    let cases = [
        ("type: date,", "type: dat,"),
        ("from: Id", "form: Id"),
        ("primary_key: [id]", "primary_key: [ids]"),
        ("cursor: start_date", "cursor: start"),
        ("cursor: start_date", "max_rejected_pct: 101"),
        ("%d-%m-%Y", "DD-MM-YYYY"),
        ("%d-%m-%Y", "%d-%!-%Y"),
        ("%d-%m-%Y", "%d-%m-%Y %H:%M"),
        ("delimiter: \";\"", "delimiter: \"ä\""),
        ("quote: null", "quote: \";\""),
        ("quote: null", "header: false"),
        ("      id:", "      Id:"),
        ("  subscriptions:", "  all__rejected:"),
        ("decimal_separator: \",\"", "thousands_separator: \".\""),
        ("files: subscription*.csv.gz", "files: ../x.csv"),
        ("decimal_separator: \",\"", "format: \"%Y\""),
        ("start_date: {", "start_date: {zone: Europe/Berlin, "),
        ("decimal(18,2)", "decimal(50,2)"),
        ("format: {csv: {delimiter: \";\", quote: null}}", "format: {cvs: {}}"),
    ];
    let all: Vec<String> = cases.iter().map(|(from, to)| errors(from, to)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}
