//! Pages: how one answer leads to the next request. A pure state machine, made anew for each window and partition.

use super::error::RestError;
use cscopilot_http::Url;
use cscopilot_spec::connector::{Paginator, Place, Predicate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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
    /// A hash of the body.
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
#[derive(Debug, Clone)]
pub(crate) struct Pager<'a> {
    spec: Option<&'a Paginator>,
    token: Option<String>,
    session: Option<String>,
    number: u64,
    records: u64,
    restart_key: Option<String>,
    since_restart: u64,
    url: Option<Url>,
    seen: BTreeSet<String>,
    last_body: Option<u64>,
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
            token,
            session: None,
            number,
            records: 0,
            restart_key: None,
            since_restart: 0,
            url: None,
            seen: BTreeSet::new(),
            last_body: None,
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

    /// Takes an answer in. An error leaves the pager where it was, so the page can be asked for again.
    pub(crate) fn advance(&mut self, page: &PageFacts<'_>) -> Result<Next, RestError> {
        let Some(spec) = self.spec else { return Ok(Next::End) };
        let constant = matches!(spec, Paginator::Cursor(p) if p.constant);
        if page.records > 0 && self.last_body == Some(page.body) && !constant {
            return Err(RestError::RepeatedPage { token: self.token.clone().unwrap_or_else(|| format!("page {}", self.number)) });
        }
        let mut next = self.clone();
        let more = next.step(spec, page)?;
        next.last_body = Some(page.body);
        *self = next;
        Ok(more)
    }

    fn step(&mut self, spec: &Paginator, page: &PageFacts<'_>) -> Result<Next, RestError> {
        self.records += page.records;
        self.since_restart += page.records;
        self.number += 1;
        match spec {
            Paginator::NextUrl(p) => {
                let next = text_at(page, &p.path);
                let stop = p.stop_when.as_ref().is_some_and(|s| holds(s, page));
                match next {
                    _ if stop => Ok(Next::End),
                    None if p.stop_when.is_some() => Err(RestError::NoNextPage { place: p.path.value.clone() }),
                    None => Ok(Next::End),
                    Some(url) => self.go_to(&url, page.url),
                }
            }
            Paginator::LinkHeader {} => match page.headers.get("link").and_then(|link| next_link(link)) {
                None => Ok(Next::End),
                Some(url) => self.go_to(&url, page.url),
            },
            Paginator::Cursor(p) => {
                let found = match (&p.path, &p.header) {
                    (Some(path), _) => text_at(page, path),
                    (_, Some(header)) => page.headers.get(&header.to_lowercase()).cloned(),
                    (None, None) => None,
                };
                let token = found.filter(|t| !t.is_empty() && p.none.as_ref() != Some(t));
                if token.is_some() {
                    self.newest.clone_from(&token);
                }
                let stop = p.stop_when.as_ref().is_some_and(|s| holds(s, page));
                if stop || p.empty_page_ends && page.records == 0 {
                    return Ok(Next::End);
                }
                let Some(token) = token else {
                    let place = p.path.as_ref().or(p.header.as_ref()).map_or_else(String::new, |at| at.value.clone());
                    return if p.stop_when.is_some() { Err(RestError::NoNextPage { place }) } else { Ok(Next::End) };
                };
                if let Some(restart) = p.restart.as_ref().filter(|r| self.since_restart >= r.records.value) {
                    let key = page.last_id.ok_or_else(|| RestError::NoId { path: restart.key.value.clone() })?;
                    if self.restart_key.as_deref() == Some(key) {
                        return Err(RestError::RepeatedPage { token: key.to_owned() });
                    }
                    self.restart_key = Some(key.to_owned());
                    self.since_restart = 0;
                    self.token = None;
                    self.seen.clear();
                    return Ok(Next::Page);
                }
                self.go_on(token, p.constant)
            }
            Paginator::Offset(p) => {
                let total =
                    p.total.as_ref().map(|path| number_at(page, path).ok_or_else(|| RestError::NoNextPage { place: path.value.clone() }));
                let end = match total.transpose()? {
                    Some(total) => self.records >= total || page.records == 0 && total == 0,
                    None => page.records < u64::from(p.size.value),
                };
                if !end && page.records == 0 {
                    return Err(RestError::EmptyPage { records: self.records });
                }
                Ok(if end { Next::End } else { Next::Page })
            }
            Paginator::PageNumber(p) => {
                let pages =
                    p.pages.as_ref().map(|path| number_at(page, path).ok_or_else(|| RestError::NoNextPage { place: path.value.clone() }));
                let end = match (pages.transpose()?, &p.stop_when, &p.size) {
                    (Some(pages), _, _) => self.number >= p.first + pages,
                    (None, Some(stop), _) => holds(stop, page),
                    (None, None, Some(size)) => page.records < u64::from(size.value),
                    (None, None, None) => page.records == 0,
                };
                Ok(if end { Next::End } else { Next::Page })
            }
            Paginator::LastId(p) => {
                if holds(&p.stop_when, page) {
                    return Ok(Next::End);
                }
                let id = page.last_id.ok_or_else(|| RestError::NoId { path: p.id.value.clone() })?;
                self.go_on(id.to_owned(), false)
            }
            Paginator::SessionPage(p) => {
                if let Some(session) = text_at(page, &p.path) {
                    self.session = Some(session);
                }
                let end = page.records < u64::from(p.size.value);
                if !end && self.session.is_none() {
                    return Err(RestError::NoNextPage { place: p.path.value.clone() });
                }
                Ok(if end { Next::End } else { Next::Page })
            }
        }
    }

    fn go_on(&mut self, token: String, constant: bool) -> Result<Next, RestError> {
        if !self.seen.insert(token.clone()) && !constant {
            return Err(RestError::RepeatedPage { token });
        }
        self.token = Some(token);
        Ok(Next::Page)
    }

    /// The next page's URL: of the same host, since credentials go with it.
    fn go_to(&mut self, url: &str, from: &Url) -> Result<Next, RestError> {
        let next = from.join(url).map_err(|e| RestError::BadNextUrl { url: url.to_owned(), reason: e.to_string() })?;
        let origin = |u: &Url| (u.scheme().to_owned(), u.host_str().map(str::to_owned), u.port_or_known_default());
        if origin(&next) != origin(from) {
            return Err(RestError::BadNextUrl { url: url.to_owned(), reason: "it leads to another host".to_owned() });
        }
        if !self.seen.insert(next.to_string()) || next == *from {
            return Err(RestError::RepeatedPage { token: next.path().to_owned() });
        }
        self.newest = Some(next.to_string());
        self.url = Some(next);
        Ok(Next::Page)
    }
}

fn text_at(page: &PageFacts<'_>, path: &str) -> Option<String> {
    match page.values.get(path)? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn number_at(page: &PageFacts<'_>, path: &str) -> Option<u64> {
    match page.values.get(path)? {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// Whether a predicate holds for an answer.
pub(crate) fn holds(predicate: &Predicate, page: &PageFacts<'_>) -> bool {
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

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>')?;
        let target = &rest[open + 1..close];
        let params_end = rest[close..].find('<').map_or(rest.len(), |n| close + n);
        let params = &rest[close + 1..params_end];
        let is_next = params.split(';').any(|param| {
            let Some((name, value)) = param.split_once('=') else { return false };
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && value.split_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.to_owned());
        }
        rest = &rest[params_end..];
    }
    None
}

#[cfg(test)]
mod tests;
