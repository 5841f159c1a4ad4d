//! A client for the fakes' tests that shows what really came over the wire, also when it was cut.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Fakes, FakesConfig};

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    /// Was the body as long as announced, or properly ended if chunked? A body that ends with the connection is complete.
    pub(super) complete: bool,
}

impl Answer {
    /// The body as JSON, null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn parse(raw: &[u8]) -> io::Result<Self> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(cut)?;
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).ok_or_else(cut)?;
        let headers: BTreeMap<String, String> =
            lines.filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim().to_lowercase(), v.trim().to_string())).collect();
        let rest = &raw[end + 4..];
        let (body, complete) = match (headers.get("content-length").and_then(|l| l.parse::<usize>().ok()), headers.get("transfer-encoding"))
        {
            (Some(length), _) => (rest.to_vec(), rest.len() == length),
            (None, Some(_)) => unchunk(rest),
            (None, None) => (rest.to_vec(), true),
        };
        Ok(Self { status, headers, body, complete })
    }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|w| w == b"\r\n") else { return (body, false) };
        let Ok(length) = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16) else { return (body, false) };
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else { return (body, false) };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
}

/// Sends one request on a connection of its own.
pub(super) async fn call(fakes: &Fakes, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(fakes.addr()).await?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n", fakes.addr(), body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await?;
    Answer::parse(&raw)
}

/// GET with an `Authorization` header.
pub(super) async fn get(fakes: &Fakes, path: &str, authorization: &str) -> Answer {
    call(fakes, "GET", path, &[("authorization", authorization)], "").await.unwrap()
}

/// Fakes of a small company on any free port.
pub(super) async fn start(change: impl FnOnce(&mut FakesConfig)) -> Fakes {
    let mut config = FakesConfig { accounts: 60, months: 2, events_per_day: 20, ..FakesConfig::default() };
    change(&mut config);
    Fakes::start(config).await.unwrap()
}
