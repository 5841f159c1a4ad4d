use super::*;
use proptest::prelude::*;

fn layout(fields: usize) -> Layout {
    Layout { delimiter: b',', quote: Some(b'"'), fields, wanted: (0..fields).map(Some).collect() }
}

fn chunk(text: &[u8]) -> Chunk {
    Chunk { text: text.to_vec(), file: 0, first_line: 2, offset: 100, too_long: false }
}

fn read(layout: &Layout, text: &[u8]) -> (Vec<Vec<String>>, Scanned) {
    let chunk = chunk(text);
    let scanned = scan(layout, &chunk);
    let rows = (0..scanned.records.len())
        .map(|row| {
            scanned
                .cells
                .iter()
                .map(|column| {
                    let cell = column[row];
                    let bytes = cell.bytes(&chunk.text);
                    let bytes = if cell.kind() == Kind::Escaped { unescape(bytes, layout.quote) } else { bytes.to_vec() };
                    String::from_utf8(bytes).unwrap()
                })
                .collect()
        })
        .collect();
    (rows, scanned)
}

#[test]
fn splits_quoted_fields_with_delimiters_breaks_and_doubled_quotes() {
    let (rows, scanned) = read(&layout(3), b"a,\"b,\nc\",\"say \"\"hi\"\"\"\r\n\r\n\"\",5\" pipe,\n");
    assert!(scanned.rejected.is_empty(), "{:?}", scanned.rejected);
    assert_eq!(rows, [["a", "b,\nc", "say \"hi\""], ["", "5\" pipe", ""]]);
    assert_eq!(scanned.records[1].line, 3);
}

#[test]
fn rejects_a_wrong_number_of_fields_with_its_line_and_position() {
    let (rows, scanned) = read(&layout(2), b"a,b\na\na,b,c\nx,y");
    assert_eq!(rows, [["a", "b"], ["x", "y"]]);
    let found: Vec<_> = scanned.rejected.iter().map(|r| (r.line, r.byte, r.detail.as_str(), r.raw.as_str())).collect();
    assert_eq!(found, [(3, 104, "1 fields where the file has 2", "a"), (4, 106, "3 fields where the file has 2", "a,b,c")]);
}

#[test]
fn a_stray_quote_costs_one_line_only() {
    let (rows, scanned) = read(&layout(2), b"a,b\nc,\"d\ne,f\ng,h\n");
    assert_eq!(rows, [["a", "b"], ["e", "f"], ["g", "h"]]);
    assert_eq!(scanned.rejected.len(), 1);
    assert_eq!((scanned.rejected[0].reason, scanned.rejected[0].line), (Reason::BadQuote, 3));
    let (rows, scanned) = read(&layout(2), b"c,\"d\ne,f\ng,\"h\"\n");
    assert_eq!(rows, [["e", "f"], ["g", "h"]]);
    assert_eq!(scanned.rejected[0].detail, "text follows a closing quote");
}

#[test]
fn without_a_quote_sign_quotes_are_text() {
    let layout = Layout { quote: None, ..layout(2) };
    let (rows, _) = read(&layout, b"\"a,b\"\n");
    assert_eq!(rows, [["\"a", "b\""]]);
}

fn table() -> impl Strategy<Value = (u8, Vec<Vec<String>>)> {
    let cell = prop_oneof![Just(String::new()), "[a-c,;\"\r\n |']{0,6}", ".{0,8}"];
    let delimiter = prop_oneof![Just(b','), Just(b';'), Just(b'\t'), Just(b'|')];
    (delimiter, (1_usize..5).prop_flat_map(move |n| prop::collection::vec(prop::collection::vec(cell.clone(), n), 0..12)))
}

proptest! {
    #[test]
    fn any_table_that_is_written_is_read_as_it_was(t in table(), crlf in any::<bool>()) {
        let (delimiter, rows) = t;
        let ending = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(ending).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let layout = Layout { delimiter, ..layout(rows.first().map_or(1, Vec::len)) };
        let (found, scanned) = read(&layout, &text);
        prop_assert!(scanned.rejected.is_empty(), "{:?}", scanned.rejected);
        prop_assert_eq!(&found, &rows);
        // Cut anywhere: the whole records before the cut are the same, and nothing is halved.
        for cut in 0..=text.len() {
            let end = last_record_end(&text[..cut], delimiter, Some(b'"')).unwrap_or(0);
            let (mut first, broken) = read(&layout, &text[..end]);
            prop_assert!(broken.rejected.is_empty());
            let (second, _) = read(&layout, &text[end..]);
            first.extend(second);
            prop_assert_eq!(&first, &rows);
        }
    }

    #[test]
    fn no_bytes_are_lost(text in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'a'), any::<u8>()], 0..60)) {
        let chunk = chunk(&text);
        let scanned = scan(&layout(2), &chunk);
        let kept: usize = scanned.records.iter().map(|r| lines(r.bytes(&text)) as usize + 1).sum();
        let blank = text.split(|b| *b == b'\n').filter(|l| l.is_empty() || *l == b"\r").count();
        let all = text.split(|b| *b == b'\n').count();
        prop_assert!(kept + scanned.rejected.len() + blank >= all);
    }
}
