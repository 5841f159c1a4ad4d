//! Rows that can't be read, on their way to `raw.<source>__<stream>__rejected`.

use crate::error::Result;
use cscopilot_decode::{Rejected, RejectedOfFile, rejected_batch, rejected_schema};
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{Mode, TableName, Txn, Write, stream_of_batches};

/// Rejected rows that wait for the commit of the rows that they stood among.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    parts: Vec<Part>,
    bytes: usize,
}

/// The rejected rows of one file, request or table.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: String,
    pub(crate) batch: String,
    pub(crate) rows: Vec<Rejected>,
}

/// How the same rejected rows are recognised when they come again, after a run that died between their commit and that of the rows.
pub(crate) enum Again {
    /// By a fingerprint of the latest commit.
    Fingerprint(String),
    /// Whoever reads them looks whether the table has them.
    Known,
}

impl Waiting {
    /// Adds rejected rows; those of one file and batch that follow each other stay together.
    pub(crate) fn add(&mut self, file: &str, batch: &str, rows: Vec<Rejected>) {
        self.bytes += rows.iter().map(|row| row.raw.len() + row.detail.len() + size_of::<Rejected>()).sum::<usize>();
        match self.parts.last_mut() {
            _ if rows.is_empty() => {}
            Some(last) if last.file == file && last.batch == batch => last.rows.extend(rows),
            _ => self.parts.push(Part { file: file.to_owned(), batch: batch.to_owned(), rows }),
        }
    }

    /// How much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// All rows, in the order in which they came.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Rejected> {
        self.parts.iter().flat_map(|part| &part.rows)
    }

    /// Publishes them, and makes their table if it isn't there.
    pub(crate) async fn publish(&self, ctx: &StepContext, table: &TableName, at_micros: i64, txn: Txn, again: Again) -> Result<()> {
        let fingerprint = match again {
            Again::Fingerprint(fingerprint) => Some(fingerprint),
            Again::Known => None,
        };
        let there = ctx.lake.table(table).await?.is_some_and(|info| {
            // A run that died between this commit and that of the rows is repeated; its rejected rows are there already.
            self.is_empty() || fingerprint.is_some() && info.fingerprint == fingerprint
        });
        if there {
            return Ok(());
        }
        let batch = |part: &Part| rejected_batch(&RejectedOfFile { file: &part.file, batch: &part.batch, rows: &part.rows }, at_micros);
        let batches = self.parts.iter().map(batch).collect::<std::result::Result<Vec<_>, _>>()?;
        let write =
            Write::new(table.clone(), Mode::Append, stream_of_batches(rejected_schema(), batches), txn).with_fingerprint(fingerprint);
        ctx.lake.commit(write).await?;
        Ok(())
    }
}
