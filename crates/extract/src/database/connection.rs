//! Which database is read, and what its errors become. Secrets end here: they are in no error and no debug output.

use super::adbc::Adbc;
use super::piece::Sink;
use super::request::Request;
use super::{adbc, mysql, postgres, sqlite};
use crate::error::{Error, Result};
use cscopilot_diag::Secret;
use cscopilot_spec::source::DatabaseRoot;
use cscopilot_spec::{Piece, Project, Text};
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How long a database may take to say whether it can be read.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database with all that is needed to reach it.
pub(crate) struct Connection {
    kind: Kind,
    scrubber: Scrubber,
}

enum Kind {
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MySqlConnectOptions>),
    Sqlite(PathBuf),
    Adbc(Box<Adbc>),
}

impl Connection {
    /// Resolves addresses and secrets; nothing is connected yet.
    pub(crate) fn resolve(project: &Project, root: &DatabaseRoot) -> Result<Self> {
        let mut scrubber = Scrubber::default();
        let kind = match root {
            DatabaseRoot::Postgres(database) => {
                let url = scrubber.url(project, &database.url)?;
                let options = PgConnectOptions::from_str(url.expose()).map_err(|e| scrubber.address(&e))?;
                Kind::Postgres(Box::new(options.disable_statement_logging()))
            }
            DatabaseRoot::Mysql(database) => {
                let url = scrubber.url(project, &database.url)?;
                let options = MySqlConnectOptions::from_str(url.expose()).map_err(|e| scrubber.address(&e))?;
                // What the query says is to mean what it means elsewhere.
                let options = options.pipes_as_concat(false).no_engine_substitution(false);
                Kind::Mysql(Box::new(options.disable_statement_logging()))
            }
            DatabaseRoot::Sqlite(database) => {
                let path = project.location(&database.path).map_err(|d| unresolved(&database.path, d))?;
                Kind::Sqlite(PathBuf::from(path))
            }
            DatabaseRoot::Adbc(database) => Kind::Adbc(Box::new(Adbc::resolve(project, database, &mut scrubber)?)),
        };
        Ok(Self { kind, scrubber })
    }

    /// Connects and tries whether streams can be read, without reading a row: what stands in the way of each.
    pub(crate) async fn look(self, requests: Vec<Request>) -> Result<Vec<Error>> {
        let Self { kind, scrubber } = self;
        let looked = async {
            match kind {
                Kind::Postgres(options) => postgres::look(&options, &requests, &scrubber).await,
                Kind::Mysql(options) => mysql::look(&options, &requests, &scrubber).await,
                Kind::Sqlite(path) => sqlite::look(&path, &requests, &scrubber).await,
                Kind::Adbc(adbc) => tokio::task::spawn_blocking(move || adbc::look(&adbc, &requests, &scrubber))
                    .await
                    .map_err(|e| Error::Task(e.to_string()))?,
            }
        };
        let late = |_| Error::DatabaseConnect { reason: format!("there was no answer within {} s", PATIENCE.as_secs()) };
        tokio::time::timeout(PATIENCE, looked).await.map_err(late)?
    }

    /// Reads what is asked for, in order, and sends it piece by piece.
    pub(crate) async fn read(self, request: Arc<Request>, sink: Sink) -> Result<()> {
        let Self { kind, scrubber } = self;
        match kind {
            Kind::Postgres(options) => postgres::read(&options, &request, sink, &scrubber).await,
            Kind::Mysql(options) => mysql::read(&options, &request, sink, &scrubber).await,
            Kind::Sqlite(path) => sqlite::read(&path, &request, sink, &scrubber).await,
            Kind::Adbc(adbc) => tokio::task::spawn_blocking(move || adbc::read(&adbc, &request, sink, &scrubber))
                .await
                .map_err(|e| Error::Task(e.to_string()))?,
        }
    }
}

pub(crate) fn unresolved(text: &Text, diagnostic: cscopilot_diag::Diagnostic) -> Error {
    Error::Unresolved { text: text.raw().to_owned(), reason: diagnostic.message }
}

/// Takes secrets out of what drivers say.
#[derive(Default)]
pub(crate) struct Scrubber {
    secrets: Vec<Secret>,
}

impl Scrubber {
    /// An address: neither it nor the password in it may show.
    pub(crate) fn url(&mut self, project: &Project, text: &Text) -> Result<Secret> {
        let url = project.secret(text).map_err(|d| unresolved(text, d))?;
        self.secrets.push(url.clone());
        self.passwords(url.expose());
        Ok(url)
    }

    /// An option of a driver: hidden if it comes from a secret or has a name that says so, and a password in an address always.
    pub(crate) fn option(&mut self, project: &Project, key: &str, text: &Text) -> Result<Secret> {
        let value = project.secret(text).map_err(|d| unresolved(text, d))?;
        let from_secret = text.pieces().iter().any(|piece| matches!(piece, Piece::Secret(_) | Piece::Env(_)));
        if from_secret || ["password", "secret", "token", "key", "credential"].iter().any(|word| key.to_ascii_lowercase().contains(word)) {
            self.secrets.push(value.clone());
        }
        self.passwords(value.expose());
        Ok(value)
    }

    fn passwords(&mut self, url: &str) {
        if let Ok(url) = url::Url::parse(url)
            && let Some(password) = url.password()
        {
            self.secrets.push(Secret::new(password));
            // As the server knows it, without percent signs.
            let plain: String = url::form_urlencoded::parse(format!("p={}", password.replace('+', "%2B")).as_bytes())
                .map(|(_, value)| value.into_owned())
                .collect();
            self.secrets.push(Secret::new(plain));
        }
    }

    /// The message without secrets.
    pub(crate) fn scrub(&self, message: &str) -> String {
        let mut secrets: Vec<&str> = self.secrets.iter().map(Secret::expose).filter(|s| !s.is_empty()).collect();
        // The longest first: an address holds its password.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        secrets.iter().fold(message.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    fn address(&self, error: &sqlx::Error) -> Error {
        Error::DatabaseAddress { reason: self.scrub(&message(error)) }
    }

    /// The error of a connection that wasn't made.
    pub(crate) fn connect(&self, error: &sqlx::Error) -> Error {
        Error::DatabaseConnect { reason: self.scrub(&message(error)) }
    }

    /// The error of a query: refused by the database, or cut off.
    pub(crate) fn query(&self, request: &Request, error: &sqlx::Error) -> Error {
        let what = request.shown.clone();
        let reason = self.scrub(&message(error));
        match error {
            sqlx::Error::Database(_) => Error::DatabaseRefused { what, reason },
            _ => Error::DatabaseLost { what, reason },
        }
    }
}

/// What the driver says, with the database's own hint where there is one.
fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => match database.code() {
            Some(code) => format!("{} ({code})", database.message()),
            None => database.message().to_owned(),
        },
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_an_address_nor_its_password_shows() {
        let mut scrubber = Scrubber::default();
        let url = "postgres://me:s%40crt@db.example:5432/crm";
        scrubber.secrets.push(Secret::new(url));
        scrubber.passwords(url);
        let said = scrubber.scrub(&format!("no answer from {url}; tried s@crt and s%40crt"));
        assert_eq!(said, "no answer from ***; tried *** and ***");
    }
}
