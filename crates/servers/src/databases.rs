//! PostgreSQL and MariaDB as the system has them, and ADBC drivers.

use crate::process::{HELP, Server, fetched, free_port, start};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, in the search path or in one of Debian's folders.
pub(crate) fn program(name: &str) -> PathBuf {
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
    command.current_dir(folder).env("LC_ALL", "C").env("TZ", "America/New_York");
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// A PostgreSQL server with the database `postgres`; `settings` are lines of its configuration, `access` of `pg_hba.conf`.
#[must_use]
pub fn postgres(settings: &str, access: &str) -> Server {
    postgres_with(settings, access, &[])
}

/// The same with further files in its folder, such as `server.key`.
#[must_use]
pub fn postgres_with(settings: &str, access: &str, files: &[(&Path, &str)]) -> Server {
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
    let (child, _) = start(server, "ready to accept connections");
    let mut stop = command("pg_ctl", folder.path());
    stop.args(["stop", "-m", "immediate", "-s", "-D"]).arg(&data).stderr(Stdio::null()).stdout(Stdio::null());
    Server::new(child, port, folder, Some(stop))
}

/// A MariaDB server with the database `crm`, whose user `root` has no password.
#[must_use]
pub fn mariadb() -> Server {
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
    let (child, _) = start(server, "ready for connections");
    Server::new(child, port, folder, None)
}

/// The shared library of an ADBC driver.
#[must_use]
pub fn adbc(name: &str) -> PathBuf {
    fetched(&format!("adbc/adbc_driver_{name}/libadbc_driver_{name}.so"))
        .unwrap_or_else(|| panic!("the ADBC driver for {name} was not found: {HELP}"))
}
