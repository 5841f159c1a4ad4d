//! Connectors: how a vendor's API is spoken, declared in YAML so that another vendor is another file and no code.
//!
//! The words are those of the field (dlt): a `client` with auth and limits, streams with an `endpoint`, a `paginator`, an `incremental`
//! cursor. A manifest says what an API is like; a source ([`crate::Source`]) says which account is read, with which secrets.

use crate::source::{Column, ColumnType, Ordered};
use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;

mod auth;
mod builtin;
mod check;
mod client;
mod endpoint;
mod errors;
mod incremental;
mod job;
mod paginator;
mod partitions;
mod records;
mod template;
#[cfg(test)]
mod tests;

pub use auth::{ApiKey, Auth, Basic, Bearer, ClientCredentials, CredentialsIn, JwtBearer, OauthRefresh};
pub(crate) use builtin::builtin;
pub use client::{Budget, ClientSpec, Probe, QuotaHeader, Rate, Retry};
pub use endpoint::{Body, CsvBody, Endpoint, Method, ResponseFormat};
pub use errors::{Action, ErrorRule, Predicate, WaitUntil};
pub use incremental::{Checkpoint, CursorFormat, Edge, Incremental};
pub use job::{Count, Job, JobResults, Poll};
pub use paginator::{
    CursorPaginator, IdPaginator, NextUrlPaginator, OffsetPaginator, PagePaginator, Paginator, Place, Restart, SessionPaginator,
};
pub use partitions::{ListPartitions, ParentPartitions, Partitions};
pub use records::{Added, Filter, PropertyChunks, Records};
pub use template::{JsonTemplate, Template, TemplateError};

/// `configs/connectors/<name>.yaml`: how an API is spoken.
///
/// Strings marked as templates are rendered by Jinja rules with `setting.*`, `auth.*` (what the token answer said), `window.start` and
/// `window.end`, `page.token` and `page.number`, `restart.key`, `partition.*`, `parent.*`, `job.id`, and `stream.*` (`fields` and the
/// stream's `vars`). A request parameter whose template gives nothing is left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// The format's version.
    pub version: Version1,
    /// What the API is.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the vendor documents it.
    #[serde(default)]
    pub docs: Option<String>,
    /// What a source says of its account.
    #[serde(default)]
    pub settings: Ordered<Setting>,
    /// How requests are sent.
    pub client: ClientSpec,
    /// The streams by name.
    pub streams: Ordered<ConnectorStream>,
}

/// One thing that a source says of its account.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Setting {
    /// What it is.
    pub description: Option<String>,
    /// Its value where the source says nothing. Without a default it must be given if anything uses it.
    pub default: Option<String>,
    /// Whether it is secret: then only `auth` may use it.
    pub secret: bool,
}

/// One kind of record of an API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorStream {
    /// What one row is.
    #[serde(default)]
    pub description: Option<String>,
    /// The columns, in the order in which the table has them. `from` is a path below the record (after `unwrap` and `explode`); a path
    /// that begins with `$.` starts at the record as it was sent.
    pub columns: Ordered<Column>,
    /// The columns that identify a record.
    pub primary_key: Vec<At<String>>,
    /// Words that templates see as `stream.<name>`, so that streams which differ in a word can share their reads by a YAML alias.
    #[serde(default)]
    pub vars: std::collections::BTreeMap<String, String>,
    /// What becomes of fields that no column reads.
    #[serde(default)]
    pub drift: Drift,
    /// A source that selects no streams doesn't read this one.
    #[serde(default)]
    pub opt_in: bool,
    /// How the stream is read: one read, or one for the first time and others for later.
    pub reads: Vec<Read>,
}

/// What becomes of fields that no column reads. Fields that a column's path passes through are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The table gets a column of text for each new top-level field: strings as they are, all else as JSON.
    Evolve,
    /// A new field is an error.
    Freeze,
    /// New fields are left out, and named once in a warning-free fact of the run.
    #[default]
    DiscardValue,
    /// Rows that have new fields are rejected.
    DiscardRow,
}

/// One way to read a stream.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The read's name, under which its cursor is kept.
    pub name: At<String>,
    /// When it is done.
    #[serde(default)]
    pub when: When,
    /// Where this read can't look further back than so many days, an older checkpoint makes the stream be read as at first.
    #[serde(default)]
    pub max_age_days: Option<u32>,
    /// The request.
    pub endpoint: Endpoint,
    /// How the answer is written.
    #[serde(default)]
    pub response: ResponseFormat,
    /// How the next page is asked for; there is only one without it.
    #[serde(default)]
    pub paginator: Option<Paginator>,
    /// Where the records stand.
    #[serde(default)]
    pub records: Records,
    /// Which part of the records is read; all of them every time without it.
    #[serde(default)]
    pub incremental: Option<Incremental>,
    /// One run of requests for each of these.
    #[serde(default)]
    pub partitions: Option<Partitions>,
    /// Records come from a job that is created, polled and fetched.
    #[serde(default)]
    pub job: Option<Job>,
    /// Records for which this holds are deletions. Its path starts at the record as it was sent.
    #[serde(default)]
    pub delete_when: Option<Predicate>,
    /// All records of this read are deletions.
    #[serde(default)]
    pub deletes: bool,
    /// Whether an answer holds every record there is, so that keys that vanish were deleted.
    #[serde(default)]
    pub complete: bool,
    /// Rules for errors that only this read knows, before those of the client.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
}

/// When a read is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Every time.
    #[default]
    Always,
    /// When nothing was read yet.
    First,
    /// After the first time: from the moment at which that began.
    Later,
}

impl ConnectorStream {
    /// Whether a column identifies records, or may not be NULL for another reason.
    #[must_use]
    pub fn needs_value(&self, column: &str) -> bool {
        self.primary_key.iter().any(|key| key.value == column) || self.columns.get(column).is_some_and(|c| c.not_null)
    }
}

impl Component for Connector {
    const KIND: &'static str = "connector";
    const LOCATION: &'static str = "configs/connectors";

    fn validate(loaded: &Loaded<Self>, _: &Project, out: &mut Diagnostics) {
        check::connector(loaded, out);
    }
}

/// Whether a type can hold a cursor.
pub(crate) fn is_cursor_type(kind: ColumnType) -> bool {
    kind.is_ordered()
}
