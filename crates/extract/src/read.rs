//! Reads all files of a stream: one thread opens and cuts them, all cores parse, rows come out in the order of the files.

use crate::error::{Error, Result};
use crate::files::{InputFile, Place, read_error};
use crate::plan::StreamPlan;
use bytes::{Buf, Bytes};
use cscopilot_decode::{Chunk, Chunks, FileContext, ParquetInput, Parsed, read_parquet};
use cscopilot_spec::source::Format;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::GetOptions;
use std::io::Read;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// What the reading thread hands on.
enum Work {
    Text(Chunk),
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
                Work::Text(chunk) => Ok(tokio::task::spawn_blocking(move || chunk.rows(&plan.rows, &contexts[chunk.file()]))
                    .await
                    .map_err(|e| Error::Task(e.to_string()))??),
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
        tracing::debug!(table = %plan.tables.rows, file = file.key, bytes = file.size, "reading");
        let go_on = match &plan.rows.format {
            Format::Parquet(_) => {
                let mut go_on = true;
                read_parquet(&plan.rows, &contexts[index], index, parquet(file, runtime)?, &mut |parsed| {
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
    for chunk in Chunks::open(&plan.rows, &file.key, index, stored(file, runtime)?)? {
        if sender.blocking_send(Ok(Work::Text(chunk?))).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The bytes of a Parquet file. Must be called where blocking is allowed.
fn parquet(file: &InputFile, runtime: &Handle) -> Result<ParquetInput> {
    match &file.place {
        Place::Local { path, .. } => Ok(ParquetInput::File(std::fs::File::open(path).map_err(|e| read_error(&file.key, &e))?)),
        Place::Object { store, meta } => {
            let options = GetOptions { if_match: meta.e_tag.clone(), ..GetOptions::default() };
            let bytes = runtime.block_on(async { store.get_opts(&meta.location, options).await?.bytes().await });
            Ok(ParquetInput::Bytes(bytes.map_err(|e| read_error(&file.key, &e))?))
        }
    }
}

/// A reader of a file's bytes as they are stored. Must be called, and read, where blocking is allowed.
fn stored(file: &InputFile, runtime: &Handle) -> Result<Box<dyn Read + Send>> {
    match &file.place {
        Place::Local { path, .. } => Ok(Box::new(std::fs::File::open(path).map_err(|e| read_error(&file.key, &e))?)),
        Place::Object { store, meta } => {
            let options = GetOptions { if_match: meta.e_tag.clone(), ..GetOptions::default() };
            let got = runtime.block_on(store.get_opts(&meta.location, options)).map_err(|e| match e {
                object_store::Error::Precondition { .. } => Error::Changed { path: file.key.clone() },
                e => read_error(&file.key, &e),
            })?;
            let chunks = got.into_stream().map_err(std::io::Error::other).boxed();
            Ok(Box::new(Download { chunks, rest: Bytes::new(), runtime: runtime.clone() }))
        }
    }
}

/// The chunks of a download, read by a thread that may block.
struct Download {
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
    rest: Bytes,
    runtime: Handle,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.chunks.next()) {
                Some(chunk) => self.rest = chunk?,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Root;
    use cscopilot_spec::Source;
    use object_store::ObjectStoreExt;

    #[tokio::test]
    async fn reads_compressed_files_from_a_bucket() {
        let store: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        let line = |n: usize| format!("{{\"text\":\"{n}\",\"int\":{n}}}\n");
        let text: String = (0..50_000).map(line).collect();
        store.put(&"exports/a.jsonl.zst".into(), zstd::encode_all(text.as_bytes(), 1).unwrap().into()).await.unwrap();
        let root = Root::Bucket { store, prefix: "exports".into(), url: "memory://".to_owned() };
        let files = root.list("*.zst").await.unwrap();
        assert_eq!((files.len(), files[0].content.starts_with("etag:")), (1, true));
        let yaml = "version: 1\nfiles: {path: x}\nstreams:\n  t:\n    files: '*'\n    format: {jsonl: {}}\n    columns: {text: {type: string}, int: {type: int}}\n";
        let source: Source = cscopilot_spec::parse("s.yaml", &Arc::from(yaml), yaml, 0).unwrap_or_else(|e| panic!("{e}"));
        let plan = StreamPlan::new("s", &source, "t", source.streams.get("t").unwrap()).unwrap();
        let context = FileContext { key: "f".into(), batch: "b".into(), seen: None, extracted_at_micros: 0 };
        let parsed: Vec<Parsed> = read(Arc::new(plan), Arc::new(files), Arc::new(vec![context]), 2).try_collect().await.unwrap();
        let ints: Vec<i64> = parsed
            .iter()
            .flat_map(|p| arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(p.batch.column(1)).values().to_vec())
            .collect();
        assert_eq!(ints, (0..50_000).collect::<Vec<i64>>());
    }
}
