//! Redis as the system has it.

use crate::databases::program;
use crate::process::{free_port, start};
use std::process::{Child, Command};

/// A Redis server that keeps what it was told, stopped when it is dropped.
pub struct Redis {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Its data.
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

/// A Redis server without any keys; `arguments` are its own, such as `--requirepass secret`, in which `{port}`
/// stands for the port it is to take: `--port 0 --tls-port {port}` makes it speak TLS only.
#[must_use]
pub fn redis(arguments: &[&str]) -> Redis {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    // Every command is in a file before it is answered, so that a server which was killed has all that it acknowledged.
    let own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "no"].map(str::to_owned);
    let arguments: Vec<String> = own.into_iter().chain(arguments.iter().map(|a| a.replace("{port}", &port.to_string()))).collect();
    let child = run(&arguments, port, &folder);
    Redis { child, port, folder, arguments }
}

fn run(arguments: &[String], port: u16, folder: &tempfile::TempDir) -> Child {
    let mut command = Command::new(program("redis-server"));
    command.current_dir(folder.path());
    if !arguments.iter().any(|a| a == "--port") {
        command.args(["--port", &port.to_string()]);
    }
    command.args(arguments);
    start(command, "Ready to accept connections").0
}

impl Redis {
    /// Kills it in the midst of whatever it does.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it once more after it was killed, on the same port and with the data it had.
    pub fn start_again(&mut self) {
        self.child = run(&self.arguments, self.port, &self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
