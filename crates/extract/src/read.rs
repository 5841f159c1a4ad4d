//! Reads all files of a stream: one thread opens and cuts them, all cores parse, rows come out in the order of the files.

use crate::chunker::{CHUNK_BYTES, Chunker};
use crate::codec::Codec;
use crate::codec::cells::Chunk;
use crate::codec::csv::Layout;
use crate::codec::jsonl::Paths;
use crate::columnar;
use crate::error::{Error, Result};
use crate::files::InputFile;
use crate::open::text_reader;
use crate::parse::{FileContext, Parsed, no_column, parse_chunk};
use crate::plan::StreamPlan;
use cscopilot_spec::source::{CsvFormat, Format};
use futures::{Stream, TryStreamExt};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// What the reading thread hands on.
enum Work {
    Text(Arc<Codec>, Chunk),
    Rows(Box<Parsed>),
}

/// The parsed chunks of all files, in order. Memory is bounded: so many chunks wait, so many are parsed at a time.
pub(crate) fn read(
    plan: Arc<StreamPlan>,
    files: Arc<Vec<InputFile>>,
    contexts: Arc<Vec<FileContext>>,
    threads: usize,
) -> impl Stream<Item = Result<Parsed>> {
    let (sender, receiver) = mpsc::channel::<Result<Work>>(threads);
    let runtime = Handle::current();
    {
        let (plan, contexts) = (Arc::clone(&plan), Arc::clone(&contexts));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = cut_all(&plan, &files, &contexts, &runtime, &sender) {
                drop(sender.blocking_send(Err(error)));
            }
        });
    }
    let work = futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) });
    work.map_ok(move |work| {
        let (plan, contexts) = (Arc::clone(&plan), Arc::clone(&contexts));
        async move {
            match work {
                Work::Rows(parsed) => Ok(*parsed),
                Work::Text(codec, chunk) => tokio::task::spawn_blocking(move || parse_chunk(&plan, &codec, &contexts[chunk.file], &chunk))
                    .await
                    .map_err(|e| Error::Task(e.to_string()))?,
            }
        }
    })
    .try_buffered(threads + 1)
}

fn cut_all(
    plan: &StreamPlan,
    files: &[InputFile],
    contexts: &[FileContext],
    runtime: &Handle,
    sender: &mpsc::Sender<Result<Work>>,
) -> Result<()> {
    for (index, file) in files.iter().enumerate() {
        tracing::debug!(table = %plan.table, file = file.key, bytes = file.size, "reading");
        let go_on = match &plan.format {
            Format::Parquet(_) => {
                let mut go_on = true;
                columnar::read(plan, file, index, &contexts[index], runtime, |parsed| {
                    go_on = sender.blocking_send(Ok(Work::Rows(Box::new(parsed)))).is_ok();
                    go_on
                })?;
                go_on
            }
            Format::Csv(_) | Format::Jsonl(_) => cut(plan, file, index, runtime, sender)?,
        };
        if !go_on {
            return Ok(());
        }
        file.check_unchanged()?;
    }
    Ok(())
}

/// Cuts one text file; whether anyone still listens.
fn cut(plan: &StreamPlan, file: &InputFile, index: usize, runtime: &Handle, sender: &mpsc::Sender<Result<Work>>) -> Result<bool> {
    let reader = text_reader(file, plan.encoding, runtime)?;
    let mut chunker = Chunker::new(reader, &file.key, index, CHUNK_BYTES);
    let codec = Arc::new(match plan.csv() {
        Some(csv) => Codec::Csv(layout(plan, csv, &file.key, &mut chunker)?),
        None => Codec::Jsonl(Paths::new(plan.columns.iter().map(|c| c.from.as_str()))),
    });
    while let Some(chunk) = chunker.next(&codec)? {
        if sender.blocking_send(Ok(Work::Text(Arc::clone(&codec), chunk))).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which field holds which column: from the header, or in the order of the declaration.
fn layout(plan: &StreamPlan, csv: &CsvFormat, key: &str, chunker: &mut Chunker<'_>) -> Result<Layout> {
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
                (None, _) if !column.optional => Err(no_column(key, &column.from, &header)),
                (place, _) => Ok(place),
            }
        })
        .collect::<Result<_>>()?;
    Ok(layout)
}
