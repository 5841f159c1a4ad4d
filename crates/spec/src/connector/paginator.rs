use super::Predicate;
use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// How the next page is asked for. In all kinds: a page that repeats the token of an earlier one is an error, an empty page is not the end
/// unless said so, and each window and partition starts anew.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Paginator {
    /// The body holds the next page's URL.
    NextUrl(NextUrlPaginator),
    /// The `Link` header names the next page (RFC 8288, `rel="next"`).
    LinkHeader {},
    /// The body or a header holds a token for the next page: cursors, scrolls, locators.
    Cursor(CursorPaginator),
    /// Records are skipped.
    Offset(OffsetPaginator),
    /// Pages are counted.
    PageNumber(PagePaginator),
    /// The next page starts behind the last record's id.
    LastId(IdPaginator),
    /// A session that the first answer opens, and a page number.
    SessionPage(SessionPaginator),
}

/// Where a page's token is put.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// In a query parameter.
    Param(String),
    /// At a path of the JSON body.
    Body(String),
    /// Nowhere: the endpoint's templates use `page.token`.
    Template,
}

/// The body holds the next page's URL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextUrlPaginator {
    /// Its path. URLs of another host are refused; those without a host follow on `base_url`'s host.
    pub path: At<String>,
    /// The last page; without it, the page that names no next one.
    #[serde(default)]
    pub stop_when: Option<Predicate>,
}

/// A token for the next page.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorPaginator {
    /// The token's path in the body.
    #[serde(default)]
    pub path: Option<At<String>>,
    /// The header that holds it.
    #[serde(default)]
    pub header: Option<At<String>>,
    /// Where it goes.
    pub place: Place,
    /// The last page; without it, the page that has no token.
    #[serde(default)]
    pub stop_when: Option<Predicate>,
    /// A token that stands for none, such as the text `null`.
    #[serde(default)]
    pub none: Option<String>,
    /// An empty page is the last one.
    #[serde(default)]
    pub empty_page_ends: bool,
    /// The token may stay the same from page to page, as that of a scroll does.
    #[serde(default)]
    pub constant: bool,
    /// The API gives only so many records to one query.
    #[serde(default)]
    pub restart: Option<Restart>,
}

/// Begins a new query behind the last record when the API's cap is reached. Records must be sorted by the key; the endpoint's templates use
/// `restart.key`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The cap.
    pub records: At<u64>,
    /// The path of the key in a record.
    pub key: At<String>,
}

/// Records are skipped.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetPaginator {
    /// The parameter that says how many.
    pub param: String,
    /// How many records a page has.
    pub size: At<u32>,
    /// The path of the number of all records. Without it a page with fewer than `size` records is the last.
    #[serde(default)]
    pub total: Option<At<String>>,
}

/// Pages are counted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagePaginator {
    /// The parameter with the page's number.
    pub param: String,
    /// The first page's number.
    #[serde(default = "one")]
    pub first: u64,
    /// How many records a page has.
    #[serde(default)]
    pub size: Option<At<u32>>,
    /// The path of the number of pages. Without it a page with fewer than `size` records, or without `size` an empty one, is the last.
    #[serde(default)]
    pub pages: Option<At<String>>,
    /// The last page, where the body tells.
    #[serde(default)]
    pub stop_when: Option<Predicate>,
}

fn one() -> u64 {
    1
}

/// The next page starts behind the last record's id.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdPaginator {
    /// The parameter.
    pub param: String,
    /// The path of a record's id, before `unwrap`.
    pub id: At<String>,
    /// The last page.
    pub stop_when: Predicate,
}

/// A session that the first answer opens, and a page number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPaginator {
    /// The path of the session's id.
    pub path: At<String>,
    /// The parameter that takes it.
    pub param: String,
    /// The parameter with the page's number.
    pub page_param: String,
    /// The first page's number.
    #[serde(default)]
    pub first: u64,
    /// How many records a page has: one with fewer is the last.
    pub size: At<u32>,
}
