//! A fake of Salesforce for the demo and the tests: the sObject collections API, external ids and simple SOQL, over the
//! simulated accounts.
//!
//! It keeps what it was sent in a JSON file and a log of all requests, so that a run can be compared with another one, also
//! after either was killed. It knows no time: the same requests give the same file.

mod fields;
mod routes;
mod soql;
mod state;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use cscopilot_diag::Secret;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Error;
use state::State;

/// How the fake is set up.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The folder that `simulate` wrote: its `salesforce/accounts-*` are the first records.
    pub data_dir: PathBuf,
    /// Where the state (`salesforce.json`) and the log of requests (`salesforce.requests.jsonl`) are kept.
    pub state_dir: PathBuf,
    /// The bearer token that requests must carry.
    pub token: Secret,
    /// Record ids whose changes are refused, with the error code.
    pub refuse: BTreeMap<String, String>,
    /// Custom fields that Account has besides the starter's, with the most characters that their texts may have.
    pub fields: BTreeMap<String, usize>,
    /// Custom fields by which records can be upserted, besides the starter's.
    pub external_ids: Vec<String>,
    /// Each so many-th request is answered with 503 before anything is done.
    pub unavailable_every: Option<u32>,
}

impl ServeConfig {
    /// A fake over simulated records that refuses nothing, on any free port.
    #[must_use]
    pub fn new(data_dir: PathBuf, state_dir: PathBuf, token: Secret) -> Self {
        Self {
            port: 0,
            data_dir,
            state_dir,
            token,
            refuse: BTreeMap::new(),
            fields: BTreeMap::new(),
            external_ids: Vec::new(),
            unavailable_every: None,
        }
    }
}

/// A running fake. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Its base URL, `http://127.0.0.1:8100`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops it and waits until the last answer is given.
    pub async fn stop(mut self) {
        self.stop.take();
        let _ = (&mut self.task).await;
    }

    /// Waits for ever, or until it stops by itself.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

/// Starts the fake; it answers from when this returns.
///
/// # Errors
/// If the simulated or the kept records can't be read, or the port is taken.
pub async fn serve(config: ServeConfig) -> Result<Server, Error> {
    let state = State::open(&config.data_dir, &config.state_dir)?;
    let shared = Arc::new(routes::Shared {
        state: Mutex::new(state),
        token: config.token,
        refuse: config.refuse,
        schema: fields::Schema::new(&config.fields, &config.external_ids),
        unavailable_every: config.unavailable_every,
    });
    let listen = |source| Error::Listen { port: config.port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let app = routes::router(shared);
    let task = tokio::spawn(async move {
        // Both a message and a dropped sender end it.
        let ended = async move {
            let _ = stopped.await;
        };
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(ended).await {
            tracing::error!(%error, "the fake stopped");
        }
    });
    Ok(Server { addr, stop: Some(stop), task })
}

#[cfg(test)]
mod tests;
