//! Object stores: moto speaks S3, Azurite the blobs of Azure.
//!
//! Google's has no such server: those that can be had don't speak the API that `object_store` uses (docs/reference/lake.md).

use crate::process::{HELP, Server, fetched, start_anywhere};
use std::collections::BTreeMap;
use std::process::Command;

/// An empty bucket on a server of its own.
pub struct Bucket {
    /// The bucket's URL, such as `s3://bucket`.
    pub url: &'static str,
    /// How a client gets there and in: by the names of `object_store`'s options, which in capitals are the vendor's environment variables.
    pub options: BTreeMap<String, String>,
    /// Whether of two conditional puts at the very same moment only one wins, as the vendors promise.
    pub atomic: bool,
    server: Server,
}

impl Bucket {
    /// An object as anybody reads it who has its address; only of a bucket on moto.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        self.server.exchange("GET", &format!("/bucket/{path}"), "", "")
    }
}

fn options<const N: usize>(options: [(&str, &str); N]) -> BTreeMap<String, String> {
    options.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A bucket on moto that everybody may read. Its conditional puts look and then write, on several threads.
#[must_use]
pub fn s3() -> Bucket {
    let program = fetched("moto/bin/moto_server").unwrap_or_else(|| panic!("moto was not found: {HELP}"));
    let mut command = Command::new(program);
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    let server = start_anywhere(command, " * Running on http://");
    server.exchange("PUT", "/bucket", "x-amz-acl: public-read\r\n", "");
    let options = options([
        ("aws_endpoint", &format!("http://127.0.0.1:{}", server.port)),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "moto"),
        ("aws_secret_access_key", "secret-of-moto-5d1c"),
    ]);
    Bucket { url: "s3://bucket", options, atomic: false, server }
}

/// The account that every Azurite has, and its key, which everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// A signature by that key which lets its bearer make containers.
const MAY_CREATE: &str = "sv=2020-08-04&ss=b&srt=c&sp=c&se=2099-01-01T00:00:00Z&sig=TRDULb%2B8gQim4u2wts%2F6XC3IM08VpaB%2Fv27GbjaJYsY%3D";

/// A container on Azurite; `None` where it is not installed because there is no npm.
#[must_use]
pub fn azure() -> Option<Bucket> {
    let Some(program) = fetched("azurite/node_modules/azurite/dist/src/blob/main.js") else {
        eprintln!("not run: Azurite is absent; {HELP}, this one where there is npm");
        return None;
    };
    let mut command = Command::new("node");
    command.arg(program).args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry"]);
    let server = start_anywhere(command, "successfully listens on http://");
    server.exchange("PUT", &format!("/{ACCOUNT}/bucket?restype=container&{MAY_CREATE}"), "", "");
    let options = options([
        ("azure_storage_endpoint", &format!("http://127.0.0.1:{}/{ACCOUNT}", server.port)),
        ("azure_allow_http", "true"),
        ("azure_storage_account_name", ACCOUNT),
        ("azure_storage_account_key", KEY),
    ]);
    Some(Bucket { url: "az://bucket", options, atomic: true, server })
}
