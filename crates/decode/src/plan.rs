//! What a stream's declaration means for its bytes: settings resolved, names bound.

use crate::convert::number::Style;
use crate::convert::time::Form;
use crate::convert::{ColumnPlan, arrow_type};
use crate::error::Error;
use crate::log::log_schema;
use arrow::array::timezone::Tz;
use arrow::datatypes::SchemaRef;
use cscopilot_spec::source::{Column, CsvFormat, Format, Stream};
use encoding_rs::Encoding;
use std::sync::Arc;

/// How the records of a file or a database become rows.
#[derive(Debug)]
pub struct RowPlan {
    /// How files are written.
    pub format: Format,
    pub(crate) encoding: &'static Encoding,
    /// The declared columns, in the order of the raw table.
    pub columns: Vec<ColumnPlan>,
    /// The positions of the primary key's columns.
    pub primary_key: Vec<usize>,
    /// The position of the cursor's column.
    pub cursor: Option<usize>,
    /// The schema of the raw table: the declared columns, and the log's.
    pub schema: SchemaRef,
}

impl RowPlan {
    /// The plan of a stream of files or of a database.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::UnknownEncoding`], [`Error::UnknownZone`].
    pub fn new(stream: &Stream) -> Result<Self, Error> {
        let format = stream
            .format()
            .ok_or_else(|| Error::UnknownFormat { files: stream.files.as_ref().map(|f| f.value.clone()).unwrap_or_default() })?;
        let csv = match &format {
            Format::Csv(csv) => Some(csv),
            _ => None,
        };
        let label = match &format {
            Format::Csv(csv) => csv.encoding.as_str(),
            Format::Jsonl(jsonl) => jsonl.encoding.as_str(),
            Format::Parquet(_) => "utf-8",
        };
        let encoding = encoding(label).ok_or_else(|| Error::UnknownEncoding { label: label.to_owned() })?;
        let columns: Vec<ColumnPlan> =
            stream.columns.iter().map(|(name, column)| column_plan(name, column, stream, csv)).collect::<Result<_, _>>()?;
        Ok(Self {
            encoding,
            primary_key: stream.primary_key.iter().filter_map(|key| stream.columns.position(key)).collect(),
            cursor: stream.cursor.as_ref().and_then(|cursor| stream.columns.position(cursor)),
            schema: Self::schema_of(stream),
            columns,
            format,
        })
    }

    /// The schema of the raw table of a stream, which needs no plan.
    #[must_use]
    pub fn schema_of(stream: &Stream) -> SchemaRef {
        log_schema(stream.columns.iter().map(|(name, column)| (name.as_str(), arrow_type(column.r#type.value))))
    }

    /// What tells one row from another: the key, and the cursor where there is one, since a later version of a record is no repetition.
    #[must_use]
    pub fn row_key(&self) -> Vec<usize> {
        if self.primary_key.is_empty() {
            return Vec::new();
        }
        let cursor = self.cursor.filter(|cursor| !self.primary_key.contains(cursor));
        self.primary_key.iter().copied().chain(cursor).collect()
    }

    /// The layout of CSV files, if that is what they are.
    pub(crate) fn csv(&self) -> Option<&CsvFormat> {
        match &self.format {
            Format::Csv(csv) => Some(csv),
            _ => None,
        }
    }
}

fn column_plan(name: &str, column: &Column, stream: &Stream, csv: Option<&CsvFormat>) -> Result<ColumnPlan, Error> {
    let of_csv = |pick: fn(&CsvFormat) -> Option<char>| csv.and_then(pick);
    let point = column.decimal_separator.as_ref().map(|s| s.value).or_else(|| of_csv(|c| c.decimal_separator.as_ref().map(|s| s.value)));
    let thousands =
        column.thousands_separator.as_ref().map(|s| s.value).or_else(|| of_csv(|c| c.thousands_separator.as_ref().map(|s| s.value)));
    let mut null_values: Vec<Vec<u8>> = column.null_values.iter().map(|v| v.clone().into_bytes()).collect();
    null_values.extend(csv.into_iter().flat_map(|c| &c.null_values).map(|v| v.clone().into_bytes()));
    let mut forms: Vec<Form> = column.all_formats().map(|f| Form::parse(f)).collect();
    if forms.is_empty() {
        forms.push(Form::Iso);
    }
    let zone = match &column.zone {
        None => None,
        Some(zone) => time_zone(zone).ok_or_else(|| Error::UnknownZone { zone: zone.value.clone() })?,
    };
    Ok(ColumnPlan {
        name: Arc::from(name),
        from: column.from.as_ref().map_or_else(|| name.to_owned(), |from| from.value.clone()),
        kind: column.r#type.value,
        needs_value: stream.needs_value(name),
        optional: column.optional,
        trim: csv.is_some_and(|c| c.trim),
        null_values,
        forms,
        zone,
        style: Style { point: point.unwrap_or('.'), thousands },
        round: column.round,
        true_values: column.true_values.clone(),
        false_values: column.false_values.clone(),
    })
}

/// A zone by its name or offset, nothing where nobody knows it. UTC needs no conversion, so it is none.
#[allow(clippy::option_option)]
#[must_use]
pub fn time_zone(zone: &str) -> Option<Option<Tz>> {
    if zone == "UTC" { Some(None) } else { zone.parse().ok().map(Some) }
}

/// An encoding by its web label.
#[must_use]
pub fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).filter(|e| *e != encoding_rs::REPLACEMENT)
}
