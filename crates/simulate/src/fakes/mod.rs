//! Fakes of eight vendors' APIs over one simulated company, on one loopback port: `http://127.0.0.1:PORT/<vendor>/…`.
//!
//! They hold to what the vendors document and what was seen of them: auth, paging, limits, error bodies, change feeds, and
//! how deletes show. Faults come on demand ([`Faults`]), and `/_fake/…` moves the clock and tells the truth ([`World`]).
//!
//! Accepted credentials are constants, so that a test and its manifest need no set-up: [`TOKEN`] and its neighbours.

mod auth;
mod bench;
mod billing;
mod control;
mod faults;
mod guard;
mod limits;
mod lively;
mod mutate;
mod ninth;
mod refusals;
#[cfg(test)]
mod testing;
mod tokens;
mod wire;
mod world;

mod amplitude;
mod chargebee;
mod hubspot;
mod intercom;
mod mixpanel;
mod salesforce;
mod stripe;
mod zendesk;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use chrono::NaiveDate;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Error;
use crate::company::Company;

pub use faults::{EmptyPage, Fault, Faults, Kind, VendorFault};
pub use world::{Held, Record, Store, Version, World};

/// The bearer token or API key that every vendor accepts.
pub const TOKEN: &str = "fake-token-4f1d";
/// The client id that the OAuth endpoints accept.
pub const CLIENT_ID: &str = "fake-client";
/// The client secret that the OAuth endpoints accept.
pub const CLIENT_SECRET: &str = "fake-client-secret-9b2e";
/// The refresh token that the OAuth endpoints accept first; a rotated one replaces it if that was asked for.
pub const REFRESH_TOKEN: &str = "fake-refresh-token-7c3a";
/// The user name of basic auth: Zendesk's e-mail (`EMAIL/token`), Salesforce's user.
pub const EMAIL: &str = "extract@vendor.example";
/// Mixpanel's service account, whose secret is [`TOKEN`].
pub const SERVICE_ACCOUNT: &str = "extract.service";
/// Mixpanel's project.
pub const PROJECT_ID: &str = "2195193";
/// Amplitude's API key, whose secret is [`TOKEN`].
pub const API_KEY: &str = "fake-api-key-51aa";

/// The vendors that have a fake, and two that nobody sells: a large stream to measure with, and a ninth for a test.
pub const VENDORS: [&str; 10] =
    ["salesforce", "hubspot", "zendesk", "intercom", "mixpanel", "amplitude", "stripe", "chargebee", "bench", "ninth"];

/// How the fakes are set up.
#[derive(Debug, Clone)]
pub struct FakesConfig {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Paying customers on the first day.
    pub accounts: usize,
    /// Calendar months of history.
    pub months: u32,
    /// Usage events a day over the whole company, on average.
    pub events_per_day: u32,
    /// Another seed is another company.
    pub seed: u64,
    /// The last simulated day; the clock starts on the day before it.
    pub as_of: NaiveDate,
    /// Enforce the vendors' rates, with small numbers.
    pub rate_limited: bool,
    /// Give a new refresh token with each access token and refuse the old one from then on.
    pub rotate_refresh_tokens: bool,
    /// Records of `/bench/events`.
    pub bench_records: u64,
}

impl Default for FakesConfig {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: 200,
            months: 3,
            events_per_day: 200,
            seed: 42,
            as_of: NaiveDate::from_ymd_opt(2026, 6, 30).unwrap_or_default(),
            rate_limited: false,
            rotate_refresh_tokens: false,
            bench_records: 100_000,
        }
    }
}

/// What the handlers of every vendor share.
#[derive(Debug, Clone)]
pub struct FakeState {
    /// The company and the clock.
    pub world: Arc<World>,
    /// The faults that were asked for, and which issued tokens still hold ([`Faults::epoch`]).
    pub faults: Faults,
    /// Where the fakes listen, without a path: `http://127.0.0.1:8100`.
    pub base_url: String,
    /// How they were set up.
    pub config: Arc<FakesConfig>,
}

/// The stores of a vendor.
fn vendor_stores(vendor: &str, company: &Company) -> Vec<(&'static str, Store)> {
    match vendor {
        "salesforce" => salesforce::stores(company),
        "hubspot" => hubspot::stores(company),
        "zendesk" => zendesk::stores(company),
        "intercom" => intercom::stores(company),
        "mixpanel" => mixpanel::stores(company),
        "amplitude" => amplitude::stores(company),
        "stripe" => stripe::stores(company),
        "chargebee" => chargebee::stores(company),
        "ninth" => ninth::stores(company),
        _ => Vec::new(),
    }
}

/// Older records of a stream can't be seen by anyone who starts now (microseconds since 1970).
fn kept_from(vendor: &str, stream: &str, began: i64) -> i64 {
    match (vendor, stream) {
        ("stripe", "events") => began - stripe::EVENT_DAYS * world::DAY,
        _ => i64::MIN,
    }
}

fn vendor_routers(state: &FakeState) -> Vec<(&'static str, Router)> {
    vec![
        ("salesforce", salesforce::router(state.clone())),
        ("hubspot", hubspot::router(state.clone())),
        ("zendesk", zendesk::router(state.clone())),
        ("intercom", intercom::router(state.clone())),
        ("mixpanel", mixpanel::router(state.clone())),
        ("amplitude", amplitude::router(state.clone())),
        ("stripe", stripe::router(state.clone())),
        ("chargebee", chargebee::router(state.clone())),
        ("bench", bench::router(state.clone())),
        ("ninth", ninth::router(state.clone())),
    ]
}

/// The running fakes. They stop when this is dropped.
#[derive(Debug)]
pub struct Fakes {
    addr: SocketAddr,
    state: FakeState,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Fakes {
    /// Simulates the company and starts the fakes of all vendors; they answer from when this returns.
    ///
    /// # Errors
    /// If the numbers make no company, or the port is taken.
    pub async fn start(config: FakesConfig) -> Result<Self, Error> {
        let listen = |source| Error::Listen { port: config.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let state = FakeState {
            world: Arc::new(World::new(&config)?),
            faults: Faults::default(),
            base_url: format!("http://{addr}"),
            config: Arc::new(config),
        };
        let mut app = Router::new().nest("/_fake", control::router(state.clone()));
        for (vendor, router) in vendor_routers(&state) {
            let guard = guard::Guard::new(vendor, &state.world, &state.faults, &state.config);
            app = app.nest(&format!("/{vendor}"), router.layer(axum::middleware::from_fn_with_state(guard, guard::watch)));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // Both a message and a dropped sender end it.
            let ended = async move {
                let _ = stopped.await;
            };
            let service = app.into_make_service_with_connect_info::<wire::Line>();
            if let Err(error) = axum::serve(wire::Wires(listener), service).with_graceful_shutdown(ended).await {
                tracing::error!(%error, "the fakes stopped");
            }
        });
        Ok(Self { addr, state, stop: Some(stop), task })
    }

    /// Where they listen.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of a vendor: `http://127.0.0.1:8100/stripe`.
    #[must_use]
    pub fn url(&self, vendor: &str) -> String {
        format!("{}/{vendor}", self.state.base_url)
    }

    /// The company and the clock.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.state.world
    }

    /// The faults, to set and to clear.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// Stops them and waits until the last answer is given; idle connections are closed.
    pub async fn stop(mut self) {
        self.stop.take();
        let _ = (&mut self.task).await;
    }

    /// Waits until they stop by themselves, which they don't unless the system makes them.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

#[cfg(test)]
mod tests;
