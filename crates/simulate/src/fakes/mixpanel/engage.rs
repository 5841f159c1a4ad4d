//! Profiles, in pages of a session: the first request opens it and fixes which profiles it has, the others name it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::world::Store;
use super::expression::Expression;
use super::records::is_member;
use super::{Params, Refusal};

/// Profiles on a page if the request says nothing.
const PAGE: usize = 1_000;
/// Sessions that are remembered.
const SESSIONS: usize = 50;

/// The sessions that are open: the ids of each, sorted.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<u64, Vec<String>>,
    last: u64,
}

impl Sessions {
    fn begin(&mut self, ids: Vec<String>) -> u64 {
        self.last += 1;
        self.open.insert(self.last, ids);
        while self.open.len() > SESSIONS {
            self.open.pop_first();
        }
        self.last
    }

    /// The page that is asked for.
    pub(super) fn page(&mut self, params: &Params, store: &Store, now: i64) -> Result<Value, Refusal> {
        let number = |name: &str, otherwise: usize| match params.get(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| Refusal::bad(format!("{name} must be a number"))),
        };
        let size = number("page_size", PAGE)?;
        if !(1..=50_000).contains(&size) {
            return Err(Refusal::bad("page_size must be between 1 and 50000"));
        }
        let page = number("page", 0)?;
        let session = match params.get("session_id").filter(|session| !session.is_empty()) {
            Some(session) => session.strip_prefix(PREFIX).and_then(|number| number.parse().ok()).unwrap_or(0),
            None if page > 0 => return Err(Refusal::bad("session_id is required for page > 0")),
            None => {
                let ids = matching(params, store, now)?;
                self.begin(ids)
            }
        };
        let ids = self.open.get(&session).ok_or_else(|| Refusal::bad("session_id is invalid or has expired"))?;
        let first = page.saturating_mul(size).min(ids.len());
        let shown = &ids[first..(first + size).min(ids.len())];
        let results: Vec<Value> =
            shown.iter().filter_map(|id| store.get(id, now)).map(|(_, version)| Value::clone(&version.body)).collect();
        Ok(json!({
            "page": page,
            "page_size": size,
            "session_id": format!("{PREFIX}{session}"),
            "status": "ok",
            "total": ids.len(),
            "computed_at": "",
            "results": results,
        }))
    }
}

const PREFIX: &str = "1234567890-EXAMPL";

fn matching(params: &Params, store: &Store, now: i64) -> Result<Vec<String>, Refusal> {
    let filter = match params.get("where").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(Expression::parse(text).ok_or_else(|| Refusal::bad("Unable to parse the where expression"))?),
    };
    let cohort = match params.get("filter_by_cohort") {
        None => None,
        Some(text) => {
            let id = serde_json::from_str::<Value>(text).ok().and_then(|cohort| cohort["id"].as_i64());
            Some(id.ok_or_else(|| Refusal::bad("filter_by_cohort must be a JSON object with an id"))?)
        }
    };
    let takes = |body: &Value| {
        filter.as_ref().is_none_or(|filter| filter.holds(&body["$properties"])) && cohort.is_none_or(|cohort| is_member(cohort, body))
    };
    let mut ids: Vec<String> = store.live(now).filter(|(_, version)| takes(&version.body)).map(|(record, _)| record.id.clone()).collect();
    ids.sort_unstable();
    Ok(ids)
}
