//! What every crate needs to fail well.
//!
//! Errors are read by people at seven in the morning, so each one has a stable code, says where it is, what is wrong
//! and what to do. This crate holds that shape ([`Diagnostic`]), the classes of exit ([`ExitClass`]), secrets that never
//! print ([`Secret`]), "did you mean" ([`suggest`]) and the only place that reads the system clock ([`clock`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod clock;
mod diagnostic;
mod error;
mod exit;
mod secret;
pub mod suggest;

pub use diagnostic::{Diagnostic, Diagnostics, Place, Severity};
pub use error::{Coded, Domain};
pub use exit::ExitClass;
pub use secret::Secret;
