//! A fake of Zendesk's API for reading: incremental exports by cursor and by time, and lists with cursor or offset paging.
//!
//! Beside what every fake can be asked for, `PUT /zendesk/_fake/behaviour` forbids paths ([`desk::Behaviour`]).

mod desk;
mod exports;
mod lists;
mod records;
mod routes;

pub(super) use records::stores;
pub(super) use routes::router;

#[cfg(test)]
mod tests;
