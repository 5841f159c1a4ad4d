//! Servers and folders for tests.

use crate::{Client, ClientOptions, Url};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does on a connection, after it has read the request.
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Until somebody adds a permit.
    Await(Arc<tokio::sync::Semaphore>),
    /// Keeps the connection open and says nothing more.
    Hang,
}

/// A server that says exactly these bytes; each connection is the next script. Gives its address and the requests it got.
pub(crate) async fn scripted(scripts: Vec<Vec<Act>>) -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        for script in scripts {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            seen.lock().unwrap().push(request);
            tokio::spawn(act(stream, script));
        }
    });
    (Url::parse(&format!("http://{address}/v1/things")).unwrap(), requests)
}

async fn act(mut stream: TcpStream, script: Vec<Act>) {
    for step in script {
        match step {
            Act::Send(bytes) => {
                // The client may have had enough.
                let _gone = stream.write_all(&bytes).await;
                let _gone = stream.flush().await;
            }
            Act::Await(gate) => gate.acquire().await.unwrap().forget(),
            Act::Hang => std::future::pending().await,
        }
    }
    // A clean end, not a reset: the client has to notice itself that something is missing.
    let _gone = stream.shutdown().await;
}

/// Head and body of a request, as text.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).await.unwrap();
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert!(count > 0, "the request ends in its middle: {text}");
    }
}

/// A whole answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A server that gives these whole answers, one a connection.
pub(crate) async fn answers(all: Vec<Vec<u8>>) -> (Url, Arc<Mutex<Vec<String>>>) {
    scripted(all.into_iter().map(|bytes| vec![Act::Send(bytes)]).collect()).await
}

/// A client that loses patience soon.
pub(crate) fn client() -> Client {
    let options = ClientOptions {
        attempts: 2,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        read_timeout: Duration::from_millis(300),
        ..ClientOptions::default()
    };
    Client::new(options).unwrap()
}

/// A folder of its own, gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cscopilot-http-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The files' names and contents, in order.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
