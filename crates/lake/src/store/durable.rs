//! A local file system whose writes survive a power cut.
//!
//! `object_store`'s own never syncs: after a crash, a Delta log entry may exist whose data files are empty, or the entry itself may
//! be. Here a write returns only after the file's bytes, then its name, then every folder made for it are on disk. A small object
//! (a log entry, a journal, an alias) is synced *before* it gets its name, so it is never seen half-written, not even after a
//! crash. A multipart upload (a data file) is synced when it is complete; nothing refers to it until the log entry, which comes later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// How something is made durable; replaced in tests, which count.
pub(crate) trait Disk: std::fmt::Debug + Send + Sync + 'static {
    /// Syncs a file's bytes.
    fn sync_file(&self, file: &File, path: &FsPath) -> io::Result<()>;
    /// Syncs the names in a folder.
    fn sync_folder(&self, path: &FsPath) -> io::Result<()>;
}

#[derive(Debug)]
struct RealDisk;

impl Disk for RealDisk {
    fn sync_file(&self, file: &File, _: &FsPath) -> io::Result<()> {
        file.sync_all()
    }

    #[cfg(unix)]
    fn sync_folder(&self, path: &FsPath) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_folder(&self, _: &FsPath) -> io::Result<()> {
        Ok(())
    }
}

/// The local file system, synced. Its `/` is the root of the file system.
#[derive(Debug, Clone)]
pub(crate) struct DurableLocal {
    inner: LocalFileSystem,
    disk: Arc<dyn Disk>,
}

impl DurableLocal {
    pub(crate) fn new() -> Self {
        Self::with_disk(Arc::new(RealDisk))
    }

    pub(crate) fn with_disk(disk: Arc<dyn Disk>) -> Self {
        Self { inner: LocalFileSystem::new(), disk }
    }

    fn fs_path(&self, location: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(location)
    }
}

impl std::fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DurableLocal")
    }
}

/// The folders that must be synced once a file stands at `path`: its own, and the parent of each one that does not exist yet.
fn folders_to_sync(path: &FsPath) -> Vec<PathBuf> {
    let mut folders = vec![];
    let mut folder = path.parent();
    while let Some(here) = folder {
        folders.push(here.to_path_buf());
        if here.exists() {
            break;
        }
        folder = here.parent();
    }
    folders
}

/// A name beside `path` that the store's listings hide, since it ends in `#` and digits.
fn staging_path(path: &FsPath) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!("#{}{:06}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

fn failed(source: io::Error, path: &FsPath) -> Error {
    let path = path.to_string_lossy().into_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        _ => Error::Generic { store: "DurableLocal", source: format!("{path}: {source}").into() },
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Generic { store: "DurableLocal", source: e.into() })?
}

fn put(disk: &dyn Disk, path: &FsPath, payload: &PutPayload, mode: &PutMode) -> Result<PutResult> {
    let folders = folders_to_sync(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(e, parent))?;
    }
    let staging = staging_path(path);
    let staged = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&staging)?;
        payload.iter().try_for_each(|part| file.write_all(part))?;
        disk.sync_file(&file, path)?;
        match mode {
            PutMode::Create => fs::hard_link(&staging, path),
            _ => fs::rename(&staging, path),
        }
    })();
    if staged.is_err() || matches!(mode, PutMode::Create) {
        // A leftover does no harm: listings hide it.
        drop(fs::remove_file(&staging));
    }
    staged.map_err(|e| failed(e, path))?;
    sync_folders(disk, &folders)?;
    Ok(PutResult { e_tag: None, version: None })
}

fn sync_folders(disk: &dyn Disk, folders: &[PathBuf]) -> Result<()> {
    folders.iter().try_for_each(|folder| disk.sync_folder(folder).map_err(|e| failed(e, folder)))
}

fn sync_file_and_folders(disk: &dyn Disk, path: &FsPath, folders: &[PathBuf]) -> Result<()> {
    let file = File::open(path).map_err(|e| failed(e, path))?;
    disk.sync_file(&file, path).map_err(|e| failed(e, path))?;
    sync_folders(disk, folders)
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) || !opts.attributes.is_empty() {
            return self.inner.put_opts(location, payload, opts).await; // says that it can't
        }
        let (disk, path) = (Arc::clone(&self.disk), self.fs_path(location)?);
        blocking(move || put(disk.as_ref(), &path, &payload, &opts.mode)).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.fs_path(location)?;
        let folders = folders_to_sync(&path);
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { inner, disk: Arc::clone(&self.disk), path, folders }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), self.fs_path(to)?);
        let folders = folders_to_sync(&path);
        self.inner.copy_opts(from, to, options).await?;
        blocking(move || sync_file_and_folders(disk.as_ref(), &path, &folders)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (disk, source, path) = (Arc::clone(&self.disk), self.fs_path(from)?, self.fs_path(to)?);
        let mut folders = folders_to_sync(&path);
        folders.extend(source.parent().map(FsPath::to_path_buf));
        self.inner.rename_opts(from, to, options).await?;
        blocking(move || sync_file_and_folders(disk.as_ref(), &path, &folders)).await
    }
}

#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    folders: Vec<PathBuf>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        let (disk, path, folders) = (Arc::clone(&self.disk), self.path.clone(), self.folders.clone());
        blocking(move || sync_file_and_folders(disk.as_ref(), &path, &folders)).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::StreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    /// Writes down what is synced, in order.
    #[derive(Debug, Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Disk for Recorder {
        fn sync_file(&self, _: &File, path: &FsPath) -> io::Result<()> {
            let seen = if path.exists() { "file" } else { "unnamed file" };
            self.0.lock().unwrap().push(format!("{seen} {}", path.file_name().unwrap().to_string_lossy()));
            Ok(())
        }

        fn sync_folder(&self, path: &FsPath) -> io::Result<()> {
            self.0.lock().unwrap().push(format!("folder {}", path.file_name().unwrap().to_string_lossy()));
            Ok(())
        }
    }

    impl Recorder {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    struct Bench {
        _dir: tempfile::TempDir,
        base: Path,
        recorder: Arc<Recorder>,
        store: DurableLocal,
    }

    fn bench() -> Bench {
        let dir = tempfile::Builder::new().prefix("durable").tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap().join("top");
        fs::create_dir(&top).unwrap();
        let recorder = Arc::new(Recorder::default());
        let store = DurableLocal::with_disk(Arc::clone(&recorder) as Arc<dyn Disk>);
        Bench { base: Path::from_absolute_path(&top).unwrap(), _dir: dir, recorder, store }
    }

    #[tokio::test]
    async fn an_object_is_synced_before_it_is_named_and_its_folders_after() {
        let b = bench();
        let path = b.base.clone().join("a").join("b").join("x.json");
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        b.store.put_opts(&path, "one".into(), create.clone()).await.unwrap();
        assert_eq!(b.recorder.take(), ["unnamed file x.json", "folder b", "folder a", "folder top"]);

        let again = b.store.put_opts(&path, "two".into(), create).await.unwrap_err();
        assert!(matches!(again, Error::AlreadyExists { .. }), "{again:?}");
        b.store.put(&path, "three".into()).await.unwrap();
        assert_eq!(b.recorder.take(), ["file x.json", "file x.json", "folder b"]);
        assert_eq!(b.store.get(&path).await.unwrap().bytes().await.unwrap(), "three");
    }

    #[tokio::test]
    async fn an_upload_is_synced_when_it_is_complete() {
        let b = bench();
        let path = b.base.clone().join("t").join("part.parquet");
        let mut upload = b.store.put_multipart(&path).await.unwrap();
        upload.put_part("rows".into()).await.unwrap();
        assert_eq!(b.recorder.take(), [""; 0]);
        upload.complete().await.unwrap();
        assert_eq!(b.recorder.take(), ["file part.parquet", "folder t", "folder top"]);
    }

    #[tokio::test]
    async fn copies_and_renames_are_synced_and_leftovers_hidden() {
        let b = bench();
        let (from, to, moved) = (b.base.clone().join("x"), b.base.clone().join("y"), b.base.clone().join("z"));
        b.store.put(&from, "x".into()).await.unwrap();
        b.recorder.take();
        b.store.copy(&from, &to).await.unwrap();
        assert_eq!(b.recorder.take(), ["file y", "folder top"]);
        b.store.rename(&to, &moved).await.unwrap();
        assert_eq!(b.recorder.take(), ["file z", "folder top", "folder top"]);
        fs::write(b.store.fs_path(&b.base).unwrap().join("half#123"), "half").unwrap();
        let mut names: Vec<_> = b.store.list(Some(&b.base)).map(|m| m.unwrap().location.filename().unwrap().to_owned()).collect().await;
        names.sort();
        assert_eq!(names, ["x", "z"]);
    }
}
