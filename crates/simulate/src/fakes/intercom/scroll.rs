//! The scroll over all companies: one at a time, and nowhere to go on from if a page is lost.
//!
//! All pages of a scroll have the same parameter, and each request with it gives the next page, whether or not the one
//! before arrived. So who asks again for a page that broke off misses a hundred companies, as the vendor warns: "It is not
//! possible to continue from a specific point when using scroll."
//!
//! A scroll that nobody uses for a minute expires. The fakes know no minutes, so here it expires when a new one was refused
//! for its sake [`REFUSED`] times, or after [`OTHERS`] other requests.

use serde_json::{Value, json};

use super::super::world::Store;
use super::{NO_COMPANY, Refusal};

/// Companies on a page.
const PAGE: usize = 100;
/// So often a new scroll is refused before the old one has expired.
const REFUSED: u32 = 2;
/// So many other requests pass before an unused scroll has expired.
const OTHERS: u32 = 600;

#[derive(Debug)]
struct Open {
    param: String,
    /// Ids that are still to come, the next one last.
    left: Vec<String>,
    refused: u32,
    others: u32,
}

/// The app's scroll, if one is open.
#[derive(Debug, Default)]
pub(super) struct Scroll {
    open: Option<Open>,
    opened: u64,
}

impl Scroll {
    /// Another request came.
    pub(super) fn passes(&mut self) {
        if let Some(open) = &mut self.open {
            open.others += 1;
            if open.others >= OTHERS {
                self.open = None;
            }
        }
    }

    /// The server lost it.
    pub(super) fn breaks(&mut self) {
        self.open = None;
    }

    /// The first page, or the next one of the open scroll.
    pub(super) fn page(&mut self, store: &Store, now: i64, param: Option<&str>) -> Result<Value, Refusal> {
        match param {
            None => self.begin(store, now)?,
            Some(param) => {
                if self.open.as_ref().is_none_or(|open| open.param != param) {
                    return Err(Refusal::not_found("not_found", "scroll parameter not found"));
                }
            }
        }
        let Some(open) = &mut self.open else { return Err(Refusal::not_found("not_found", "scroll parameter not found")) };
        (open.others, open.refused) = (0, 0);
        // What was deleted since the scroll began is left out; the pages are as long as ever otherwise.
        let mut data = Vec::with_capacity(PAGE);
        while data.len() < PAGE {
            let Some(id) = open.left.pop() else { break };
            if let Some((_, version)) = store.get(&id, now)
                && !version.deleted
            {
                data.push(Value::clone(&version.body));
            }
        }
        let answer = json!({"type": "list", "data": data, "pages": null, "total_count": null, "scroll_param": open.param});
        if data.is_empty() {
            self.open = None;
        }
        Ok(answer)
    }

    fn begin(&mut self, store: &Store, now: i64) -> Result<(), Refusal> {
        if let Some(open) = &mut self.open {
            open.refused += 1;
            if open.refused <= REFUSED {
                return Err(Refusal::bad("scroll_exists", "scroll already exists for this workspace"));
            }
        }
        let mut left: Vec<String> = store.live(now).map(|(record, _)| record.id.clone()).collect();
        if left.is_empty() {
            self.open = None;
            return Err(Refusal::not_found(NO_COMPANY, "Company Not Found"));
        }
        left.sort_unstable_by(|a, b| b.cmp(a));
        self.opened += 1;
        let param = format!("0730e341-63ef-44da-ab9c-{:012x}", 0x9113_f886_326d_u64 + self.opened);
        self.open = Some(Open { param, left, refused: 0, others: 0 });
        Ok(())
    }
}
