//! What stands before every vendor's handlers: counts requests, enforces rates, and makes the faults happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::faults::{EmptyPage, Faults, Kept, Kind, VendorFault};
use super::limits::Limiter;
use super::refusals::refusal;
use super::wire::{Line, Script};
use super::{FakesConfig, World};

/// No body that is changed on its way is longer.
const LONGEST: usize = 256 << 20;
/// Between two pieces of a dripping answer.
const DRIP: Duration = Duration::from_millis(20);
/// Pieces of a dripping answer: a second in all.
const DROPS: usize = 50;
/// How much a wrong length is too large.
const SHORT_BY: usize = 100;

/// One vendor's guard.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    vendor: &'static str,
    world: Arc<World>,
    faults: Faults,
    limiter: Option<Limiter>,
}

impl Guard {
    pub(super) fn new(vendor: &'static str, world: &Arc<World>, faults: &Faults, config: &FakesConfig) -> Self {
        let limiter = config.rate_limited.then(|| Limiter::new(vendor));
        Self { vendor, world: world.clone(), faults: faults.clone(), limiter }
    }

    /// Changes records of the stream that a request reads: the one whose name the path shows, else all that can change.
    fn mutate(&self, path_and_query: &str) {
        let path = path_and_query.to_lowercase();
        let named = |stream: &&'static str| {
            let name = stream.to_lowercase();
            let singular = name.strip_suffix("ies").map_or_else(|| name.trim_end_matches('s').to_string(), |stem| format!("{stem}y"));
            path.contains(&name) || path.contains(&singular)
        };
        match self.world.streams(self.vendor).filter(named).max_by_key(|stream| stream.len()) {
            Some(stream) => {
                self.world.mutate(self.vendor, stream);
            }
            None => {
                for stream in self.world.streams(self.vendor).filter(|stream| *stream != "events").collect::<Vec<_>>() {
                    self.world.mutate(self.vendor, stream);
                }
            }
        }
    }
}

/// Parameters that only say which page of a query is asked for.
const PAGING: [&str; 8] = ["after", "cursor", "page", "page[after]", "starting_after", "offset", "scroll_param", "session_id"];

/// The query under which answers are kept for a repetition: the request without what says which page it is. Salesforce writes its cursor
/// into the path.
fn query_of(path: &str, path_and_query: &str) -> String {
    let path = ["/query/", "/queryAll/"].iter().find_map(|part| path.find(part).map(|at| &path[..at + part.len() - 1])).unwrap_or(path);
    let query = path_and_query.split_once('?').map_or("", |(_, query)| query).replace("%5B", "[").replace("%5D", "]");
    let rest: Vec<&str> = query.split('&').filter(|pair| !PAGING.contains(&pair.split('=').next().unwrap_or_default())).collect();
    format!("{path}?{}", rest.join("&"))
}

/// Lets a request through to the vendor's handlers, or not.
pub(super) async fn watch(State(guard): State<Guard>, ConnectInfo(line): ConnectInfo<Line>, mut request: Request, next: Next) -> Response {
    let vendor = guard.vendor;
    let path = request.uri().path().to_string();
    let path_and_query = request.uri().path_and_query().map_or_else(|| path.clone(), |p| p.as_str().to_string());
    let is_data = !path.contains("oauth");
    let kind = guard.faults.arrived(vendor, &path, &path_and_query, is_data);
    if let (Some(limiter), true) = (&guard.limiter, is_data)
        && let Err(seconds) = limiter.take()
    {
        return refusal(vendor, 429, seconds);
    }
    let Some(kind) = kind else {
        let keeps = is_data && guard.faults.keeps(vendor);
        let response = next.run(request).await;
        return if keeps { keep(&guard, &query_of(&path, &path_and_query), response).await } else { response };
    };
    match kind {
        Kind::RateLimited => refusal(vendor, 429, Some(0)),
        Kind::RateLimitedBare => refusal(vendor, 429, None),
        Kind::Status500 => refusal(vendor, 500, None),
        Kind::Status502 => refusal(vendor, 502, None),
        Kind::Status503 => refusal(vendor, 503, None),
        Kind::ExpiredToken => {
            guard.faults.expire_tokens(vendor);
            refusal(vendor, 401, None)
        }
        Kind::Reset => {
            line.play(Script { reset: true, ..Script::default() });
            StatusCode::OK.into_response()
        }
        Kind::Truncated | Kind::WrongLength | Kind::Drip => {
            let kept = read(next.run(request).await).await;
            line.play(script(kind, &kept));
            StatusCode::OK.into_response()
        }
        Kind::RepeatedCursor => match guard.faults.kept(vendor, &query_of(&path, &path_and_query)) {
            Some(kept) => (kept.status, kept.headers, kept.body).into_response(),
            None => keep(&guard, &query_of(&path, &path_and_query), next.run(request).await).await,
        },
        Kind::EmptyPage => {
            request.extensions_mut().insert(EmptyPage);
            let response = next.run(request).await;
            if response.headers().contains_key("x-fake-empty") { response } else { refusal(vendor, 500, None) }
        }
        Kind::Mutate => {
            guard.mutate(&path_and_query);
            next.run(request).await
        }
        Kind::TerminatedEarly | Kind::SplitRecord | Kind::TooLarge | Kind::TimedOut | Kind::RestartScroll | Kind::EmptyBody => {
            request.extensions_mut().insert(VendorFault(kind));
            next.run(request).await
        }
    }
}

async fn read(response: Response) -> Kept {
    let (parts, body) = response.into_parts();
    // The bodies are our own and in memory: they can't fail, and none is too long.
    let body = to_bytes(body, LONGEST).await.unwrap_or_default();
    Kept { status: parts.status, headers: parts.headers, body }
}

async fn keep(guard: &Guard, query: &str, response: Response) -> Response {
    let kept = read(response).await;
    guard.faults.keep(guard.vendor, query, kept.clone());
    (kept.status, kept.headers, Body::from(kept.body)).into_response()
}

fn head(kept: &Kept, framing: &str) -> Vec<u8> {
    let reason = kept.status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n{framing}connection: close\r\n", kept.status.as_u16()).into_bytes();
    let framed = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
    for (name, value) in kept.headers.iter().filter(|(name, _)| !framed.contains(name)) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("application/json"))
}

/// The bytes of an answer that goes wrong.
fn script(kind: Kind, kept: &Kept) -> Script {
    let body = &kept.body[..];
    let mut pause = Duration::ZERO;
    let mut pieces = VecDeque::new();
    match kind {
        Kind::Truncated if is_json(&kept.headers) => {
            let mut bytes = head(kept, "");
            bytes.extend_from_slice(&body[..body.len() / 2]);
            pieces.push_back(Bytes::from(bytes));
        }
        Kind::Truncated => {
            let mut bytes = head(kept, "transfer-encoding: chunked\r\n");
            let half = &body[..body.len() / 2];
            if !half.is_empty() {
                bytes.extend_from_slice(format!("{:x}\r\n", half.len()).as_bytes());
                bytes.extend_from_slice(half);
                bytes.extend_from_slice(b"\r\n");
            }
            pieces.push_back(Bytes::from(bytes));
        }
        Kind::WrongLength => {
            let mut bytes = head(kept, &format!("content-length: {}\r\n", body.len() + SHORT_BY));
            bytes.extend_from_slice(body);
            pieces.push_back(Bytes::from(bytes));
        }
        _ => {
            let mut bytes = head(kept, &format!("content-length: {}\r\n", body.len()));
            bytes.extend_from_slice(body);
            let size = bytes.len().div_ceil(DROPS).max(1);
            pieces.extend(bytes.chunks(size).map(Bytes::copy_from_slice));
            pause = DRIP;
        }
    }
    Script { pieces, pause, reset: false }
}
