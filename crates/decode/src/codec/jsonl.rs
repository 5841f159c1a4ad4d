//! JSON Lines: finds the declared paths of each line without building a tree.
//!
//! Event files are the largest files there are, and of each record only a few values are wanted. The scanner walks a line once,
//! checks its grammar, and notes where the wanted values stand.

use super::cells::{Chunk, Record, Scanned};
use super::json::{Broken, Walk};
use super::places::Places;
use crate::reject::{Reason, Rejected, shown};
use memchr::memchr;

pub(crate) use super::json::unescape;
pub(crate) use super::paths::{Paths, segments};

/// Notes the places of the wanted values of every line.
pub(crate) fn scan(paths: &Paths, chunk: &Chunk) -> Scanned {
    let text = &chunk.text;
    let mut out = Scanned::new(paths.columns(), text.len() / 128);
    let mut places = Places::new(paths);
    let mut start = 0;
    let mut line = 0_u32;
    while start < text.len() {
        let next = memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n + 1);
        let end = trim_end(text, start, next);
        if !blank(&text[start..end]) {
            places.clear();
            let mut walk = Walk::new(&text[..end], start);
            match walk.record(&mut places) {
                Ok(()) => {
                    #[allow(clippy::cast_possible_truncation)]
                    out.records.push(Record { start: start as u32, end: end as u32, line });
                    for (column, cell) in out.cells.iter_mut().zip(&places.row) {
                        column.push(*cell);
                    }
                }
                Err(why) => {
                    let (reason, detail) = explain(why, &text[start..end], walk.at.min(end) - start);
                    out.rejected.push(Rejected::new(
                        reason,
                        detail,
                        &text[start..end],
                        chunk.first_line + u64::from(line),
                        chunk.offset + start as u64,
                    ));
                }
            }
        }
        start = next;
        line += 1;
    }
    out
}

/// What is wrong with a line in which the walk ended at a position.
pub(crate) fn explain(why: Broken, line: &[u8], at: usize) -> (Reason, String) {
    let what = match why {
        Broken::NotAnObject => return (Reason::NotAnObject, "the line is no JSON object".to_owned()),
        Broken::Early => "the line ends too early",
        Broken::Syntax(what) => what,
    };
    let rest = &line[at..];
    let place = if rest.is_empty() { "at the end of the line".to_owned() } else { format!("at byte {}, near {}", at + 1, shown(rest)) };
    (Reason::BrokenJson, format!("{what} {place}"))
}

/// The end of a line without its line break.
pub(crate) fn trim_end(text: &[u8], start: usize, next: usize) -> usize {
    let mut end = next;
    if end > start && text[end - 1] == b'\n' {
        end -= 1;
    }
    if end > start && text[end - 1] == b'\r' {
        end -= 1;
    }
    end
}

/// Whether a line holds nothing.
pub(crate) fn blank(line: &[u8]) -> bool {
    line.iter().all(|b| is_blank(*b))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests;
