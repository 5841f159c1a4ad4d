//! Cells to Arrow arrays, one column at a time.

pub(crate) mod number;
pub(crate) mod time;

use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind};
use crate::reject::{Reason, shown};
use arrow::array::timezone::Tz;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use cscopilot_spec::source::ColumnType;
use number::{Style, Why};
use std::borrow::Cow;
use std::sync::Arc;
use time::Form;

/// All that converting one column needs to know.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Its name in the raw table.
    pub name: Arc<str>,
    /// What files call it, or the path to it.
    pub from: String,
    /// Its declared type.
    pub kind: ColumnType,
    /// Whether a row without a value is rejected.
    pub needs_value: bool,
    /// Whether files may lack it.
    pub optional: bool,
    pub(crate) trim: bool,
    pub(crate) null_values: Vec<Vec<u8>>,
    pub(crate) forms: Vec<Form>,
    pub(crate) zone: Option<Tz>,
    pub(crate) style: Style,
    pub(crate) round: bool,
    pub(crate) true_values: Vec<String>,
    pub(crate) false_values: Vec<String>,
}

/// The Arrow type of a declared type.
#[must_use]
pub fn arrow_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Decimal(p, s) => DataType::Decimal128(p, s),
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// What is wrong with a row, and in which column.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) row: usize,
    pub(crate) reason: Reason,
    pub(crate) column: Option<Arc<str>>,
    pub(crate) detail: String,
}

/// The rows that failed so far; only a row's first problem counts.
#[derive(Debug)]
pub(crate) struct Problems {
    pub(crate) bad: Vec<bool>,
    pub(crate) list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(rows: usize) -> Self {
        Self { bad: vec![false; rows], list: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: usize, reason: Reason, column: Option<&Arc<str>>, detail: String) {
        if !std::mem::replace(&mut self.bad[row], true) {
            self.list.push(Problem { row, reason, column: column.cloned(), detail });
        }
    }
}

/// The text that cells point into.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) codec: &'a Codec,
}

impl ColumnPlan {
    /// Converts the cells of the column. Rows that are bad already, or turn out to be, become NULL.
    pub(crate) fn convert(&self, cells: &[Cell], source: &Source<'_>, problems: &mut Problems) -> Result<ArrayRef, ArrowError> {
        Ok(match self.kind {
            ColumnType::String | ColumnType::Json => Arc::new(self.strings(cells, source, problems)?),
            ColumnType::Bool => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| self.truth(text, kind));
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            ColumnType::Int => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| match self.plain(text, kind)? {
                    Cow::Borrowed(plain) => number::int(plain),
                    Cow::Owned(plain) => number::int(&plain),
                });
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            ColumnType::Float => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| number::float(&self.plain(text, kind)?));
                Arc::new(Float64Array::try_new(values.into(), nulls)?)
            }
            ColumnType::Decimal(precision, scale) => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| {
                    number::decimal(&self.plain(text, kind)?, precision, scale.unsigned_abs(), self.round)
                });
                Arc::new(Decimal128Array::try_new(values.into(), nulls)?.with_precision_and_scale(precision, scale)?)
            }
            ColumnType::Date => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| {
                    no_word(kind)?;
                    time::date(text, &self.forms)
                });
                Arc::new(Date32Array::try_new(values.into(), nulls)?)
            }
            ColumnType::Timestamp => {
                let (values, nulls) = self.values(cells, source, problems, |text, kind| {
                    no_word(kind)?;
                    time::timestamp(text, &self.forms, self.zone)
                });
                Arc::new(TimestampMicrosecondArray::try_new(values.into(), nulls)?.with_timezone("UTC"))
            }
        })
    }

    /// Numbers in files may have the column's signs; JSON numbers never do.
    fn plain<'t>(&self, text: &'t [u8], kind: Kind) -> Result<Cow<'t, [u8]>, Why> {
        no_word(kind)?;
        if kind == Kind::Number { Ok(Cow::Borrowed(text)) } else { self.style.plain(text) }
    }

    fn truth(&self, text: &[u8], kind: Kind) -> Result<bool, Why> {
        match kind {
            Kind::True => return Ok(true),
            Kind::False => return Ok(false),
            _ => {}
        }
        let is = |words: &[String], defaults: &[&str]| {
            if words.is_empty() {
                defaults.iter().any(|w| text.eq_ignore_ascii_case(w.as_bytes()))
            } else {
                words.iter().any(|w| text.eq_ignore_ascii_case(w.as_bytes()))
            }
        };
        if is(&self.true_values, &["true", "t", "yes", "y", "1"]) {
            Ok(true)
        } else if is(&self.false_values, &["false", "f", "no", "n", "0"]) {
            Ok(false)
        } else {
            Err("is neither true nor false")
        }
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null_values.iter().any(|word| word == text)
    }

    /// One native value a row, by a parser of its text.
    fn values<T: Default>(
        &self,
        cells: &[Cell],
        source: &Source<'_>,
        problems: &mut Problems,
        parse: impl Fn(&[u8], Kind) -> Result<T, Why>,
    ) -> (Vec<T>, Option<NullBuffer>) {
        let mut values = Vec::with_capacity(cells.len());
        let mut valid = vec![true; cells.len()];
        for (row, cell) in cells.iter().enumerate() {
            if problems.bad[row] {
                values.push(T::default());
                continue;
            }
            let value = match cell.kind() {
                Kind::Missing | Kind::Null => None,
                Kind::Escaped => match source.codec.text(*cell, source.text) {
                    Some(text) => self.one(row, &text, Kind::Text, problems, &parse),
                    None => {
                        problems.add(row, Reason::BadValue, Some(&self.name), "has escapes that make no text".to_owned());
                        Some(T::default())
                    }
                },
                kind => self.one(row, cell.bytes(source.text), kind, problems, &parse),
            };
            if value.is_none() {
                valid[row] = false;
                self.missing(row, problems);
            }
            values.push(value.unwrap_or_default());
        }
        (values, nulls(valid))
    }

    fn one<T: Default>(
        &self,
        row: usize,
        text: &[u8],
        kind: Kind,
        problems: &mut Problems,
        parse: &impl Fn(&[u8], Kind) -> Result<T, Why>,
    ) -> Option<T> {
        let text = text.trim_ascii();
        if kind == Kind::Text && self.is_null(text) {
            return None;
        }
        Some(parse(text, kind).unwrap_or_else(|why| {
            problems.add(row, Reason::BadValue, Some(&self.name), format!("{} {why} ({})", shown(text), self.kind));
            T::default()
        }))
    }

    fn missing(&self, row: usize, problems: &mut Problems) {
        if self.needs_value {
            problems.add(row, Reason::MissingValue, Some(&self.name), format!("`{}` has no value", self.name));
        }
    }

    /// Text is copied into one buffer, whose encoding Arrow checks once for all rows.
    fn strings(&self, cells: &[Cell], source: &Source<'_>, problems: &mut Problems) -> Result<StringArray, ArrowError> {
        let mut offsets: Vec<i32> = Vec::with_capacity(cells.len() + 1);
        let mut bytes: Vec<u8> = Vec::with_capacity(cells.len() * 16);
        let mut valid = vec![true; cells.len()];
        offsets.push(0);
        for (row, cell) in cells.iter().enumerate() {
            if !problems.bad[row] {
                match self.string(*cell, source) {
                    Ok(Some(text)) => bytes.extend_from_slice(&text),
                    Ok(None) => {
                        valid[row] = false;
                        self.missing(row, problems);
                    }
                    Err(why) => {
                        let value = shown(cell.bytes(source.text));
                        problems.add(row, Reason::BadValue, Some(&self.name), format!("{value} {why} ({})", self.kind));
                    }
                }
            }
            offsets.push(i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?);
        }
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), nulls(valid))
    }

    fn string<'t>(&self, cell: Cell, source: &Source<'t>) -> Result<Option<Cow<'t, [u8]>>, Why> {
        let json = self.kind == ColumnType::Json;
        let raw = cell.bytes(source.text);
        match cell.kind() {
            Kind::Missing | Kind::Null => return Ok(None),
            Kind::Composite if !json => return Err("is an object or a list; declare the column as json to keep it"),
            Kind::Number | Kind::True | Kind::False | Kind::Composite => return Ok(Some(Cow::Borrowed(raw))),
            Kind::Text | Kind::Escaped => {}
        }
        if json && matches!(source.codec, Codec::Jsonl(_)) {
            // Its own text, quotes included: that is what makes it JSON.
            let mut quoted = Vec::with_capacity(raw.len() + 2);
            quoted.push(b'"');
            quoted.extend_from_slice(raw);
            quoted.push(b'"');
            return Ok(Some(Cow::Owned(quoted)));
        }
        let text = source.codec.text(cell, source.text).ok_or("has escapes that make no text")?;
        let text = match text {
            Cow::Borrowed(text) if self.trim => Cow::Borrowed(text.trim_ascii()),
            Cow::Owned(text) if self.trim => Cow::Owned(text.trim_ascii().to_vec()),
            text => text,
        };
        if self.is_null(&text) {
            return Ok(None);
        }
        if json && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_err() {
            return Err("is no JSON");
        }
        Ok(Some(text))
    }
}

fn no_word(kind: Kind) -> Result<(), Why> {
    match kind {
        Kind::True | Kind::False => Err("is true or false"),
        Kind::Composite => Err("is an object or a list"),
        _ => Ok(()),
    }
}

fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|v| *v) { None } else { Some(NullBuffer::from(valid)) }
}
