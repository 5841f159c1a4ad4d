//! Pages: how one answer leads to the next request. A pure state machine, made anew for each window and partition.

use cscopilot_http::Url;
use cscopilot_spec::connector::{Paginator, Place, Predicate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

mod turn;

pub(crate) use turn::Amiss;

/// What of an answer matters for the next request.
#[derive(Debug)]
pub(crate) struct PageFacts<'a> {
    /// Records in the answer, before any filter.
    pub(crate) records: u64,
    /// Values at the paths that [`Pager::paths`] asks for.
    pub(crate) values: &'a BTreeMap<String, Value>,
    /// Headers, names in lower case.
    pub(crate) headers: &'a BTreeMap<String, String>,
    /// The last record's id, for the kinds that need it.
    pub(crate) last_id: Option<&'a str>,
    /// A hash of the body or its rows, by which a page that came before is recognised.
    pub(crate) body: u64,
    /// Where the answer came from.
    pub(crate) url: &'a Url,
}

/// Whether there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Page,
    End,
}

/// Where in the pages a run of requests is.
#[derive(Debug)]
pub(crate) struct Pager<'a> {
    spec: Option<&'a Paginator>,
    token: Option<String>,
    session: Option<String>,
    number: u64,
    /// Pages and records so far.
    pages: u64,
    records: u64,
    /// Records or pages that the API announced with the last page, where it counts them.
    counted: Option<u64>,
    restart_key: Option<String>,
    since_restart: u64,
    url: Option<Url>,
    /// Hashes of the tokens so far, and of the bodies that had records.
    seen: BTreeSet<u64>,
    bodies: BTreeSet<u64>,
    /// The last answer led back to a page before; the page is being asked for again.
    led_back: bool,
    /// The newest token, also that of the last page.
    newest: Option<String>,
}

impl<'a> Pager<'a> {
    /// At the first page, or behind the page that gave this token.
    pub(crate) fn new(spec: Option<&'a Paginator>, token: Option<String>) -> Self {
        let number = match spec {
            Some(Paginator::PageNumber(p)) => p.first,
            Some(Paginator::SessionPage(p)) => p.first,
            _ => 1,
        };
        Self {
            spec,
            newest: token.clone(),
            seen: token.iter().map(|token| turn::hash(token)).collect(),
            token,
            session: None,
            number,
            pages: 0,
            records: 0,
            counted: None,
            restart_key: None,
            since_restart: 0,
            url: None,
            bodies: BTreeSet::new(),
            led_back: false,
        }
    }

    /// Paths in the body that [`PageFacts::values`] must hold.
    pub(crate) fn paths(spec: Option<&Paginator>) -> Vec<String> {
        let path = |predicate: Option<&Predicate>| predicate.and_then(|p| p.path.as_ref()).map(|p| p.value.clone());
        let mut paths: Vec<String> = Vec::new();
        match spec {
            Some(Paginator::NextUrl(p)) => {
                paths.push(p.path.value.clone());
                paths.extend(path(p.stop_when.as_ref()));
            }
            Some(Paginator::Cursor(p)) => {
                paths.extend(p.path.as_ref().map(|p| p.value.clone()));
                paths.extend(path(p.stop_when.as_ref()));
            }
            Some(Paginator::Offset(p)) => paths.extend(p.total.as_ref().map(|p| p.value.clone())),
            Some(Paginator::PageNumber(p)) => {
                paths.extend(p.pages.as_ref().map(|p| p.value.clone()));
                paths.extend(path(p.stop_when.as_ref()));
            }
            Some(Paginator::LastId(p)) => paths.extend(path(Some(&p.stop_when))),
            Some(Paginator::SessionPage(p)) => paths.push(p.path.value.clone()),
            Some(Paginator::LinkHeader {}) | None => {}
        }
        paths
    }

    /// `page` and `restart` of templates.
    pub(crate) fn context(&self) -> (Value, Value) {
        (json!({"token": self.token, "number": self.number, "offset": self.records}), json!({"key": self.restart_key}))
    }

    /// The token with which a later run goes on behind the last page.
    pub(crate) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// A whole URL that replaces the endpoint's, where the API gave one.
    pub(crate) fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// Puts the page's place into a request.
    pub(crate) fn place(&self, params: &mut Vec<(String, String)>, body: &mut Option<Value>) {
        let mut set = |name: &str, value: String| {
            params.retain(|(param, _)| param != name);
            params.push((name.to_owned(), value));
        };
        match self.spec {
            Some(Paginator::Cursor(p)) => match (&p.place, &self.token) {
                (Place::Param(name), Some(token)) => set(name, token.clone()),
                (Place::Body(path), Some(token)) => put(body.get_or_insert_with(|| json!({})), path, token),
                (Place::Template, _) | (_, None) => {}
            },
            Some(Paginator::LastId(p)) => {
                if let Some(token) = &self.token {
                    set(&p.param, token.clone());
                }
            }
            Some(Paginator::Offset(p)) => set(&p.param, self.records.to_string()),
            Some(Paginator::PageNumber(p)) => set(&p.param, self.number.to_string()),
            Some(Paginator::SessionPage(p)) => {
                if let Some(session) = &self.session {
                    set(&p.param, session.clone());
                    set(&p.page_param, self.number.to_string());
                }
            }
            Some(Paginator::NextUrl(_) | Paginator::LinkHeader {}) | None => {}
        }
    }
}

/// Whether a predicate holds for an answer.
fn holds(predicate: &Predicate, page: &PageFacts<'_>) -> bool {
    match (&predicate.path, &predicate.header) {
        (Some(path), _) => predicate.holds(page.values.get(&path.value)),
        (None, Some(header)) => predicate.holds(page.headers.get(&header.to_lowercase()).map(|v| json!(v)).as_ref()),
        (None, None) => false,
    }
}

/// Puts a token at a dotted path of a body.
fn put(body: &mut Value, path: &str, token: &str) {
    let mut at = body;
    let mut keys = path.split('.').peekable();
    while let Some(key) = keys.next() {
        if !at.is_object() {
            *at = json!({});
        }
        let Some(object) = at.as_object_mut() else { return };
        if keys.peek().is_none() {
            object.insert(key.to_owned(), json!(token));
            return;
        }
        at = object.entry(key.to_owned()).or_insert_with(|| json!({}));
    }
}

#[cfg(test)]
mod tests;
