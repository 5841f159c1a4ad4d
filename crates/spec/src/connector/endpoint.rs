use super::{JsonTemplate, Template};
use crate::At;
use crate::source::Ordered;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What follows the client's `base_url`; a whole URL is taken as it is.
    pub path: At<Template>,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// Query parameters, in the file's order; those that give nothing are left out. A list stands for one parameter several times.
    #[serde(default)]
    pub params: Ordered<JsonTemplate>,
    /// Headers besides the client's.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// What is sent.
    #[serde(default)]
    pub body: Option<Body>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// POST; it is taken to read only, so it may be sent again.
    Post,
    /// DELETE.
    Delete,
}

/// What a request sends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A JSON value.
    Json(JsonTemplate),
    /// Form fields.
    Form(Ordered<Template>),
}

/// How an answer's body is written. Gzip is recognised by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponseFormat {
    /// One JSON document.
    #[default]
    Json,
    /// One JSON object a line; a record that stands on two lines is joined.
    Jsonl,
    /// A header and records (RFC 4180).
    Csv(CsvBody),
    /// A zip archive of JSON Lines files, each of them gzipped or not.
    ZipJsonl,
}

/// How a CSV body is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvBody {
    /// The sign between fields; a comma by default.
    pub delimiter: Option<At<char>>,
}
