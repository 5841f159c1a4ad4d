//! A fake of HubSpot's CRM API for reading: objects listed and searched, owners, properties, associations.
//!
//! Beside what every fake can be asked for, `PUT /hubspot/_fake/behaviour` makes the daily quota small and takes scopes away
//! ([`portal::Behaviour`]).

mod associations;
mod failure;
mod filter;
mod kinds;
mod list;
mod portal;
mod records;
mod routes;
mod search;

pub(super) use records::stores;
pub(super) use routes::router;

#[cfg(test)]
mod tests;
