use crate::{At, Project};
use cscopilot_diag::{Diagnostic, Diagnostics, Place};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A YAML file type of a project: where its files lie, and its semantic rules.
pub trait Component: DeserializeOwned + JsonSchema + Sized {
    /// The type's name: `source`, `model`; the JSON Schema is `schemas/<KIND>.schema.json`.
    const KIND: &'static str;
    /// The folder of its files below the project's root, or the one file's path.
    const LOCATION: &'static str;

    /// Adds every semantic error: broken rules and references to what is not there.
    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics);
}

/// A parsed YAML file: the value, and what is needed to point into it.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The component's name: the file's stem.
    pub name: String,
    /// The file's path below the project's root, with forward slashes.
    pub path: String,
    /// The file's text.
    pub text: Arc<str>,
    /// What it says.
    pub value: T,
}

impl<T> Loaded<T> {
    /// The place of a value in this file.
    pub fn place<V>(&self, at: &At<V>) -> Place {
        Place::new(self.path.clone(), Arc::clone(&self.text), at.line, at.column)
    }

    /// An error that points at a value of this file.
    pub fn error<V>(&self, code: &'static str, at: &At<V>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(self.place(at))
    }
}
