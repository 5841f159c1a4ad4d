//! MLflow: a tracking server with its registry of models, and the Python that loads models from it.

use crate::process::{HELP, Server, fetched, free_port, start};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// A tracking server with nothing in it.
pub struct Mlflow(Server);

/// The interpreter of an environment with `mlflow` and `xgboost`.
///
/// # Panics
/// Where the environment is not installed.
#[must_use]
pub fn mlflow_python() -> PathBuf {
    let folder = fetched("mlflow").unwrap_or_else(|| panic!("mlflow was not found: {HELP}"));
    folder.join("bin/python")
}

/// Starts MLflow's tracking server, which keeps everything in its own folder and hands artifacts through.
#[must_use]
pub fn mlflow() -> Mlflow {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(mlflow_python().with_file_name("mlflow"));
    command
        .args(["server", "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts", "--workers", "1"])
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .env("PYTHONUNBUFFERED", "1")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
        .current_dir(folder.path());
    // The command starts the server as another process: one signal has to end both.
    command.process_group(0);
    let (child, _) = start(command, "Application startup complete");
    let mut stop = Command::new("kill");
    stop.args(["-KILL", "--", &format!("-{}", child.id())]);
    Mlflow(Server::new(child, port, folder, Some(stop)))
}

impl Mlflow {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }
}
