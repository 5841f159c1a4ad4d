//! Chargebee's lists: filters, sorting, and offsets that hold only for the filters they were given for.

use serde_json::{Value, json};

use super::Refused;
use crate::fakes::world::{Record, Store, Version};

/// Records on a page where nothing else is asked for.
const PAGE: usize = 10;
/// Most records on a page.
const LARGEST: usize = 100;

/// What a stream's records are called, sorted by, and filtered by: times, and texts.
pub(super) struct Stream {
    pub(super) name: &'static str,
    pub(super) singular: &'static str,
    /// The field that says when a record came to be, which lists are sorted by unless told otherwise; newest come first.
    created: &'static str,
    sorts: &'static [&'static str],
    times: &'static [&'static str],
    texts: &'static [&'static str],
    has_deleted: bool,
}

static STREAMS: [Stream; 4] = [
    Stream {
        name: "customers",
        singular: "customer",
        created: "created_at",
        sorts: &["created_at", "updated_at"],
        times: &["created_at", "updated_at"],
        texts: &["id", "first_name", "last_name", "email", "company", "auto_collection"],
        has_deleted: true,
    },
    Stream {
        name: "subscriptions",
        singular: "subscription",
        created: "created_at",
        sorts: &["created_at", "updated_at"],
        times: &["created_at", "updated_at", "started_at", "activated_at", "cancelled_at", "next_billing_at"],
        texts: &["id", "customer_id", "status"],
        has_deleted: true,
    },
    Stream {
        name: "invoices",
        singular: "invoice",
        created: "date",
        sorts: &["date", "updated_at"],
        times: &["date", "updated_at", "paid_at"],
        texts: &["id", "customer_id", "subscription_id", "status"],
        has_deleted: true,
    },
    Stream {
        name: "events",
        singular: "event",
        created: "occurred_at",
        sorts: &["occurred_at"],
        times: &["occurred_at"],
        texts: &["id", "event_type", "source", "webhook_status"],
        has_deleted: false,
    },
];

/// The stream with this path.
pub(super) fn stream(name: &str) -> Option<&'static Stream> {
    STREAMS.iter().find(|stream| stream.name == name)
}

enum Test {
    /// Seconds between these, both included.
    Time(i64, i64),
    /// One of these, or none of them.
    OneOf(Vec<String>, bool),
}

/// What a list is asked for.
pub(super) struct Asked {
    stream: &'static Stream,
    limit: usize,
    /// The sort key (in milliseconds) and the id of the last record of the page before.
    offset: Option<(i64, String)>,
    with_deleted: bool,
    sort: &'static str,
    is_ascending: bool,
    tests: Vec<(&'static str, Test)>,
    /// What offsets are bound to.
    print: u64,
}

fn wrong(param: &str, what: &str) -> Refused {
    Refused::wrong_value(param, format!("{param} : {what}"))
}

/// The parts of `["a","b"]`; clients quote in different ways.
fn parts(value: &str) -> Vec<String> {
    let inner = value.trim().trim_start_matches('[').trim_end_matches(']');
    inner.split(',').map(|part| part.trim().trim_matches(['"', '\'']).to_string()).collect()
}

fn second(param: &str, value: &str) -> Result<i64, Refused> {
    value.trim().parse().map_err(|_| wrong(param, "should be a valid timestamp"))
}

fn time_test(param: &str, operator: &str, value: &str) -> Result<Test, Refused> {
    Ok(match operator {
        // Both are exclusive.
        "after" => Test::Time(second(param, value)?.saturating_add(1), i64::MAX),
        "before" => Test::Time(i64::MIN, second(param, value)?.saturating_sub(1)),
        "on" => {
            let day = second(param, value)?.div_euclid(86_400) * 86_400;
            Test::Time(day, day + 86_399)
        }
        "between" => match parts(value).as_slice() {
            [from, to] => Test::Time(second(param, from)?, second(param, to)?),
            _ => return Err(wrong(param, "should have two values")),
        },
        _ => return Err(wrong(param, "unknown operator")),
    })
}

fn text_test(param: &str, operator: &str, value: &str) -> Result<Test, Refused> {
    Ok(match operator {
        "is" => Test::OneOf(vec![value.to_string()], true),
        "is_not" => Test::OneOf(vec![value.to_string()], false),
        "in" => Test::OneOf(parts(value), true),
        "not_in" => Test::OneOf(parts(value), false),
        _ => return Err(wrong(param, "unknown operator")),
    })
}

/// FNV-1a: small, and the same on every day.
fn fingerprint(query: &[(String, String)]) -> u64 {
    let mut bound: Vec<String> =
        query.iter().filter(|(param, _)| param != "offset" && param != "limit").map(|(param, value)| format!("{param}={value}&")).collect();
    bound.sort_unstable();
    let bytes = bound.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) >> 24
}

impl Asked {
    pub(super) fn parse(stream: &'static Stream, query: &[(String, String)]) -> Result<Self, Refused> {
        let mut asked = Self {
            stream,
            limit: PAGE,
            offset: None,
            with_deleted: false,
            sort: stream.created,
            is_ascending: false,
            tests: Vec::new(),
            print: fingerprint(query),
        };
        for (param, value) in query {
            let (name, operator) = match param.split_once('[') {
                Some((name, rest)) => (name, rest.trim_end_matches(']')),
                None => (param.as_str(), ""),
            };
            let known = |fields: &'static [&'static str]| fields.iter().copied().find(|field| *field == name);
            match (name, operator) {
                ("limit", "") => {
                    let limit = value.parse().ok().filter(|limit| (1..=LARGEST).contains(limit));
                    asked.limit = limit.ok_or_else(|| wrong(param, "should be between 1 and 100"))?;
                }
                ("offset", "") => asked.offset = Some(asked.read_offset(value)?),
                ("include_deleted", "") if stream.has_deleted => asked.with_deleted = value == "true",
                ("sort_by", "asc" | "desc") => {
                    let sort = stream.sorts.iter().copied().find(|sort| sort == value);
                    asked.sort = sort.ok_or_else(|| wrong(param, &format!("should be one of {}", stream.sorts.join(", "))))?;
                    asked.is_ascending = operator == "asc";
                }
                _ => {
                    let (field, test) = if let Some(field) = known(stream.times) {
                        (field, time_test(param, operator, value)?)
                    } else if let Some(field) = known(stream.texts) {
                        (field, text_test(param, operator, value)?)
                    } else {
                        return Err(wrong(param, "unknown parameter"));
                    };
                    asked.tests.push((field, test));
                }
            }
        }
        Ok(asked)
    }

    /// An offset looks like a JSON array in a text. It is refused where the filters aren't those it was given for.
    fn read_offset(&self, text: &str) -> Result<(i64, String), Refused> {
        let parsed: Option<[String; 3]> = serde_json::from_str(text).ok();
        let [key, id, print] = parsed.ok_or_else(|| wrong("offset", "invalid value"))?;
        let key = key.parse().ok().filter(|_| print == self.print.to_string());
        key.map(|key| (key, id)).ok_or_else(|| wrong("offset", "doesn't belong to these filters"))
    }

    fn write_offset(&self, key: i64, id: &str) -> String {
        json!([key.to_string(), id, self.print.to_string()]).to_string()
    }

    fn holds(&self, body: &Value) -> bool {
        self.tests.iter().all(|(field, test)| match test {
            Test::Time(from, to) => body[field].as_i64().is_some_and(|value| (*from..=*to).contains(&value)),
            Test::OneOf(values, is_in) => values.iter().any(|value| body[field] == value.as_str()) == *is_in,
        })
    }

    /// Milliseconds: the change's own where the list is sorted by it.
    fn key(&self, body: &Value) -> i64 {
        let millis = body["resource_version"].as_i64().filter(|_| self.sort == "updated_at");
        millis.unwrap_or_else(|| body[self.sort].as_i64().unwrap_or_default() * 1_000)
    }

    /// A page without records, whose offset leads to the one that was asked for.
    pub(super) fn empty_page(&self) -> Value {
        let first = if self.is_ascending { (i64::MIN, String::new()) } else { (i64::MAX, String::new()) };
        let (key, id) = self.offset.clone().unwrap_or(first);
        json!({"list": [], "next_offset": self.write_offset(key, &id)})
    }

    /// The page that was asked for; `wrap` makes a list's element of a record.
    pub(super) fn page(&self, store: &Store, now: i64, wrap: impl Fn(&Value) -> Value) -> Value {
        let mut found: Vec<(i64, &Record, &Version)> = store
            .all(now)
            .filter(|(_, version)| (self.with_deleted || !version.deleted) && self.holds(&version.body))
            .map(|(record, version)| (self.key(&version.body), record, version))
            .filter(|(key, record, _)| match &self.offset {
                None => true,
                Some((last, id)) if self.is_ascending => (*key, record.id.as_str()) > (*last, id.as_str()),
                Some((last, id)) => (*key, record.id.as_str()) < (*last, id.as_str()),
            })
            .collect();
        found.sort_by(|a, b| {
            let order = (a.0, &a.1.id).cmp(&(b.0, &b.1.id));
            if self.is_ascending { order } else { order.reverse() }
        });
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let list: Vec<Value> = found.iter().map(|(_, _, version)| wrap(&version.body)).collect();
        match found.last() {
            Some((key, record, _)) if has_more => json!({"list": list, "next_offset": self.write_offset(*key, &record.id)}),
            _ => json!({"list": list}),
        }
    }

    pub(super) fn stream(&self) -> &'static Stream {
        self.stream
    }
}
