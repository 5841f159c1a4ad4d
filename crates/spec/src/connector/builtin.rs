//! The manifests that the binary brings along, so that a source can name them without copying a file.

use include_dir::{Dir, include_dir};

static MANIFESTS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../configs/connectors");

/// Name and text of each.
pub(crate) fn builtin() -> impl Iterator<Item = (&'static str, &'static str)> {
    MANIFESTS.files().filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
}
