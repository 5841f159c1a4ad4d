//! Real database servers for the tests, each in a folder of its own and on a free port of the loopback address.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server, stopped when it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    /// Keeps the folder until the server is gone.
    _folder: tempfile::TempDir,
    /// How it is stopped, where killing it would leave something behind.
    stop: Option<Command>,
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

const HELP: &str = "scripts/servers.sh installs what the tests of databases need";

/// A program, in the search path or in one of Debian's folders.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut versions: Vec<PathBuf> = glob::glob("/usr/lib/postgresql/*/bin").unwrap().flatten().collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` was not found: {HELP}"))
}

/// A user to run servers as, since they refuse to run as root: nobody else's tests depend on it, so any one will do.
fn user() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    is_root.then(|| {
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let id = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let fields: Vec<&str> = line.split(':').collect();
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        };
        id("postgres").or_else(|| id("nobody")).unwrap_or_else(|| panic!("there is no user `postgres` or `nobody`: {HELP}"))
    })
}

/// A folder that the servers' user owns.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some((uid, gid)) = user() {
        chown(folder.path(), Some(uid), Some(gid)).unwrap();
    }
    folder
}

fn command(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C").env("TZ", "America/New_York");
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits for the line by which it says that it is ready; what it says then is thrown away.
fn start(mut command: Command, ready: &str) -> Child {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    loop {
        match lines.next() {
            Some(Ok(line)) if line.contains(ready) => break,
            Some(Ok(line)) => said.push_str(&format!("{line}\n")),
            _ => panic!("{command:?} ended before it was ready:\n{said}"),
        }
    }
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// A PostgreSQL server with the database `postgres`; `settings` are lines of its configuration, `access` of `pg_hba.conf`.
pub(super) fn postgres(settings: &str, access: &str) -> Server {
    postgres_with(settings, access, &[])
}

/// The same with further files in its folder, such as `server.key`.
pub(super) fn postgres_with(settings: &str, access: &str, files: &[(&Path, &str)]) -> Server {
    let folder = folder();
    let data = folder.path().join("data");
    run(command("initdb", folder.path())
        .args(["--username=app", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(&data));
    let port = free_port();
    let sockets = folder.path().display();
    let config = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{sockets}'\nfsync = off\nlog_min_messages = fatal\n{settings}\n"
    );
    let file = data.join("postgresql.conf");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, before + &config).unwrap();
    if !access.is_empty() {
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
    }
    for (from, name) in files {
        let to = data.join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = user() {
            chown(&to, Some(uid), Some(gid)).unwrap();
        }
    }
    let mut server = command("postgres", folder.path());
    server.arg("-D").arg(&data).args(["-c", "log_min_messages=log"]);
    let child = start(server, "ready to accept connections");
    let mut stop = command("pg_ctl", folder.path());
    stop.args(["stop", "-m", "immediate", "-s", "-D"]).arg(&data).stderr(Stdio::null()).stdout(Stdio::null());
    Server { child, port, _folder: folder, stop: Some(stop) }
}

/// A MariaDB server with the database `crm`, whose user `root` has no password.
pub(super) fn mariadb() -> Server {
    let folder = folder();
    let data = folder.path().join("data");
    let datadir = format!("--datadir={}", data.display());
    run(command("mariadb-install-db", folder.path()).args([
        "--no-defaults",
        &datadir,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]));
    let port = free_port();
    let mut server = command("mariadbd", folder.path());
    server.args(["--no-defaults", &datadir, "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]).args(
        [
            format!("--port={port}"),
            format!("--socket={}", folder.path().join("socket").display()),
            format!("--pid-file={}", folder.path().join("pid").display()),
        ],
    );
    let child = start(server, "ready for connections");
    Server { child, port, _folder: folder, stop: None }
}

/// The shared library of an ADBC driver that scripts/servers.sh fetched.
pub(super) fn adbc(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/adbc");
    let file = root.join(format!("adbc_driver_{name}/libadbc_driver_{name}.so"));
    assert!(file.is_file(), "the ADBC driver for {name} was not found: {HELP}");
    file.canonicalize().unwrap()
}
