//! How an answer leads on: to another page, to the end, or to an error. Whatever may leave records out is an error, never an end.

use super::{Next, PageFacts, Pager, holds};
use crate::rest::error::RestError;
use cscopilot_http::Url;
use cscopilot_spec::connector::{CursorPaginator, OffsetPaginator, PagePaginator, Paginator, SessionPaginator};
use serde_json::Value;

/// An answer that the pages can't go on from.
#[derive(Debug)]
pub(crate) enum Amiss {
    /// The same request may get a better answer.
    Again(RestError),
    /// What was read may lack records already: only a fresh start helps.
    Anew(RestError),
}

/// What an answer leads to.
enum Turn {
    End,
    /// The next number, or as many records further.
    Next,
    Token(String),
    Url(Url),
    /// A new query behind the record with this key.
    Restart(String),
}

impl Pager<'_> {
    /// Takes an answer in. An error leaves the pager where it was, so the page can be asked for again.
    pub(crate) fn advance(&mut self, page: &PageFacts<'_>) -> Result<Next, Amiss> {
        let Some(spec) = self.spec else { return Ok(Next::End) };
        let turn = self.turn(spec, page).inspect_err(|amiss| {
            let (Amiss::Again(error) | Amiss::Anew(error)) = amiss;
            self.led_back |= matches!(error, RestError::RepeatedPage { .. });
        })?;
        let ends = matches!(turn, Turn::End);
        if ends && page.records == 0 && self.led_back {
            // A scroll that is declared as something else moves on with every request: the pages between are lost.
            return Err(Amiss::Anew(RestError::EmptyBehindRepeated { token: self.shown() }));
        }
        self.take(spec, turn, page);
        Ok(if ends { Next::End } else { Next::Page })
    }

    /// Records so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Whether an empty page may stand behind the pages that were read, as far as the paginator knows.
    pub(crate) fn may_end_empty(&self) -> bool {
        self.pages == 0
            || !self.led_back
                && match self.spec {
                    Some(Paginator::Cursor(p)) => p.empty_page_ends,
                    Some(Paginator::Offset(p)) => p.total.is_none(),
                    Some(Paginator::PageNumber(p)) => p.pages.is_none() && p.stop_when.is_none(),
                    Some(Paginator::SessionPage(_)) => true,
                    Some(Paginator::NextUrl(_) | Paginator::LinkHeader {} | Paginator::LastId(_)) | None => false,
                }
    }

    fn turn(&self, spec: &Paginator, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        if page.records > 0 && self.bodies.contains(&page.body) {
            return Err(Amiss::Again(RestError::RepeatedPage { token: self.shown() }));
        }
        match spec {
            Paginator::NextUrl(p) => {
                let stop = p.stop_when.as_ref().is_some_and(|s| holds(s, page));
                match text_at(page, &p.path) {
                    _ if stop => Ok(Turn::End),
                    None if p.stop_when.is_some() => Err(no_next(&p.path)),
                    None => Ok(Turn::End),
                    Some(url) => self.address(&url, page),
                }
            }
            Paginator::LinkHeader {} => match page.headers.get("link").and_then(|link| next_link(link)) {
                None => Ok(Turn::End),
                Some(url) => self.address(&url, page),
            },
            Paginator::Cursor(p) => self.by_cursor(p, page),
            Paginator::Offset(p) => self.by_offset(p, page),
            Paginator::PageNumber(p) => self.by_number(p, page),
            Paginator::LastId(p) => {
                if holds(&p.stop_when, page) {
                    return Ok(Turn::End);
                }
                let id = page.last_id.ok_or_else(|| Amiss::Again(RestError::NoId { path: p.id.value.clone() }))?;
                self.behind(id.to_owned(), page)
            }
            Paginator::SessionPage(p) => self.by_session(p, page),
        }
    }

    fn by_cursor(&self, p: &CursorPaginator, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        if p.stop_when.as_ref().is_some_and(|s| holds(s, page)) {
            return Ok(Turn::End);
        }
        // The cap may be where the tokens end, too.
        if let Some(restart) = p.restart.as_ref().filter(|r| self.since_restart + page.records >= r.records.value) {
            let key = page.last_id.ok_or_else(|| Amiss::Again(RestError::NoId { path: restart.key.value.clone() }))?;
            if self.restart_key.as_deref() == Some(key) {
                return Err(Amiss::Again(RestError::RepeatedPage { token: key.to_owned() }));
            }
            return Ok(Turn::Restart(key.to_owned()));
        }
        let empty_end = p.empty_page_ends && page.records == 0;
        match token_of(p, page) {
            Some(_) if p.constant && empty_end => Ok(Turn::End),
            Some(token) if p.constant => Ok(Turn::Token(token)),
            Some(token) => self.behind(token, page).map(|turn| if empty_end { Turn::End } else { turn }),
            None if p.stop_when.is_some() && !empty_end => {
                let place = p.path.as_ref().or(p.header.as_ref()).map_or_else(String::new, |at| at.value.clone());
                Err(no_next(&place))
            }
            None => Ok(Turn::End),
        }
    }

    fn by_offset(&self, p: &OffsetPaginator, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        let records = self.records + page.records;
        let end = match &p.total {
            Some(path) => records >= self.count(path, page)?,
            None => page.records < u64::from(p.size.value),
        };
        if !end && page.records == 0 {
            return Err(Amiss::Again(RestError::EmptyPage { records }));
        }
        Ok(if end { Turn::End } else { Turn::Next })
    }

    fn by_number(&self, p: &PagePaginator, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        let end = match (&p.pages, &p.stop_when, &p.size) {
            (Some(path), _, _) => {
                let pages = self.count(path, page)?;
                if page.records == 0 && pages > 1 {
                    return Err(Amiss::Again(RestError::EmptyPage { records: self.records }));
                }
                self.number + 1 >= p.first + pages
            }
            (None, Some(stop), _) => holds(stop, page),
            (None, None, Some(size)) => page.records < u64::from(size.value),
            (None, None, None) => page.records == 0,
        };
        Ok(if end { Turn::End } else { Turn::Next })
    }

    fn by_session(&self, p: &SessionPaginator, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        let session = text_at(page, &p.path);
        if let (Some(before), Some(now)) = (&self.session, &session)
            && before != now
        {
            return Err(Amiss::Anew(RestError::Shifted("the pages come from another session than those before".to_owned())));
        }
        if page.records < u64::from(p.size.value) {
            return Ok(Turn::End);
        }
        if session.is_none() && self.session.is_none() {
            return Err(no_next(&p.path));
        }
        Ok(Turn::Next)
    }

    /// A number that the API announces. Where it shrinks, records have moved to pages that were read before.
    fn count(&self, path: &str, page: &PageFacts<'_>) -> Result<u64, Amiss> {
        let now = number_at(page, path).ok_or_else(|| no_next(path))?;
        match self.counted {
            Some(before) if now < before => Err(Amiss::Anew(RestError::Shifted(format!("`{path}` was {before} and is {now} now")))),
            _ => Ok(now),
        }
    }

    /// Goes on from a token that wasn't met before.
    fn behind(&self, token: String, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        if self.seen.contains(&hash(&token)) { Err(leads_back(token, page)) } else { Ok(Turn::Token(token)) }
    }

    /// The next page's URL: of the same host, since credentials go with it.
    fn address(&self, url: &str, page: &PageFacts<'_>) -> Result<Turn, Amiss> {
        let bad = |reason: String| Amiss::Again(RestError::BadNextUrl { url: url.to_owned(), reason });
        let next = page.url.join(url).map_err(|e| bad(e.to_string()))?;
        let origin = |u: &Url| (u.scheme().to_owned(), u.host_str().map(str::to_owned), u.port_or_known_default());
        if origin(&next) != origin(page.url) {
            return Err(bad("it leads to another host".to_owned()));
        }
        if next == *page.url || self.seen.contains(&hash(next.as_str())) {
            return Err(leads_back(next.path().to_owned(), page));
        }
        Ok(Turn::Url(next))
    }

    /// Moves on.
    fn take(&mut self, spec: &Paginator, turn: Turn, page: &PageFacts<'_>) {
        self.pages += 1;
        self.records += page.records;
        self.since_restart += page.records;
        self.number += 1;
        self.led_back = false;
        if page.records > 0 {
            self.bodies.insert(page.body);
        }
        match spec {
            // Also of the last page: a later run goes on behind it.
            Paginator::Cursor(p) => self.newest = token_of(p, page).or_else(|| self.newest.take()),
            Paginator::Offset(p) => self.counted = p.total.as_ref().and_then(|path| number_at(page, path)),
            Paginator::PageNumber(p) => self.counted = p.pages.as_ref().and_then(|path| number_at(page, path)),
            Paginator::SessionPage(p) => self.session = self.session.take().or_else(|| text_at(page, &p.path)),
            Paginator::NextUrl(_) | Paginator::LinkHeader {} | Paginator::LastId(_) => {}
        }
        match turn {
            Turn::End | Turn::Next => {}
            Turn::Token(token) => {
                self.seen.insert(hash(&token));
                self.token = Some(token);
            }
            Turn::Url(url) => {
                self.seen.extend([hash(page.url.as_str()), hash(url.as_str())]);
                self.newest = Some(url.to_string());
                self.url = Some(url);
            }
            Turn::Restart(key) => {
                self.restart_key = Some(key);
                self.since_restart = 0;
                self.token = None;
                self.seen.clear();
            }
        }
    }

    /// The page that is asked for, for messages.
    fn shown(&self) -> String {
        match (&self.url, &self.token) {
            (Some(url), _) => url.path().to_owned(),
            (None, Some(token)) => token.clone(),
            (None, None) => format!("page {}", self.number),
        }
    }
}

/// The token led to a page before. Where the page's records are new all the same, asking again may leave them out: what answers so may move
/// on with each request, as a scroll does.
fn leads_back(token: String, page: &PageFacts<'_>) -> Amiss {
    let error = RestError::RepeatedPage { token };
    if page.records > 0 { Amiss::Anew(error) } else { Amiss::Again(error) }
}

fn no_next(place: &str) -> Amiss {
    Amiss::Again(RestError::NoNextPage { place: place.to_owned() })
}

/// Sixty-four bits of a token: enough to tell those of one read apart, and short where tokens are long.
pub(super) fn hash(token: &str) -> u64 {
    blake3::hash(token.as_bytes()).as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

fn token_of(p: &CursorPaginator, page: &PageFacts<'_>) -> Option<String> {
    let found = match (&p.path, &p.header) {
        (Some(path), _) => text_at(page, path),
        (_, Some(header)) => page.headers.get(&header.to_lowercase()).cloned(),
        (None, None) => None,
    };
    found.filter(|token| !token.is_empty() && p.none.as_ref() != Some(token))
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

/// The target of `rel="next"` in a `Link` header (RFC 8288).
pub(super) fn next_link(header: &str) -> Option<String> {
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
