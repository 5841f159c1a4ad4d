//! The semantic rules of sources: what a parser of YAML alone can't know.

use super::{Column, ColumnType, CsvFormat, Format, Source, Stream, column_help};
use crate::{At, Loaded};
use chrono::format::{Item, StrftimeItems};
use cscopilot_diag::Diagnostics;

pub(super) fn percent(loaded: &Loaded<Source>, pct: &At<f64>, out: &mut Diagnostics) {
    if !(0.0..=100.0).contains(&pct.value) {
        out.push(
            loaded
                .error("SRC002", pct, format!("`max_rejected_pct` is {pct}, which is no percentage"))
                .with_help("write a number from 0 to 100"),
        );
    }
}

pub(super) fn name(loaded: &Loaded<Source>, name: &At<String>, what: &str, out: &mut Diagnostics) {
    let snake = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with("__rejected");
    if !snake {
        let help = if what == "column" {
            "use lower-case letters, digits and `_`, and say the file's own name with `from:`"
        } else {
            "use lower-case letters, digits and `_`, and don't end it with `__rejected`"
        };
        out.push(loaded.error("SRC003", name, format!("`{name}` can't be the name of a {what}")).with_help(help));
    }
}

/// A source without streams reads nothing.
pub(super) fn has_streams<T>(loaded: &Loaded<Source>, at: &At<T>, out: &mut Diagnostics) {
    if loaded.value.streams.is_empty() {
        out.push(loaded.error("SRC001", at, "the source has no streams").with_help("declare at least one under `streams:`"));
    }
}

/// The rules of a stream that is read from files.
pub(super) fn stream(loaded: &Loaded<Source>, stream_name: &At<String>, stream: &Stream, out: &mut Diagnostics) {
    let Some(files) = &stream.files else {
        out.push(
            loaded
                .error("SRC021", stream_name, format!("the stream `{stream_name}` doesn't say which files it is read from"))
                .with_help("add `files: \"*.csv\"`, a pattern below the source's path"),
        );
        return;
    };
    columns(loaded, files, stream, out);
    pattern(loaded, files, out);
    let format = stream.format();
    match &format {
        None => out.push(
            loaded
                .error("SRC005", files, format!("the ending of `{files}` doesn't tell how the files are written"))
                .with_help("add `format: {csv: {}}`, `format: {jsonl: {}}` or `format: {parquet: {}}`"),
        ),
        Some(Format::Csv(csv)) => csv_rules(loaded, files, stream, csv, out),
        Some(Format::Jsonl(_) | Format::Parquet(_)) => {}
    }
    // What the format says of numbers holds for columns that say nothing.
    let of_format = match &format {
        Some(Format::Csv(csv)) => (csv.decimal_separator.as_ref(), csv.thousands_separator.as_ref()),
        _ => (None, None),
    };
    for (_, column) in stream.columns.iter() {
        if column.decimal_separator.is_some() || column.thousands_separator.is_some() {
            let decimal = column.decimal_separator.as_ref().or(of_format.0);
            separators(loaded, decimal, column.thousands_separator.as_ref().or(of_format.1), out);
        }
    }
}

/// The rules of columns, key and cursor, wherever the stream is read from.
pub(super) fn columns<T>(loaded: &Loaded<Source>, at: &At<T>, stream: &Stream, out: &mut Diagnostics) {
    if let Some(pct) = &stream.max_rejected_pct {
        percent(loaded, pct, out);
    }
    if stream.columns.is_empty() {
        out.push(loaded.error("SRC004", at, "the stream has no columns").with_help("declare the columns to read under `columns:`"));
    }
    for (column_name, column) in stream.columns.iter() {
        name(loaded, column_name, "column", out);
        column_rules(loaded, column_name, column, out);
    }
    for key in &stream.primary_key {
        if stream.columns.get(key).is_none() {
            out.push(
                loaded
                    .error("SRC006", key, format!("the primary key names `{key}`, which is no column of the stream"))
                    .with_help_opt(column_help(stream, key)),
            );
        }
    }
    if let Some(cursor) = &stream.cursor {
        match stream.columns.get(cursor) {
            None => out.push(
                loaded
                    .error("SRC007", cursor, format!("the cursor names `{cursor}`, which is no column of the stream"))
                    .with_help_opt(column_help(stream, cursor)),
            ),
            Some(column) if !column.r#type.is_ordered() => out.push(
                loaded
                    .error("SRC008", cursor, format!("a cursor can't follow `{cursor}`, which is {}", column.r#type))
                    .with_help("take a timestamp, date, int, decimal or string column"),
            ),
            Some(_) => {}
        }
    }
}

fn pattern(loaded: &Loaded<Source>, files: &At<String>, out: &mut Diagnostics) {
    if files.starts_with('/') || files.split('/').any(|part| part == "..") || files.contains("://") {
        out.push(
            loaded
                .error("SRC009", files, format!("`{files}` leaves the source's folder"))
                .with_help("write the pattern relative to `files.path` of the source"),
        );
    }
}

fn csv_rules(loaded: &Loaded<Source>, files: &At<String>, stream: &Stream, csv: &CsvFormat, out: &mut Diagnostics) {
    let place = |at: &At<char>| if at.line == 0 { files.clone().map(|_| ()) } else { (*at).map(|_| ()) };
    let signs = [("delimiter", Some(&csv.delimiter)), ("quote", csv.quote.as_ref())];
    for (what, sign) in signs {
        if let Some(sign) = sign
            && (!sign.value.is_ascii() || matches!(sign.value, '\n' | '\r'))
        {
            out.push(
                loaded
                    .error("SRC010", &place(sign), format!("{:?} can't be the {what}", sign.value))
                    .with_help("take one ASCII character other than a line break"),
            );
        }
    }
    if csv.quote.as_ref().is_some_and(|quote| quote.value == csv.delimiter.value) {
        out.push(
            loaded
                .error("SRC011", &place(&csv.delimiter), "delimiter and quote are the same sign")
                .with_help("most files take `,` and `\"`"),
        );
    }
    separators(loaded, csv.decimal_separator.as_ref(), csv.thousands_separator.as_ref(), out);
    if !csv.header {
        for (_, column) in stream.columns.iter() {
            if let Some(from) = &column.from {
                out.push(
                    loaded
                        .error("SRC012", from, "`from` names a column of the header, and these files have none")
                        .with_help("remove `from:` and declare all columns in the file's order, or set `header: true`"),
                );
            }
        }
    }
}

fn separators(loaded: &Loaded<Source>, decimal: Option<&At<char>>, thousands: Option<&At<char>>, out: &mut Diagnostics) {
    for sign in decimal.into_iter().chain(thousands) {
        if sign.is_ascii_digit() || matches!(sign.value, '-' | '+' | 'e' | 'E') {
            out.push(
                loaded
                    .error("SRC013", sign, format!("`{sign}` can't separate digits"))
                    .with_help("take a point, a comma, a blank or an apostrophe"),
            );
        }
    }
    if let Some(thousands) = thousands {
        let point = decimal.map_or('.', |d| d.value);
        if point == thousands.value {
            out.push(
                loaded
                    .error("SRC014", thousands, format!("`{thousands}` separates both thousands and fraction"))
                    .with_help("set `decimal_separator` to the other sign"),
            );
        }
    }
}

pub(super) fn column_rules(loaded: &Loaded<Source>, name: &At<String>, column: &Column, out: &mut Diagnostics) {
    let kind = column.r#type.value;
    let timely = matches!(kind, ColumnType::Date | ColumnType::Timestamp);
    for format in column.all_formats() {
        if !timely {
            out.push(
                loaded
                    .error("SRC015", format, format!("`{name}` is {kind}, which has no date format"))
                    .with_help("remove `format:`, or make the type `date` or `timestamp`"),
            );
        } else if !is_date_format(format) {
            out.push(
                loaded
                    .error("SRC016", format, format!("`{format}` is not a date format"))
                    .with_help("write it with %Y, %m, %d, %H, %M, %S, as in `%d-%m-%Y`; or `unix_secs`, `unix_millis`"),
            );
        } else if kind == ColumnType::Date && ["%H", "%M", "%S", "%T"].iter().any(|part| format.contains(part)) {
            out.push(
                loaded
                    .error("SRC017", format, format!("`{name}` is a date, but its format has a time of day"))
                    .with_help("make the type `timestamp`; SQL can cast it to a date"),
            );
        }
    }
    if let Some(zone) = &column.zone
        && kind != ColumnType::Timestamp
    {
        out.push(loaded.error("SRC018", zone, format!("`{name}` is {kind}, which has no zone")).with_help("only timestamps have one"));
    }
    if column.from.as_ref().is_some_and(|from| from.is_empty()) {
        out.push(loaded.error("SRC019", name, format!("`from` of `{name}` is empty")).with_help("remove it to take the column's own name"));
    }
    if kind == ColumnType::Bool
        && let Some(both) = column.true_values.iter().find(|word| column.false_values.iter().any(|f| f.eq_ignore_ascii_case(word)))
    {
        out.push(
            loaded
                .error("SRC020", name, format!("`{both}` stands for both true and false"))
                .with_help("remove it from one of the two lists"),
        );
    }
}

fn is_date_format(format: &str) -> bool {
    if matches!(format, "unix_secs" | "unix_millis") {
        return true;
    }
    let mut fields = 0;
    for item in StrftimeItems::new(format) {
        match item {
            Item::Error => return false,
            Item::Numeric(..) | Item::Fixed(..) => fields += 1,
            _ => {}
        }
    }
    fields > 0
}
