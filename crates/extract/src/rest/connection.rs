//! An account at a vendor, ready to be asked: settings resolved, credentials and limits shared by all its streams.

use super::error::RestError;
use crate::error::{Error, Result};
use cscopilot_diag::{Secret, clock};
use cscopilot_http::{
    Authenticator, Backoff, BudgetRule, Client, ClientOptions, Credentials, Grant, KeepToken, LimitRule, Limits, QuotaRule, Spent,
    TokenRequest, Url,
};
use cscopilot_lake::Lake;
use cscopilot_spec::connector::{Auth, Budget, Connector, CredentialsIn, QuotaHeader, Rate, Template};
use cscopilot_spec::{Piece, Project, Source, Text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a run of extractions shares: one connection a source, so that its streams keep to one rate and use one token.
///
/// Clones share.
#[derive(Clone, Default)]
pub struct Connections(Arc<Shared>);

#[derive(Default)]
struct Shared {
    tape: Tape,
    open: tokio::sync::Mutex<BTreeMap<String, Arc<Connection>>>,
}

/// Whether exchanges are written down, or answered from what was.
#[derive(Debug, Clone, Default)]
pub enum Tape {
    /// Neither.
    #[default]
    Off,
    /// They are written into this folder, without secrets.
    Record(PathBuf),
    /// They are answered from this folder; nothing is sent.
    Replay(PathBuf),
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connections({:?})", self.0.tape)
    }
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(tape: Tape) -> Self {
        Self(Arc::new(Shared { tape, open: tokio::sync::Mutex::default() }))
    }

    /// The connection of a source, opened the first time.
    pub(crate) async fn get(
        &self,
        project: &Project,
        lake: &Lake,
        name: &str,
        source: &Source,
        connector: &Connector,
    ) -> Result<Arc<Connection>> {
        let mut open = self.0.open.lock().await;
        if let Some(connection) = open.get(name) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Connection::open(project, lake, name, source, connector, &self.0.tape).await?);
        open.insert(name.to_owned(), Arc::clone(&connection));
        Ok(connection)
    }
}

/// One account at a vendor.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) auth: Authenticator,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    /// Settings that templates may show.
    pub(crate) settings: Value,
    spent_at: String,
    /// Requests of earlier streams that were saved already.
    saved: Mutex<u64>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Connection {
    async fn open(project: &Project, lake: &Lake, name: &str, source: &Source, connector: &Connector, tape: &Tape) -> Result<Self> {
        let spec = &connector.client;
        let settings = Settings::resolve(project, source, connector)?;
        let secs = |n: f64| Duration::try_from_secs_f64(n).unwrap_or(Duration::from_secs(60));
        let options = ClientOptions { read_timeout: secs(spec.retry.timeout_secs), ..ClientOptions::default() };
        let client = match tape {
            Tape::Off => Client::new(options),
            Tape::Record(dir) => Client::new(options).and_then(|client| client.recording(dir.join(name))),
            Tape::Replay(dir) => Client::new(options).and_then(|client| client.replaying(dir.join(name))),
        };
        let client = settings.secrets.values().fold(client.map_err(RestError::Http)?, Client::hiding);
        let rules = spec.rates.iter().map(|rate| settings.limit(rate)).collect::<Result<_>>()?;
        let budget = spec.budget.as_ref().map(budget_rule);
        let limits = Limits::new(rules, budget, spec.concurrency.value);
        let spent_at = format!("state/budgets/{name}.json");
        if let Some(spent) = lake.objects().get_json::<Spent>(&spent_at).await? {
            limits.restore(&spent);
        }
        let credentials = settings.credentials(source, connector)?;
        let keeper = settings.keeper(source, connector);
        Ok(Self {
            auth: Authenticator::new(client.clone(), credentials, keeper),
            client,
            limits,
            backoff: Backoff::new(secs(spec.retry.first_wait_secs), secs(spec.retry.longest_wait_secs), 0),
            settings: Value::Object(settings.open),
            spent_at,
            saved: Mutex::default(),
        })
    }

    /// Keeps what was spent of the long rates for the next run.
    pub(crate) async fn save_spent(&self, lake: &Lake) -> Result<()> {
        let requests = self.limits.requests();
        if self.client.is_replaying() {
            return Ok(());
        }
        {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::replace(&mut *saved, requests) == requests {
                return Ok(());
            }
        }
        let spent = self.limits.spent();
        if spent != Spent::default() {
            lake.objects().put_json(&self.spent_at, &spent).await?;
        }
        Ok(())
    }

    /// `setting`, `auth` and `today` of templates.
    pub(crate) async fn context(&self) -> std::result::Result<Map<String, Value>, RestError> {
        let mut context = Map::new();
        context.insert("setting".to_owned(), self.settings.clone());
        context.insert("auth".to_owned(), json!(self.auth.fields().await?));
        Ok(context)
    }
}

fn budget_rule(budget: &Budget) -> BudgetRule {
    let quota =
        |q: &QuotaHeader| QuotaRule { header: q.header.clone(), pattern: q.pattern.value.clone(), stop_at_pct: q.stop_at_pct.value };
    BudgetRule {
        remaining: budget.remaining.clone(),
        reset: budget.reset.clone(),
        reset_in_secs: budget.reset_in_secs,
        keep: budget.keep,
        quota: budget.quota.as_ref().map(quota),
    }
}

/// A source's settings, resolved: those that may be shown, and secrets.
struct Settings {
    open: Map<String, Value>,
    secrets: BTreeMap<String, Secret>,
}

impl Settings {
    fn resolve(project: &Project, source: &Source, connector: &Connector) -> Result<Self> {
        let mut settings = Self { open: Map::new(), secrets: BTreeMap::new() };
        for (name, setting) in connector.settings.iter() {
            let failed = |d: cscopilot_diag::Diagnostic| RestError::Setting { setting: name.value.clone(), reason: d.to_string() };
            match (source.settings.get(&name.value), &setting.default, setting.secret) {
                (Some(text), _, true) => {
                    settings.secrets.insert(name.value.clone(), project.secret(text).map_err(failed)?);
                }
                (Some(text), _, false) => {
                    settings.open.insert(name.value.clone(), json!(project.resolve(text).map_err(failed)?));
                }
                (None, Some(default), true) => {
                    settings.secrets.insert(name.value.clone(), Secret::new(default.clone()));
                }
                (None, Some(default), false) => {
                    settings.open.insert(name.value.clone(), json!(default));
                }
                (None, None, _) => {}
            }
        }
        Ok(settings)
    }

    /// A template of `auth`: it alone sees secrets.
    fn secret(&self, template: &Template) -> Result<Secret> {
        let mut all = self.open.clone();
        all.extend(self.secrets.iter().map(|(name, secret)| (name.clone(), json!(secret.expose()))));
        let missing = template.used("setting").into_iter().find(|name| !all.contains_key(name));
        if let Some(setting) = missing {
            return Err(RestError::Setting { setting, reason: "the source doesn't give it".to_owned() }.into());
        }
        Ok(Secret::new(template.render(&json!({"setting": all})).map_err(RestError::Template)?))
    }

    /// A rate, as the account has it.
    fn limit(&self, rate: &Rate) -> Result<LimitRule> {
        let own = rate.setting.as_ref().and_then(|name| Some((name, self.open.get(&name.value)?.as_str()?)));
        let requests = match own {
            None => rate.requests.value,
            Some((name, text)) => text
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| RestError::Setting { setting: name.value.clone(), reason: format!("`{text}` is no number of requests") })?,
        };
        Ok(LimitRule { requests, per: Duration::from_secs(rate.per_secs.value.into()), path: rate.path.clone() })
    }

    fn open(&self, template: &Template) -> Result<String> {
        Ok(template.render(&json!({"setting": self.open})).map_err(RestError::Template)?)
    }

    fn url(&self, template: &Template) -> Result<Url> {
        let text = self.open(template)?;
        Url::parse(&text).map_err(|e| RestError::BadNextUrl { url: text, reason: e.to_string() }.into())
    }

    fn credentials(&self, source: &Source, connector: &Connector) -> Result<Credentials> {
        let params = |fields: &BTreeMap<String, Template>| -> Result<Vec<(String, String)>> {
            fields.iter().map(|(name, value)| Ok((name.clone(), self.open(value)?))).collect()
        };
        Ok(match chosen(source, connector) {
            None => Credentials::None,
            Some(Auth::ApiKey(key)) => {
                let secret = self.secret(&key.key)?;
                match (&key.header, &key.query) {
                    (Some(name), _) => Credentials::Header { name: name.clone(), key: secret },
                    (None, name) => Credentials::Query { name: name.clone().unwrap_or_default(), key: secret },
                }
            }
            Some(Auth::Basic(basic)) => Credentials::Basic {
                user: self.secret(&basic.username)?,
                password: basic.password.as_ref().map_or_else(|| Ok(Secret::new("")), |p| self.secret(p))?,
            },
            Some(Auth::Bearer(bearer)) => Credentials::Bearer(self.secret(&bearer.token)?),
            Some(Auth::OauthRefresh(o)) => {
                let refresh_token = self.secrets.get(&o.refresh_token.value).cloned().ok_or_else(|| RestError::Setting {
                    setting: o.refresh_token.value.clone(),
                    reason: "the source doesn't give it".to_owned(),
                })?;
                let (client_id, client_secret) = (self.secret(&o.client_id)?, self.secret(&o.client_secret)?);
                let grant = Grant::Refresh { client_id, client_secret, refresh_token };
                Credentials::Token(TokenRequest { url: self.url(&o.token_url)?, grant, params: params(&o.params)?, keep: o.keep.clone() })
            }
            Some(Auth::ClientCredentials(c)) => {
                let (client_id, client_secret) = (self.secret(&c.client_id)?, self.secret(&c.client_secret)?);
                let grant = Grant::ClientCredentials { client_id, client_secret, in_header: c.credentials_in == CredentialsIn::Header };
                Credentials::Token(TokenRequest { url: self.url(&c.token_url)?, grant, params: params(&c.params)?, keep: c.keep.clone() })
            }
            Some(Auth::JwtBearer(j)) => {
                let grant = Grant::JwtBearer {
                    issuer: self.secret(&j.issuer)?.expose().to_owned(),
                    subject: self.secret(&j.subject)?.expose().to_owned(),
                    audience: self.secret(&j.audience)?.expose().to_owned(),
                    private_key_pem: self.secret(&j.private_key)?,
                    lifetime: Duration::from_secs(j.lifetime_secs.into()),
                };
                Credentials::Token(TokenRequest { url: self.url(&j.token_url)?, grant, params: Vec::new(), keep: j.keep.clone() })
            }
        })
    }

    /// Who keeps rotated refresh tokens, where the chosen way has one.
    fn keeper(&self, source: &Source, connector: &Connector) -> Option<Arc<dyn KeepToken>> {
        let Some(Auth::OauthRefresh(refresh)) = chosen(source, connector) else { return None };
        let text = source.settings.get(&refresh.refresh_token.value)?.value.clone();
        Some(Arc::new(Keeper { text }))
    }
}

fn chosen<'a>(source: &Source, connector: &'a Connector) -> Option<&'a Auth> {
    match &source.auth {
        Some(name) => connector.client.auth.get(name),
        None => connector.client.auth.iter().next().map(|(_, auth)| auth),
    }
}

/// Writes rotated refresh tokens back to where the old one came from.
struct Keeper {
    text: Text,
}

impl KeepToken for Keeper {
    fn keep(&self, rotated: &Secret) -> std::result::Result<(), String> {
        match self.text.pieces() {
            [Piece::Secret(name)] => cscopilot_spec::keep_secret(name, rotated).map_err(|d| d.to_string()),
            _ => {
                Err("the refresh token stands in the source's file; write it as `${secret:NAME}`, so that the new one can be kept"
                    .to_owned())
            }
        }
    }
}

/// Now, in microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    clock::now().timestamp_micros()
}

impl From<RestError> for Error {
    fn from(error: RestError) -> Self {
        Self::Rest(Box::new(error))
    }
}
