//! What a connector's read means for the bodies of its answers: paths compiled, columns bound, made once for all pages.

use super::condition::Condition;
use crate::codec::Codec;
use crate::codec::jsonl::{Paths, segments};
use crate::convert::number::Style;
use crate::convert::time::Form;
use crate::convert::{ColumnPlan, arrow_type};
use crate::error::Error;
use crate::log::log_schema;
use crate::plan::time_zone;
use arrow::datatypes::SchemaRef;
use cscopilot_spec::connector::{ConnectorStream, Drift, Paginator, Predicate, Read, ResponseFormat};
use cscopilot_spec::source::{Column, Ordered};
use std::sync::Arc;

/// How bodies of one read become rows.
#[derive(Debug)]
pub struct PagePlan {
    pub(super) columns: Vec<PageColumn>,
    /// Declared columns, those of `records.add`, and the log's own.
    pub(super) schema: SchemaRef,
    pub(super) drift: Drift,
    /// What is wanted of the answer beside its records.
    pub(super) envelope: Envelope,
    pub(super) record: RecordPlan,
    pub(super) chunks: Option<ChunkKey>,
}

/// One column of the table.
#[derive(Debug)]
pub(super) struct PageColumn {
    pub(super) plan: ColumnPlan,
    pub(super) origin: Origin,
    /// A value must be there, except where a record is deleted.
    pub(super) not_null: bool,
}

/// Where a column's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A slot of the record's cells.
    Record(usize),
    /// The request: a position in `records.add`.
    Request(usize),
}

/// What is wanted of an answer beside its records.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) paths: Paths,
    /// The way to the records, as nodes and children of the paths; empty where the body itself is the list.
    pub(super) trail: Vec<(usize, usize)>,
    /// The same as it was declared.
    pub(super) records: Option<String>,
    /// The records' place holds one record.
    pub(super) single: bool,
    /// Some of the values stand in the records.
    pub(super) inside: bool,
}

/// What is wanted of each record. All slots are numbered through; a slot's value comes from the record or from an exploded element.
#[derive(Debug)]
pub(super) struct RecordPlan {
    /// Holds the paths of the record as it was sent. Those of CSV know no header yet.
    pub(super) codec: Codec,
    /// The paths of an element, where a list is exploded.
    pub(super) element: Option<Paths>,
    /// Slots of columns; slots of conditions and the like follow.
    pub(super) cells: usize,
    /// Slot by slot the path, for CSV.
    pub(super) names: Vec<String>,
    /// Column slots that come from the record although its elements are the rows.
    pub(super) rooted: Vec<bool>,
    pub(super) filter: Vec<Condition>,
    pub(super) delete_when: Option<Condition>,
    pub(super) deletes: bool,
    pub(super) explode: Option<Slot>,
    pub(super) unwrap: Option<Slot>,
    pub(super) id: Option<usize>,
}

/// A slot, and the path that messages name.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) slot: usize,
    pub(super) path: String,
}

/// How answers for groups of fields are joined.
#[derive(Debug)]
pub(super) struct ChunkKey {
    pub(super) key: String,
    pub(super) below: Option<String>,
}

/// Paths by slot, for the record and for its elements.
#[derive(Debug, Default)]
struct Slots {
    names: Vec<String>,
    record: Vec<(usize, String)>,
    element: Vec<(usize, String)>,
}

impl Slots {
    fn add(&mut self, path: String, of_element: bool) -> usize {
        let slot = self.names.len();
        self.names.push(segments(&path).join("."));
        if of_element { &mut self.element } else { &mut self.record }.push((slot, path));
        slot
    }

    fn paths(&self, of_element: bool) -> Paths {
        let paths = if of_element { &self.element } else { &self.record };
        Paths::of(self.names.len(), paths.iter().map(|(slot, path)| (*slot, path.as_str())))
    }
}

impl PagePlan {
    /// The plan of one read of a stream. `extra` are columns that the source adds to the connector's; one of the same name replaces it.
    /// `envelope` are paths in the body whose values are wanted of each answer.
    ///
    /// # Errors
    /// [`Error::UnknownZone`].
    pub fn new(
        stream: &ConnectorStream,
        extra: &Ordered<Column>,
        drift: Drift,
        read: &Read,
        format: &ResponseFormat,
        envelope: &[String],
    ) -> Result<Self, Error> {
        let csv = matches!(format, ResponseFormat::Csv(_));
        let records = &read.records;
        // What is said of JSON records doesn't hold for a read that gets the same as a table.
        let unwrap = records.unwrap.as_ref().filter(|_| !csv).map(|path| rootless(path).to_owned());
        let explode = records.explode.as_ref().filter(|_| !csv).map(|path| rootless(path).to_owned());
        let mut slots = Slots::default();
        let mut rooted = Vec::new();
        let mut columns = Vec::new();
        for (name, column) in declared(stream, extra) {
            let key = stream.primary_key.iter().any(|key| key.value == name);
            let origin = match records.add.position(name) {
                Some(position) => Origin::Request(position),
                None => {
                    let from = column.from.as_ref().map_or_else(|| escaped(name), |from| from.value.clone());
                    let at_root = from.starts_with("$.");
                    let path = match &unwrap {
                        Some(unwrap) if !at_root => format!("{unwrap}.{from}"),
                        _ => rootless(&from).to_owned(),
                    };
                    rooted.push(at_root);
                    Origin::Record(slots.add(path, explode.is_some() && !at_root))
                }
            };
            columns.push(PageColumn { plan: column_plan(name, column, key, csv)?, origin, not_null: column.not_null && !key });
        }
        for (position, (name, added)) in records.add.iter().enumerate() {
            if !columns.iter().any(|c| *c.plan.name == *name.value) {
                let key = stream.primary_key.iter().any(|key| key.value == name.value);
                let plan = column_plan(name, &Column::new(added.r#type.value), key, false)?;
                columns.push(PageColumn { plan, origin: Origin::Request(position), not_null: false });
            }
        }
        let cells = slots.names.len();
        let mut condition = |predicate: &Predicate| {
            let slot = slots.add(rootless(path_of(predicate)).to_owned(), false);
            Condition::new(slot, predicate)
        };
        let filter = records.filter.iter().map(&mut condition).collect();
        let delete_when = read.delete_when.as_ref().map(&mut condition);
        let id = id_path(read).map(|path| slots.add(rootless(path).to_owned(), false));
        let unwrap = unwrap.map(|path| Slot { slot: slots.add(path.clone(), explode.is_some()), path });
        let explode = explode.map(|path| Slot { slot: slots.add(path.clone(), false), path });
        // Fields of the row are noted: those of what is unwrapped, of an element, or of the record.
        let row = unwrap.as_ref().map(|slot| slot.path.as_str());
        let (record, element) = match &explode {
            None => (slots.paths(false).noting(row), None),
            Some(_) => (slots.paths(false), Some(slots.paths(true).noting(row))),
        };
        Ok(Self {
            schema: schema_of(&columns),
            columns,
            drift,
            envelope: Envelope::new(envelope, read),
            record: RecordPlan {
                codec: Codec::Jsonl(record),
                element,
                cells,
                names: slots.names,
                rooted,
                filter,
                delete_when,
                deletes: read.deletes,
                explode,
                unwrap,
                id,
            },
            chunks: records
                .property_chunks
                .as_ref()
                .map(|c| ChunkKey { key: rootless(&c.key).to_owned(), below: c.below.as_ref().map(|b| rootless(b).to_owned()) }),
        })
    }
}

impl Envelope {
    fn new(wanted: &[String], read: &Read) -> Self {
        let records = read.records.path.as_ref().map(|path| rootless(path).to_owned());
        let mut paths = Paths::new(wanted.iter().map(|path| rootless(path)));
        let trail = records.as_deref().map(|path| paths.trail(path)).unwrap_or_default();
        let inside = match &records {
            // The body is the records.
            None => !wanted.is_empty(),
            Some(records) => wanted.iter().any(|path| rootless(path).starts_with(&format!("{records}."))),
        };
        Self { paths, trail, records, single: read.records.single, inside }
    }
}

/// The declared columns, then those that the source adds.
fn declared<'a>(stream: &'a ConnectorStream, extra: &'a Ordered<Column>) -> impl Iterator<Item = (&'a str, &'a Column)> {
    let own = stream.columns.iter().map(|(name, column)| (name.as_str(), extra.get(name).unwrap_or(column)));
    let more = extra.iter().filter(|(name, _)| stream.columns.get(name).is_none()).map(|(name, column)| (name.as_str(), column));
    own.chain(more)
}

/// A path from the record as it was sent; `$.` only says so.
fn rootless(path: &str) -> &str {
    path.strip_prefix("$.").unwrap_or(path)
}

/// A name as a path of one key.
fn escaped(name: &str) -> String {
    name.replace('.', "\\.")
}

fn path_of(predicate: &Predicate) -> &str {
    predicate.path.as_ref().map_or("", |path| path.value.as_str())
}

/// The path of the id from which the next page goes on.
fn id_path(read: &Read) -> Option<&str> {
    let paginators = read.paginator.iter().chain(read.job.iter().filter_map(|job| job.results.paginator.as_ref()));
    paginators
        .filter_map(|paginator| match paginator {
            Paginator::LastId(p) => Some(p.id.value.as_str()),
            Paginator::Cursor(p) => p.restart.as_ref().map(|restart| restart.key.value.as_str()),
            _ => None,
        })
        .next()
}

fn column_plan(name: &str, column: &Column, key: bool, csv: bool) -> Result<ColumnPlan, Error> {
    let mut forms: Vec<Form> = column.all_formats().map(|f| Form::parse(f)).collect();
    if forms.is_empty() {
        forms.push(Form::Iso);
    }
    let zone = match &column.zone {
        None => None,
        Some(zone) => time_zone(zone).ok_or_else(|| Error::UnknownZone { zone: zone.value.clone() })?,
    };
    let mut null_values: Vec<Vec<u8>> = column.null_values.iter().map(|v| v.clone().into_bytes()).collect();
    if csv {
        null_values.push(Vec::new());
    }
    Ok(ColumnPlan {
        name: Arc::from(name),
        from: column.from.as_ref().map_or_else(|| name.to_owned(), |from| from.value.clone()),
        kind: column.r#type.value,
        needs_value: key,
        optional: column.optional,
        trim: false,
        null_values,
        forms,
        zone,
        style: Style {
            point: column.decimal_separator.as_ref().map_or('.', |s| s.value),
            thousands: column.thousands_separator.as_ref().map(|s| s.value),
        },
        round: column.round,
        true_values: column.true_values.clone(),
        false_values: column.false_values.clone(),
    })
}

fn schema_of(columns: &[PageColumn]) -> SchemaRef {
    log_schema(columns.iter().map(|c| (&*c.plan.name, arrow_type(c.plan.kind))))
}
