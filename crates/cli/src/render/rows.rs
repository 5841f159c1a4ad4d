//! Rows on stdout, as a table, JSON lines or CSV.

use crate::args::{Format, Global, Output};
use crate::context::Failure;
use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cscopilot_diag::Diagnostic;
use std::io::{BufWriter, Write};
use std::sync::Arc;

/// Writes batches in the form asked for.
pub(crate) fn print(batches: &[RecordBatch], output: Option<Output>, global: &Global) -> Result<(), Failure> {
    let output = output.unwrap_or(match global.format {
        Format::Json => Output::Json,
        Format::Text => Output::Table,
    });
    let out = BufWriter::new(std::io::stdout().lock());
    let written = match output {
        Output::Table => table(batches, out),
        Output::Json => json(batches, out),
        Output::Csv => csv(batches, out),
    };
    // A reader that has seen enough (`| head`) is no failure.
    match written {
        Err(arrow::error::ArrowError::IoError(_, error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| Failure::failed(Diagnostic::error("CLI001", format!("the rows can't be written: {e}")))),
    }
}

fn table(batches: &[RecordBatch], mut out: impl Write) -> Result<(), arrow::error::ArrowError> {
    let options = FormatOptions::default().with_null("∅");
    let text = arrow::util::pretty::pretty_format_batches_with_options(batches, &options)?;
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn json(batches: &[RecordBatch], out: impl Write) -> Result<(), arrow::error::ArrowError> {
    let mut writer =
        arrow::json::writer::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow::json::writer::LineDelimited>(out);
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    Ok(writer.into_inner().flush()?)
}

fn csv(batches: &[RecordBatch], out: impl Write) -> Result<(), arrow::error::ArrowError> {
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
    for batch in batches {
        writer.write(&flat(batch)?)?;
    }
    Ok(())
}

/// CSV has no lists and structs: they become text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let text: StringArray = (0..column.len()).map(|i| column.is_valid(i).then(|| formatter.value(i).to_string())).collect();
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(text) as _);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
