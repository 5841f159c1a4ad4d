//! YAML text to typed values, with every error at its line and column.
//!
//! serde stops at the first structural error of a file; semantic rules run afterwards over all files that parsed.

use cscopilot_diag::{Diagnostic, Place, suggest};
use serde::de::DeserializeOwned;
use serde_saphyr::Error;
use std::sync::Arc;

/// Parses one YAML document. `line_offset` is the number of lines above it in the file (a header in a SQL file).
///
/// # Errors
/// One diagnostic: `SPC001` for broken YAML, `SPC002` for an unknown field or kind, `SPC003` for a missing field,
/// `SPC004` for a key that stands twice, `SPC005` for a value of the wrong type or form.
pub fn parse<T: DeserializeOwned>(path: &str, file_text: &Arc<str>, yaml: &str, line_offset: u32) -> Result<T, Diagnostic> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let error = error.without_snippet();
        let place = match error.location() {
            Some(at) if at.line() > 0 => {
                let number = |n: u64| u32::try_from(n).unwrap_or(0);
                Place::new(path, Arc::clone(file_text), number(at.line()) + line_offset, number(at.column()))
            }
            _ => Place::file(path),
        };
        describe(error).at(place)
    })
}

/// Our words for the parser's error.
fn describe(error: &Error) -> Diagnostic {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            Diagnostic::error("SPC002", format!("unknown field `{field}`")).with_help_opt(suggest::help(field, expected.iter().copied()))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            Diagnostic::error("SPC002", format!("unknown kind `{variant}`")).with_help_opt(suggest::help(variant, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => Diagnostic::error("SPC003", format!("missing field `{field}`"))
            .with_help(format!("add `{field}:`; the file's JSON Schema in `schemas/` describes it")),
        Error::DuplicateMappingKey { key, .. } => {
            let name = key.as_deref().map_or_else(String::new, |k| format!(" `{k}`"));
            Diagnostic::error("SPC004", format!("the key{name} stands twice")).with_help("remove one of the two")
        }
        Error::SerdeInvalidType { unexpected, expected, .. } | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            Diagnostic::error("SPC005", format!("{} found where {} belongs", unexpected, expected))
        }
        Error::ExternalMessage { .. } | Error::Eof { .. } | Error::InvalidUtf8Input => Diagnostic::error("SPC001", one_line(error))
            .with_help("the file is not valid YAML here: check indentation, quotes and brackets"),
        _ => Diagnostic::error("SPC005", in_words(one_line(error))),
    }
}

/// Rust's names of types mean nothing to whoever writes YAML.
fn in_words(message: String) -> String {
    match message.strip_prefix("invalid ") {
        Some("u8" | "u16" | "u32" | "u64" | "usize") => "a whole number from 0 up belongs here".to_owned(),
        Some("i8" | "i16" | "i32" | "i64" | "isize") => "a whole number belongs here".to_owned(),
        Some("f32" | "f64" | "floating point value") => "a number belongs here".to_owned(),
        Some("boolean") => "true or false belongs here".to_owned(),
        _ => message,
    }
}

/// The first line of the parser's own message, without its position, which stands in the place.
fn one_line(error: &Error) -> String {
    let text = error.render();
    let first = text.lines().next().unwrap_or("").trim().trim_start_matches("error: ");
    let (message, _) = first.split_once(" at line ").unwrap_or((first, ""));
    match message.strip_prefix("line ").and_then(|m| m.split_once(": ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}
