//! A text file as chunks of whole records, each of which can be read on another core.

use crate::chunker::{CHUNK_BYTES, Chunker};
use crate::codec::Codec;
use crate::codec::cells;
use crate::codec::csv::Layout;
use crate::codec::jsonl::Paths;
use crate::error::{Error, Result};
use crate::parse::{FileContext, Parsed, parse_chunk};
use crate::plan::RowPlan;
use crate::text::text;
use cscopilot_spec::source::CsvFormat;
use std::io::Read;
use std::sync::Arc;

/// The chunks of one text file, CSV or JSON Lines, in order, up to the first error.
pub struct Chunks {
    chunker: Chunker<'static>,
    codec: Arc<Codec>,
}

/// Some whole records of a file, some megabytes.
#[derive(Debug)]
pub struct Chunk {
    codec: Arc<Codec>,
    chunk: cells::Chunk,
}

impl Chunks {
    /// Opens a file: `stored` are its bytes as they are stored, compressed by gzip or zstd or not at all; `key` is its name, which errors and
    /// rows tell; `file` is its number among those that are read. Of CSV the header is read and the columns are found in it.
    ///
    /// # Errors
    /// [`Error::NotCompressed`], [`Error::Truncated`], [`Error::Read`]; of CSV [`Error::NoHeader`], [`Error::NoColumn`] and
    /// [`Error::ColumnTwice`].
    pub fn open(plan: &RowPlan, key: &str, file: usize, stored: Box<dyn Read + Send>) -> Result<Self> {
        let mut chunker = Chunker::new(text(stored, plan.encoding, key)?, key, file, CHUNK_BYTES);
        let codec = Arc::new(match plan.csv() {
            Some(csv) => Codec::Csv(layout(plan, csv, key, &mut chunker)?),
            None => Codec::Jsonl(Paths::new(plan.columns.iter().map(|c| c.from.as_str()))),
        });
        Ok(Self { chunker, codec })
    }
}

impl Iterator for Chunks {
    /// [`Error::Truncated`], where the text can't be had beyond a position.
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunker.next(&self.codec).transpose()?;
        Some(chunk.map(|chunk| Chunk { codec: Arc::clone(&self.codec), chunk }))
    }
}

impl Chunk {
    /// The number of the file that it is of, as [`Chunks::open`] was told.
    #[must_use]
    pub fn file(&self) -> usize {
        self.chunk.file
    }

    /// Splits, converts and checks the records, by the plan that the file was opened with.
    ///
    /// # Errors
    /// [`Error::Arrow`], where a batch can't be built. Records that can't be read are rejected, not errors.
    pub fn rows(&self, plan: &RowPlan, file: &FileContext) -> Result<Parsed> {
        parse_chunk(plan, &self.codec, file, &self.chunk)
    }
}

/// Which field holds which column: from the header, or in the order of the declaration.
fn layout(plan: &RowPlan, csv: &CsvFormat, key: &str, chunker: &mut Chunker<'_>) -> Result<Layout> {
    let ascii = |c: char| u8::try_from(c).unwrap_or(b',');
    let mut layout = Layout {
        delimiter: ascii(csv.delimiter.value),
        quote: csv.quote.as_ref().map(|q| ascii(q.value)),
        fields: plan.columns.len(),
        wanted: (0..plan.columns.len()).map(Some).collect(),
    };
    chunker.skip_lines(csv.skip_lines)?;
    if !csv.header {
        return Ok(layout);
    }
    let header = chunker.header(&layout)?;
    layout.fields = header.len();
    layout.wanted = plan
        .columns
        .iter()
        .map(|column| {
            let mut places = header.iter().enumerate().filter(|(_, name)| **name == column.from).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(_), Some(_)) => Err(Error::ColumnTwice { path: key.to_owned(), column: column.from.clone() }),
                (None, _) if !column.optional => Err(Error::no_column(key, &column.from, &header)),
                (place, _) => Ok(place),
            }
        })
        .collect::<Result<_>>()?;
    Ok(layout)
}
