//! Starting a server, waiting until it is ready, stopping it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What to do when something is missing.
pub(crate) const HELP: &str = "scripts/servers.sh installs what the tests start";

/// A server, stopped when it is dropped.
pub struct Server {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Keeps the folder until the server is gone.
    _folder: tempfile::TempDir,
    /// How it is stopped, where killing it would leave something behind.
    stop: Option<Command>,
}

impl Server {
    pub(crate) fn new(child: Child, port: u16, folder: tempfile::TempDir, stop: Option<Command>) -> Self {
        Self { child, port, _folder: folder, stop }
    }

    /// One HTTP exchange; the answer's body. Any status but 2xx is a panic.
    pub(crate) fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let port = self.port;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // HTTP/1.0: the answer is not chunked, and ends with the connection.
        let head = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{method} {path}: {answer}");
        body.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = &mut self.stop {
            drop(stop.status());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A file of what scripts/servers.sh fetched, if it is there.
pub(crate) fn fetched(path: &str) -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps").join(path).canonicalize().ok()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits for the line by which it says that it is ready, which it gives; what it says then is thrown away.
pub(crate) fn start(mut command: Command, ready: &str) -> (Child, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    let shown = format!("{command:?}");
    drop(command); // with it our ends of the pipe, so that it ends with the server
    let mut lines = BufReader::new(reader).lines();
    let mut said = String::new();
    loop {
        match lines.next() {
            Some(Ok(line)) if line.contains(ready) => {
                std::thread::spawn(move || lines.for_each(drop));
                return (child, line);
            }
            Some(Ok(line)) => said.push_str(&format!("{line}\n")),
            _ => {
                drop((child.kill(), child.wait()));
                panic!("{shown} ended before it was ready:\n{said}");
            }
        }
    }
}

/// Starts a server that chooses its port itself and names it in the line by which it says that it is ready.
pub(crate) fn start_anywhere(mut command: Command, ready: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    command.current_dir(folder.path());
    let (child, line) = start(command, ready);
    let digits: String = line.rsplit(':').next().unwrap().chars().take_while(char::is_ascii_digit).collect();
    let port = digits.parse().unwrap_or_else(|_| panic!("no port in `{line}`"));
    Server::new(child, port, folder, None)
}
