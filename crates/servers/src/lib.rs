//! Real servers for the tests of several crates, all written by others: what we believe of a database or a bucket is tried on them.
//!
//! Each is started for one test, in a folder of its own and on a free port of the loopback address, and stopped when its value is
//! dropped. `scripts/servers.sh` installs them. Where one that needs more than the others is not installed, its function prints one
//! line and gives `None`; any other that is missing is a panic, so that no test is left out by mistake.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod buckets;
mod databases;
mod mlflow;
mod process;
mod redis;
mod vendors;

pub use buckets::{Bucket, azure, s3};
pub use databases::{adbc, mariadb, postgres, postgres_with};
pub use mlflow::{Mlflow, mlflow, mlflow_python};
pub use process::Server;
pub use redis::{Redis, redis};
pub use vendors::{Stripe, fakesnow, localstripe};
