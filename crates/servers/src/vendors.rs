//! Servers of vendors' protocols: localstripe speaks Stripe's API, fakesnow that of Snowflake's drivers.

use crate::process::{HELP, Server, fetched, free_port, start};
use std::process::Command;

/// A Stripe account with nothing in it.
pub struct Stripe(Server);

/// Its own main listens on all addresses and keeps what it is told in a file for the next start.
const LOCALSTRIPE: &str = "
import sys
from aiohttp import web
from localstripe import resources, server
resources.store.dump_to_disk = lambda: None
web.run_app(server.app, host='127.0.0.1', port=int(sys.argv[1]))
";

/// Starts localstripe.
#[must_use]
pub fn localstripe() -> Stripe {
    let python = python("localstripe").unwrap_or_else(|| panic!("localstripe was not found: {HELP}"));
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(python);
    command.args(["-c", LOCALSTRIPE, &port.to_string()]).env("PYTHONUNBUFFERED", "1").current_dir(folder.path());
    let (child, _) = start(command, "Running on");
    Stripe(Server::new(child, port, folder, None))
}

/// The interpreter of an environment, by the name through which it finds the environment's packages.
fn python(environment: &str) -> Option<std::path::PathBuf> {
    fetched(environment).map(|folder| folder.join("bin/python")).filter(|python| python.exists())
}

impl Stripe {
    /// The key that opens it.
    pub const KEY: &str = "sk_test_localstripe";

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// Sends a form to its API, or nothing with `GET` and `DELETE`; the answer's JSON.
    #[must_use]
    pub fn call(&self, method: &str, path: &str, form: &str) -> String {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded\r\n", Self::KEY);
        self.0.exchange(method, path, &headers, form)
    }
}

/// Starts fakesnow; `None` where `scripts/servers.sh snowflake` has not installed it.
#[must_use]
pub fn fakesnow() -> Option<Server> {
    let Some(python) = python("fakesnow") else {
        eprintln!("not run: fakesnow is absent; `make test-snowflake` installs it");
        return None;
    };
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(python.with_file_name("fakesnow"));
    command.args(["-s", "-p", &port.to_string()]).env("PYTHONUNBUFFERED", "1").current_dir(folder.path());
    let (child, _) = start(command, "Uvicorn running on");
    Some(Server::new(child, port, folder, None))
}
