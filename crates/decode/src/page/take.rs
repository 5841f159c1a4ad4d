//! Takes records one after the other: filters, explodes, unwraps, and notes where the columns' values stand.

use super::PageContext;
use super::plan::PagePlan;
use crate::codec::Codec;
use crate::codec::cells::{Cell, Chunk, Kind, Record};
use crate::codec::json::{Scan, Walk};
use crate::codec::paths::Paths;
use crate::codec::places::Places;
use crate::reject::{Reason, Rejected, shown};
use cscopilot_spec::connector::Drift;

/// The rows of a text, before they are converted.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Where each row stands, for rejected ones.
    pub(super) rows: Vec<Record>,
    /// Row by row whether it is a deletion.
    pub(super) deletes: Vec<bool>,
    /// Column slot by column slot, one cell a row.
    pub(super) cells: Vec<Vec<Cell>>,
    /// Row, field and place of values that no column reads, where they are kept.
    pub(super) kept: Vec<(usize, usize, Cell)>,
    /// Field by field whether a row has it.
    pub(super) unknown: Vec<bool>,
    pub(super) records: u64,
    pub(super) filtered: u64,
    pub(super) rejected: Vec<Rejected>,
    pub(super) last_id: Option<Cell>,
}

/// Where a text stands in its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) first_line: u64,
    pub(super) offset: u64,
}

/// Takes the records of one answer.
pub(super) struct Taker<'p> {
    pub(super) plan: &'p PagePlan,
    pub(super) codec: &'p Codec,
    pub(super) record: Places<'p>,
    element: Option<Places<'p>>,
    deletes: bool,
    pub(super) position: Position,
    pub(super) taken: Taken,
}

impl<'p> Taker<'p> {
    /// A taker of records that stand in this codec, whose paths are `paths`.
    pub(super) fn new(plan: &'p PagePlan, ctx: &PageContext, codec: &'p Codec, paths: &'p Paths) -> Self {
        let mut taker = Self {
            plan,
            codec,
            record: Places::new(paths),
            element: plan.record.element.as_ref().map(Places::new),
            deletes: plan.record.deletes || ctx.deletes,
            position: Position { first_line: 1, offset: 0 },
            taken: Taken::default(),
        };
        taker.begin(Position { first_line: 1, offset: 0 }, 0);
        taker
    }

    /// What was taken of the text so far; the next text begins.
    pub(super) fn begin(&mut self, position: Position, rows: usize) -> Taken {
        self.position = position;
        let cells = (0..self.plan.record.cells).map(|_| Vec::with_capacity(rows)).collect();
        std::mem::replace(&mut self.taken, Taken { cells, ..Taken::default() })
    }

    /// The names of the fields that no column reads.
    pub(super) fn names(&self) -> &[String] {
        self.element.as_ref().unwrap_or(&self.record).names()
    }

    /// Walks over the record that stands here, and notes its places. Whether it is an object; another value is passed over.
    pub(super) fn scan(&mut self, walk: &mut Walk<'_>) -> Scan<bool> {
        self.record.clear();
        walk.blanks();
        if walk.peek() == Some(b'{') { walk.object(&mut self.record, 0, 0).map(|()| true) } else { walk.skip(0).map(|_| false) }
    }

    /// Takes the record whose places were noted.
    pub(super) fn accept(&mut self, text: &[u8], at: Record) {
        self.taken.records += 1;
        let page = self.plan;
        let plan = &page.record;
        self.taken.last_id = plan.id.and_then(|slot| self.record.row.get(slot)).copied();
        let row = &self.record.row;
        if !plan.filter.iter().all(|condition| condition.holds(row, text, self.codec)) {
            self.taken.filtered += 1;
            return;
        }
        let deleted = self.deletes || plan.delete_when.as_ref().is_some_and(|condition| condition.holds(row, text, self.codec));
        match &plan.explode {
            None => self.row(text, at, deleted),
            Some(slot) => {
                let list = row.get(slot.slot).copied().unwrap_or(Cell::MISSING);
                self.explode(text, at, list, deleted);
            }
        }
    }

    /// Counts a record that is no object.
    pub(super) fn odd(&mut self, text: &[u8], at: Record) {
        self.taken.records += 1;
        self.taken.last_id = None;
        self.reject(text, at, Reason::NotAnObject, format!("the record is no object but {}", shown(at.bytes(text))));
    }

    pub(super) fn reject(&mut self, text: &[u8], at: Record, reason: Reason, detail: String) {
        let Position { first_line, offset } = self.position;
        let line = first_line + u64::from(at.line);
        self.taken.rejected.push(Rejected::new(reason, detail, at.bytes(text), line, offset + u64::from(at.start)));
    }

    /// Counts the piece of a record that doesn't fit into memory.
    pub(super) fn too_long(&mut self, chunk: &Chunk) -> Position {
        let position = Position { first_line: chunk.first_line, offset: chunk.offset };
        self.begin(position, 0);
        self.taken.records += 1;
        let detail = "the record is longer than 32 MiB";
        self.taken.rejected.push(Rejected::new(Reason::TooLong, detail, &chunk.text, chunk.first_line, chunk.offset));
        position
    }

    /// The elements of a list as rows.
    fn explode(&mut self, text: &[u8], at: Record, list: Cell, deleted: bool) {
        let bytes = list.bytes(text);
        match (list.kind(), bytes.first()) {
            (Kind::Missing | Kind::Null, _) => return,
            (Kind::Composite, Some(b'[')) => {}
            _ => {
                let path = self.plan.record.explode.as_ref().map_or("", |slot| slot.path.as_str());
                self.reject(text, at, Reason::BadValue, format!("{} at `{path}` is no list", shown(bytes)));
                return;
            }
        }
        let start = list.start();
        let end = start + bytes.len();
        let mut walk = Walk::new(&text[..end], start);
        let mut more = walk.open(b']');
        while more {
            walk.blanks();
            let start = walk.at;
            let object = walk.peek() == Some(b'{');
            let walked = match &mut self.element {
                Some(places) if object => {
                    places.clear();
                    walk.object(places, 0, 0)
                }
                _ => walk.skip(0).map(|_| ()),
            };
            let element = place(start, walk.at, at.line);
            // The grammar was checked before.
            match walked.and_then(|()| walk.more(b']')) {
                Ok(next) => more = next,
                Err(_) => {
                    self.reject(text, at, Reason::BrokenJson, "an element of the list can't be read".to_owned());
                    return;
                }
            }
            if object {
                self.row(text, element, deleted);
            } else {
                self.reject(text, element, Reason::NotAnObject, format!("the element is no object but {}", shown(element.bytes(text))));
            }
        }
    }

    /// The row whose places were noted.
    fn row(&mut self, text: &[u8], at: Record, deleted: bool) {
        let page = self.plan;
        let plan = &page.record;
        let row = self.element.as_ref().unwrap_or(&self.record);
        if let Some(unwrap) = &plan.unwrap {
            let cell = row.row.get(unwrap.slot).copied().unwrap_or(Cell::MISSING);
            if cell.kind() != Kind::Composite || cell.bytes(text).first() != Some(&b'{') {
                let detail = format!("there is no object at `{}`", unwrap.path);
                self.reject(text, at, Reason::NotAnObject, detail);
                return;
            }
        }
        let taken = &mut self.taken;
        if !row.unknown.is_empty() {
            let fields = row.names().len();
            if taken.unknown.len() < fields {
                taken.unknown.resize(fields, false);
            }
            for (field, _) in &row.unknown {
                taken.unknown[*field] = true;
            }
            match page.drift {
                Drift::Freeze | Drift::DiscardValue => {}
                Drift::Evolve => {
                    let number = taken.rows.len();
                    taken.kept.extend(row.unknown.iter().map(|(field, cell)| (number, *field, *cell)));
                }
                Drift::DiscardRow => {
                    let mut names: Vec<String> = row.unknown.iter().map(|(field, _)| format!("`{}`", row.names()[*field])).collect();
                    names.sort();
                    names.dedup();
                    let detail = format!("no column reads {}", names.join(", "));
                    self.reject(text, at, Reason::UnknownField, detail);
                    return;
                }
            }
        }
        taken.rows.push(at);
        taken.deletes.push(deleted);
        match &self.element {
            None => {
                for (cells, cell) in taken.cells.iter_mut().zip(&self.record.row) {
                    cells.push(*cell);
                }
            }
            Some(element) => {
                for (slot, cells) in taken.cells.iter_mut().enumerate() {
                    let places = if plan.rooted[slot] { &self.record } else { element };
                    cells.push(places.row[slot]);
                }
            }
        }
    }
}

/// The place of a record in a text of less than 4 GiB.
pub(super) fn place(start: usize, end: usize, line: u32) -> Record {
    #[allow(clippy::cast_possible_truncation)]
    Record { start: start as u32, end: end as u32, line }
}
