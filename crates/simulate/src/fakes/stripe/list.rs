//! Stripe's lists: parameters, filters, and pages by the id of the last or first object seen.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Refused;
use super::records::{INLINE_LINES, seconds};
use crate::fakes::world::{Record, Store, Version};

/// Objects on a page where nothing else is asked for.
const PAGE: usize = 10;
/// Most objects on a page.
const LARGEST: usize = 100;
/// Most event types that can be asked for at a time.
const MOST_TYPES: usize = 20;

/// A list of objects, or the part of one that stands in an object.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    object: &'static str,
    url: String,
    has_more: bool,
    data: Vec<T>,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Is,
    Above,
    From,
    Below,
    Until,
}

impl Bound {
    fn holds(self, value: i64, limit: i64) -> bool {
        match self {
            Self::Is => value == limit,
            Self::Above => value > limit,
            Self::From => value >= limit,
            Self::Below => value < limit,
            Self::Until => value <= limit,
        }
    }
}

/// What a list is asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    /// Fields of seconds.
    times: Vec<(String, Bound, i64)>,
    /// Fields of text.
    texts: Vec<(String, String)>,
    status: Option<String>,
    types: Vec<String>,
}

/// Fields that a stream can be filtered by: those of seconds, and those of text.
fn fields(stream: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match stream {
        "customers" => (&["created"], &["email"]),
        "subscriptions" => (&["created", "current_period_start", "current_period_end"], &["customer", "collection_method"]),
        "invoices" => (&["created", "due_date"], &["customer", "subscription", "collection_method"]),
        _ => (&["created"], &[]),
    }
}

fn number(param: &str, value: &str) -> Result<i64, Refused> {
    value.parse().map_err(|_| Refused::param("parameter_invalid_integer", param, format!("Invalid integer: {value}")))
}

fn limit(value: &str) -> Result<usize, Refused> {
    let given = number("limit", value)?;
    let refused = |what: &str, bound: usize| {
        let message = format!("This value must be {what} than or equal to {bound} (it currently is '{given}').");
        Err(Refused::param("parameter_invalid_integer", "limit", message))
    };
    match usize::try_from(given) {
        Ok(0) | Err(_) => refused("greater", 1),
        Ok(limit) if limit > LARGEST => refused("less", LARGEST),
        Ok(limit) => Ok(limit),
    }
}

impl Asked {
    pub(super) fn parse(stream: &str, query: Vec<(String, String)>) -> Result<Self, Refused> {
        let (times, texts) = fields(stream);
        let mut asked = Self { limit: PAGE, ..Self::default() };
        for (param, value) in query {
            // `created[gte]` and `types[]` are a name and what stands in brackets.
            let (name, inner) = match param.split_once('[') {
                Some((name, rest)) => (name, Some(rest.trim_end_matches(']'))),
                None => (param.as_str(), None),
            };
            match (name, inner) {
                ("limit", None) => asked.limit = limit(&value)?,
                ("starting_after", None) => asked.starting_after = Some(value),
                ("ending_before", None) => asked.ending_before = Some(value),
                ("status", None) if stream == "subscriptions" || stream == "invoices" => asked.status = Some(value),
                ("types", Some(_)) if stream == "events" => asked.types.push(value),
                ("type", None) if stream == "events" => asked.types.push(value),
                // The fake shows no more of an object where it is told to.
                ("expand", Some(_)) => {}
                (name, inner) if times.contains(&name) => {
                    let bound = match inner {
                        None => Bound::Is,
                        Some("gt") => Bound::Above,
                        Some("gte") => Bound::From,
                        Some("lt") => Bound::Below,
                        Some("lte") => Bound::Until,
                        Some(_) => return Err(Refused::param("parameter_unknown", &param, format!("Received unknown parameter: {param}"))),
                    };
                    asked.times.push((name.to_string(), bound, number(&param, &value)?));
                }
                (name, None) if texts.contains(&name) => asked.texts.push((name.to_string(), value)),
                _ => return Err(Refused::param("parameter_unknown", &param, format!("Received unknown parameter: {param}"))),
            }
        }
        if asked.types.len() > MOST_TYPES {
            let message = format!("You may only specify up to {MOST_TYPES} types");
            return Err(Refused::param("", "types", message));
        }
        Ok(asked)
    }

    fn holds(&self, stream: &str, body: &Value) -> bool {
        let times = self.times.iter().all(|(field, bound, limit)| !body[field].is_null() && bound.holds(seconds(body, field), *limit));
        let texts = self.texts.iter().all(|(field, value)| body[field] == value.as_str());
        times && texts && self.has_status(stream, body["status"].as_str()) && self.has_type(body["type"].as_str())
    }

    /// Canceled subscriptions are hidden unless they are asked for.
    fn has_status(&self, stream: &str, status: Option<&str>) -> bool {
        match (stream, self.status.as_deref()) {
            ("subscriptions", None) => status != Some("canceled"),
            ("subscriptions", Some("all")) | (_, None) => true,
            ("subscriptions", Some("ended")) => matches!(status, Some("canceled" | "incomplete_expired")),
            (_, asked) => asked == status,
        }
    }

    fn has_type(&self, kind: Option<&str>) -> bool {
        let kind = kind.unwrap_or_default();
        let is = |asked: &String| match asked.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => asked == kind,
        };
        self.types.is_empty() || self.types.iter().any(is)
    }

    /// The page of a list that was asked for; newest objects come first.
    pub(super) fn page<'a>(&self, store: &'a Store, stream: &str, now: i64, oldest: i64) -> Result<Page<&'a Value>, Refused> {
        let place = |param: &str, id: &str| match store.get(id, now) {
            Some((record, _)) => Ok((record.created, record.id.as_str())),
            None => Err(Refused::missing(stream, id, param, StatusCode::BAD_REQUEST)),
        };
        let from = store.records.partition_point(|record| record.created < oldest);
        let found = |record: &'a Record| -> Option<&'a Version> {
            record.at(now).filter(|version| !version.deleted && self.holds(stream, &version.body))
        };
        let body = |version: &'a Version| version.body.as_ref();
        let (mut data, backwards): (Vec<&Value>, bool) = if let Some(id) = &self.ending_before {
            let before = place("ending_before", id)?;
            let start = store.records.partition_point(|record| key(record) <= before).max(from);
            (store.records[start..].iter().filter_map(found).map(body).take(self.limit + 1).collect(), true)
        } else {
            let end = match &self.starting_after {
                Some(id) => {
                    let after = place("starting_after", id)?;
                    store.records.partition_point(|record| key(record) < after).max(from)
                }
                None => store.records.len(),
            };
            (store.records[from..end].iter().rev().filter_map(found).map(body).take(self.limit + 1).collect(), false)
        };
        let has_more = data.len() > self.limit;
        data.truncate(self.limit);
        if backwards {
            data.reverse();
        }
        Ok(Page { object: "list", url: format!("/v1/{stream}"), has_more, data })
    }
}

fn key(record: &Record) -> (i64, &str) {
    (record.created, record.id.as_str())
}

/// A page of an invoice's lines, in their order.
pub(super) fn lines_page(invoice: &str, lines: Vec<Value>, query: &[(String, String)]) -> Result<Page<Value>, Refused> {
    let mut size = INLINE_LINES;
    let mut start = 0;
    for (param, value) in query {
        match param.as_str() {
            "limit" => size = limit(value)?,
            "starting_after" => {
                let known = lines.iter().position(|line| line["id"] == value.as_str());
                start = known.ok_or_else(|| Refused::missing("line_items", value, param, StatusCode::BAD_REQUEST))? + 1;
            }
            _ => return Err(Refused::param("parameter_unknown", param, format!("Received unknown parameter: {param}"))),
        }
    }
    let has_more = lines.len() > start + size;
    let data = lines.into_iter().skip(start).take(size).collect();
    Ok(Page { object: "list", url: format!("/v1/invoices/{invoice}/lines"), has_more, data })
}
