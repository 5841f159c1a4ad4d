//! The project format: every YAML type, parsed with positions.
//!
//! Parsing touches files only; it opens no connection and reads no data. All errors of all files come in one go: of each
//! file its first structural error, and every semantic one ([`Component::validate`]). Start with [`Project::load`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod alerts;
mod at;
mod component;
mod config;
pub mod connector;
mod features;
mod load;
mod message;
mod mlflow;
mod model;
mod opportunities;
mod param;
mod parse;
mod pipeline;
mod plays;
mod project;
mod resolve;
pub mod schemas;
mod scorecard;
mod secrets;
mod site;
pub mod source;
pub mod sql;
pub mod sql_test;
mod store;
mod sync;
mod text;
mod version;

pub use alerts::*;
pub use at::At;
pub use component::{Component, Loaded};
pub use config::{Environment, ProjectConfig};
pub use connector::Connector;
pub use features::*;
pub use message::*;
pub use mlflow::*;
pub use model::*;
pub use opportunities::*;
pub use param::ParamValue;
pub use parse::parse;
pub use pipeline::{AssessStep, ExtractStep, LearnStep, Pipeline, PublishStep, ReportStep, Step, SyncStep, TransformStep};
pub use plays::*;
pub use project::{LoadOptions, Project};
pub use scorecard::*;
pub use secrets::keep_secret;
pub use site::*;
pub use source::{Source, SourceKind};
pub use sql::SqlModel;
pub use sql_test::SqlTests;
pub use store::*;
pub use sync::*;
pub use text::{Piece, Text};
pub use version::Version1;
