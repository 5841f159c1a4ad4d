//! What a check of a project finds in sources beyond their own rules: names that only this crate can judge.

use cscopilot_decode::{encoding, time_zone};
use cscopilot_diag::Diagnostics;
use cscopilot_lake::TableName;
use cscopilot_spec::Project;
use cscopilot_spec::source::Format;
use std::collections::BTreeMap;

/// Adds errors for encodings and time zones that nobody knows.
pub fn check(project: &Project, _schemas: &BTreeMap<TableName, cscopilot_lake::SchemaRef>, out: &mut Diagnostics) {
    for source in project.sources.values() {
        for (_, stream) in source.value.streams.iter() {
            let label = match stream.format() {
                Some(Format::Csv(csv)) => Some(csv.encoding),
                Some(Format::Jsonl(jsonl)) => Some(jsonl.encoding),
                Some(Format::Parquet(_)) | None => None,
            };
            if let Some(label) = label.filter(|label| encoding(label).is_none()) {
                out.push(
                    source
                        .error("EXT003", &label, format!("`{label}` is no known encoding"))
                        .with_help("take a web label such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis"),
                );
            }
            for (_, column) in stream.columns.iter() {
                if let Some(zone) = column.zone.as_ref().filter(|zone| time_zone(zone).is_none()) {
                    out.push(
                        source
                            .error("EXT004", zone, format!("`{zone}` is no known time zone"))
                            .with_help("take a name such as `Europe/Berlin` or an offset such as `+02:00`"),
                    );
                }
            }
        }
    }
}
