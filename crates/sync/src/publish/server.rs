//! The Redis server: connecting, and exchanges of many commands at once.

use super::Counts;
use crate::{Error, Result};
use cscopilot_diag::Diagnostic;
use cscopilot_lake::step::StepContext;
use cscopilot_spec::RedisTarget;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisResult,
    TlsCertificates,
};
use std::time::Duration;

const SCRIPT: &str = include_str!("publish.lua");
const CONNECT: Duration = Duration::from_secs(10);
/// For one exchange. A server that is busy saving may take its time.
const ANSWER: Duration = Duration::from_secs(60);

/// A server that has our script.
#[derive(Clone)]
pub(super) struct Server {
    connection: MultiplexedConnection,
    place: String,
    script: String,
}

/// The commands of one exchange.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) commands: Pipeline,
    /// Rows that gave no command.
    pub(super) without_key: u64,
}

/// What the server said to one exchange.
pub(super) struct Answer {
    pub(super) counts: Counts,
    /// Why it takes no more.
    pub(super) stopped: Option<String>,
}

impl Server {
    /// Connects, logs in and loads the script. `name` is the store's, for errors: the URL may hold a password.
    pub(super) async fn connect(ctx: &StepContext, name: &str, target: &RedisTarget) -> Result<Self> {
        let info = info(ctx, target).map_err(|e| e.of(name))?;
        let place = info.addr().to_string();
        let client = client(ctx, info, target).map_err(|e| e.of(name))?;
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let refused = |error: RedisError| refused(&place, &error);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(refused)?;
        let script = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async::<String>(&mut connection).await.map_err(refused)?;
        Ok(Self { connection, place, script })
    }

    /// `host:port`
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The server's name of the script.
    pub(super) fn script(&self) -> &str {
        &self.script
    }

    /// One exchange. Whatever the server did before it stopped is counted.
    pub(super) async fn send(mut self, mut packed: Packed) -> Answer {
        let rows = packed.without_key;
        let mut answer = Answer { counts: Counts { rows, without_key: rows, ..Counts::default() }, stopped: None };
        if packed.commands.is_empty() {
            return answer;
        }
        let replies = packed.commands.ignore_errors().query_async::<Vec<RedisResult<i64>>>(&mut self.connection).await;
        for reply in replies.unwrap_or_else(|error| vec![Err(error)]) {
            let counted = match reply {
                Ok(1) => &mut answer.counts.written,
                Ok(0) => &mut answer.counts.unchanged,
                Ok(-1) => &mut answer.counts.older,
                Ok(-2) => &mut answer.counts.foreign,
                other => {
                    let words = other.map_or_else(|error| error.to_string(), |reply| format!("it answers {reply}"));
                    answer.stopped.get_or_insert(words);
                    continue;
                }
            };
            *counted += 1;
            answer.counts.rows += 1;
        }
        answer
    }
}

/// Why there is no client; the store's name comes later.
enum Problem {
    Unresolved(&'static str, Diagnostic),
    Bad(String),
}

impl Problem {
    fn of(self, store: &str) -> Error {
        match self {
            Self::Unresolved(field, d) => Error::Unresolved { text: field.to_owned(), reason: d.message, help: d.help },
            Self::Bad(reason) => Error::BadStoreUrl { store: store.to_owned(), reason },
        }
    }
}

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        Self::Bad(error.to_string())
    }
}

fn info(ctx: &StepContext, target: &RedisTarget) -> std::result::Result<ConnectionInfo, Problem> {
    let url = ctx.project.secret(&target.url).map_err(|d| Problem::Unresolved("url", d))?;
    let info = url.expose().into_connection_info()?;
    let Some(password) = &target.password else { return Ok(info) };
    let password = ctx.project.secret(password).map_err(|d| Problem::Unresolved("password", d))?;
    let settings = info.redis_settings().clone().set_password(password.expose());
    Ok(info.set_redis_settings(settings))
}

fn client(ctx: &StepContext, info: ConnectionInfo, target: &RedisTarget) -> std::result::Result<Client, Problem> {
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        // Of the implementations that other crates bring with them rustls chooses none by itself. Another part may have chosen already.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
    let Some(file) = &target.ca_file else { return Ok(Client::open(info)?) };
    let path = ctx.project.location(file).map_err(|d| Problem::Unresolved("ca_file", d))?;
    let pem = std::fs::read(&path).map_err(|error| Problem::Bad(format!("{path} can't be read: {error}")))?;
    Ok(Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem) })?)
}

fn refused(place: &str, error: &RedisError) -> Error {
    let (place, reason) = (place.to_owned(), error.to_string());
    let login = error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if login { Error::StoreUnauthorised { place, reason } } else { Error::StoreDown { place, reason } }
}
