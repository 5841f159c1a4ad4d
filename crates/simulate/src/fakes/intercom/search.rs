//! Searching: filters that nest, an order, and pages that go on behind the last record's place in that order.
//!
//! There is no `>=`, and contacts know only whole days: both sides of a comparison of theirs are cut down to the day.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::super::auth::base64;
use super::super::world::Store;
use super::Refusal;

/// Most records of a page.
const MOST: u64 = 150;
/// Most filters in a group.
const WIDEST: usize = 15;

/// One kind of record that can be searched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Searched {
    /// The store's name.
    pub(super) stream: &'static str,
    /// What the answer says it is.
    pub(super) list: &'static str,
    /// The answer's field with the records.
    pub(super) records: &'static str,
    /// Records on a page if the request says nothing.
    pub(super) page: u64,
    /// Times are compared as days.
    pub(super) by_day: bool,
}

pub(super) const CONTACTS: Searched = Searched { stream: "contacts", list: "list", records: "data", page: 50, by_day: true };
pub(super) const CONVERSATIONS: Searched =
    Searched { stream: "conversations", list: "conversation.list", records: "conversations", page: 20, by_day: false };
pub(super) const TICKETS: Searched = Searched { stream: "tickets", list: "ticket.list", records: "tickets", page: 20, by_day: false };

/// A filter, or a group of them.
#[derive(Debug, PartialEq)]
enum Query {
    Everything,
    And(Vec<Query>),
    Or(Vec<Query>),
    One { field: String, operator: String, value: Value },
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("parameter_invalid", message)
}

/// The page that a request asks for. `is_empty`: a page without records whose cursor leads to it.
pub(super) fn page(searched: &Searched, store: &Store, now: i64, request: &Value, is_empty: bool) -> Result<Value, Refusal> {
    let query = match &request["query"] {
        Value::Null => Query::Everything,
        query => parse(query, 0)?,
    };
    let order = Order::parse(&request["sort"])?;
    let pagination = &request["pagination"];
    let size = match &pagination["per_page"] {
        Value::Null => searched.page,
        size => size.as_u64().filter(|size| (1..=MOST).contains(size)).ok_or_else(|| invalid("Per Page is too big"))?,
    };
    let place = match &pagination["starting_after"] {
        Value::Null => Place { behind: None, page: 1 },
        token => token.as_str().and_then(Place::parse).ok_or_else(|| invalid("starting_after is invalid"))?,
    };
    let mut found: Vec<(i64, &str, &Value)> = Vec::new();
    for (record, version) in store.live(now) {
        if query.holds(&version.body, searched.by_day) {
            found.push((order.key(&version.body), record.id.as_str(), &*version.body));
        }
    }
    let total = found.len() as u64;
    if let Some((key, id)) = &place.behind {
        found.retain(|(k, i, _)| order.compare((*k, i), (*key, id)) == Ordering::Greater);
    }
    found.sort_unstable_by(|a, b| order.compare((a.0, a.1), (b.0, b.1)));
    let shown = if is_empty { &[][..] } else { &found[..found.len().min(size as usize)] };
    let next = match shown.last() {
        _ if is_empty => Some(Place { behind: place.behind.clone(), page: place.page + 1 }),
        Some((key, id, _)) if found.len() > shown.len() => Some(Place { behind: Some((*key, (*id).to_string())), page: place.page + 1 }),
        _ => None,
    };
    let mut pages = json!({"type": "pages", "page": place.page, "per_page": size, "total_pages": total.div_ceil(size)});
    match next {
        Some(next) => pages["next"] = json!({"page": next.page, "per_page": size, "starting_after": next.token()}),
        // Contacts end with null, the others without the field: both were seen.
        None if searched.by_day => pages["next"] = Value::Null,
        None => {}
    }
    Ok(json!({
        "type": searched.list,
        searched.records: shown.iter().map(|(_, _, body)| *body).collect::<Vec<_>>(),
        "total_count": total,
        "pages": pages,
    }))
}

fn parse(query: &Value, depth: usize) -> Result<Query, Refusal> {
    let operator = query["operator"].as_str().ok_or_else(|| invalid("Operator is missing"))?;
    if !matches!(operator, "AND" | "OR") {
        let field = query["field"].as_str().ok_or_else(|| invalid("Field is missing"))?;
        if !is_field(field) {
            return Err(invalid(format!("Field '{field}' is not searchable")));
        }
        if !matches!(operator, "=" | "!=" | "IN" | "NIN" | ">" | "<" | "~" | "!~" | "^" | "$") {
            return Err(invalid(format!("Operator '{operator}' is not supported")));
        }
        return Ok(Query::One { field: field.to_string(), operator: operator.to_string(), value: query["value"].clone() });
    }
    if depth == 2 {
        return Err(invalid("Maximum nesting level of 2 exceeded"));
    }
    let parts = query["value"].as_array().ok_or_else(|| invalid("Value must be an array"))?;
    if parts.is_empty() || parts.len() > WIDEST {
        return Err(invalid(format!("Between 1 and {WIDEST} filters are allowed in a group")));
    }
    let parts = parts.iter().map(|part| parse(part, depth + 1)).collect::<Result<_, _>>()?;
    Ok(if operator == "AND" { Query::And(parts) } else { Query::Or(parts) })
}

/// A slip in a field's name is an error there, so it is one here.
fn is_field(field: &str) -> bool {
    const FIELDS: [&str; 24] = [
        "id",
        "created_at",
        "updated_at",
        "external_id",
        "role",
        "name",
        "email",
        "phone",
        "owner_id",
        "signed_up_at",
        "last_seen_at",
        "last_replied_at",
        "unsubscribed_from_emails",
        "has_hard_bounced",
        "open",
        "state",
        "read",
        "waiting_since",
        "snoozed_until",
        "priority",
        "admin_assignee_id",
        "team_assignee_id",
        "ticket_state",
        "title",
    ];
    const GROUPS: [&str; 6] = ["source.", "statistics.", "conversation_rating.", "custom_attributes.", "location.", "ticket_attributes."];
    FIELDS.contains(&field) || GROUPS.iter().any(|group| field.starts_with(group))
}

fn is_time(field: &str) -> bool {
    field.ends_with("_at") || field == "waiting_since" || field == "snoozed_until"
}

fn at_path<'a>(body: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(body, |value, part| &value[part])
}

/// Numbers may come as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl Query {
    fn holds(&self, body: &Value, by_day: bool) -> bool {
        match self {
            Self::Everything => true,
            Self::And(parts) => parts.iter().all(|part| part.holds(body, by_day)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(body, by_day)),
            Self::One { field, operator, value } => one(at_path(body, field), operator, value, by_day && is_time(field)),
        }
    }
}

fn one(have: &Value, operator: &str, want: &Value, by_day: bool) -> bool {
    let cut = |number: i64| if by_day { number.div_euclid(86_400) } else { number };
    let ordered = |want: &Value| Some(cut(number(have)?).cmp(&cut(number(want)?)));
    let same = |want: &Value| match ordered(want) {
        Some(ordering) => ordering == Ordering::Equal,
        None => have == want || (have.is_null() && want.as_str() == Some("null")),
    };
    let text = |test: fn(&str, &str) -> bool| match (have.as_str(), want.as_str()) {
        (Some(have), Some(want)) => test(&have.to_lowercase(), &want.to_lowercase()),
        _ => false,
    };
    let any = || want.as_array().is_some_and(|all| all.iter().any(same));
    match operator {
        "=" => same(want),
        "!=" => !same(want),
        "IN" => any(),
        "NIN" => !any(),
        ">" => ordered(want) == Some(Ordering::Greater),
        "<" => ordered(want) == Some(Ordering::Less),
        "~" => text(|have, want| have.contains(want)),
        "!~" => !text(|have, want| have.contains(want)),
        "^" => text(|have, want| have.starts_with(want)),
        _ => text(|have, want| have.ends_with(want)),
    }
}

/// By what records are sorted: the last changed first, if nothing is said.
struct Order {
    field: String,
    ascending: bool,
}

impl Order {
    fn parse(sort: &Value) -> Result<Self, Refusal> {
        if sort.is_null() {
            return Ok(Self { field: "updated_at".to_string(), ascending: false });
        }
        let field = sort["field"].as_str().filter(|field| is_field(field) && is_time(field));
        let field = field.ok_or_else(|| invalid("Sort field is invalid"))?.to_string();
        match sort["order"].as_str() {
            Some("ascending") => Ok(Self { field, ascending: true }),
            None | Some("descending") => Ok(Self { field, ascending: false }),
            Some(other) => Err(invalid(format!("Sort order '{other}' is invalid"))),
        }
    }

    fn key(&self, body: &Value) -> i64 {
        number(at_path(body, &self.field)).unwrap_or(0)
    }

    fn compare(&self, a: (i64, &str), b: (i64, &str)) -> Ordering {
        if self.ascending { a.cmp(&b) } else { b.cmp(&a) }
    }
}

/// Where a page begins: behind a record's place in the order.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    behind: Option<(i64, String)>,
    page: u64,
}

impl Place {
    /// As recorded: base 64 of a list of the sorted value in milliseconds, the id, and the page's number.
    fn token(&self) -> String {
        let (key, id) = self.behind.clone().unzip();
        base64(json!([key.map(|key| key * 1_000), id, self.page]).to_string().as_bytes())
    }

    fn parse(token: &str) -> Option<Self> {
        let parts: (Option<i64>, Option<String>, u64) = serde_json::from_slice(&unbase64(token)?).ok()?;
        Some(Self { behind: parts.0.map(|key| key / 1_000).zip(parts.1), page: parts.2 })
    }
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let digits: Vec<u32> = text
        .bytes()
        .take_while(|byte| *byte != b'=')
        .map(|byte| match byte {
            b'A'..=b'Z' => Some(u32::from(byte - b'A')),
            b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
            b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
            b'+' => Some(62),
            b'/' => Some(63),
            _ => None,
        })
        .collect::<Option<_>>()?;
    for chunk in digits.chunks(4) {
        let bits = chunk.iter().enumerate().fold(0, |bits, (i, digit)| bits | digit << (18 - 6 * i));
        out.extend(bits.to_be_bytes().iter().skip(1).take(chunk.len().saturating_sub(1)));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_577_869_200;

    fn holds(query: &Value, body: &Value, by_day: bool) -> bool {
        parse(query, 0).unwrap().holds(body, by_day)
    }

    #[test]
    fn contacts_are_compared_by_day_and_others_by_second() {
        let later = json!({"updated_at": NOON + 60});
        let newer = json!({"field": "updated_at", "operator": ">", "value": NOON});
        let same = json!({"field": "updated_at", "operator": "=", "value": NOON.to_string()});
        assert!(holds(&newer, &later, false) && !holds(&same, &later, false));
        assert!(!holds(&newer, &later, true) && holds(&same, &later, true));
        assert!(holds(&newer, &json!({"updated_at": NOON + 86_400}), true));
        let either = json!({"operator": "OR", "value": [newer, same]});
        assert!(holds(&either, &json!({"updated_at": NOON}), false) && !holds(&either, &json!({"updated_at": NOON - 1}), false));
        assert!(!holds(&either, &json!({"updated_at": null}), false), "what has no time is in no window");
    }

    #[test]
    fn refuses_what_the_vendor_does_not_know() {
        let one = json!({"field": "updated_at", "operator": "=", "value": 1});
        let group = |parts: Vec<Value>| json!({"operator": "AND", "value": parts});
        assert!(parse(&group(vec![group(vec![one.clone()])]), 0).is_ok());
        for wrong in [
            json!({"field": "updated_at", "operator": ">=", "value": 1}),
            json!({"field": "updatedAt", "operator": "=", "value": 1}),
            group(vec![group(vec![group(vec![one.clone()])])]),
            group(vec![one; 16]),
            group(vec![]),
        ] {
            assert!(parse(&wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_are_those_that_were_recorded() {
        let place = Place { behind: Some((1_769_576_689, "215472856448646".to_string())), page: 3 };
        assert_eq!(Place::parse(&place.token()), Some(place));
        assert_eq!(unbase64("WzE3Njk1NzY2ODkwMDAsMjE1NDcyODU2NDQ4NjQ2LDNd").unwrap(), b"[1769576689000,215472856448646,3]");
        let first = Place { behind: None, page: 2 };
        assert_eq!(Place::parse(&first.token()), Some(first));
        assert_eq!(Place::parse("no token!"), None);
    }
}
