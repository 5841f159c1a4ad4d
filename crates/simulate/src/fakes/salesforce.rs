//! A fake of Salesforce's APIs for reading: OAuth tokens, SOQL over REST, and query jobs of the Bulk API 2.0.
//!
//! Beside what every fake can be asked for, `PUT /salesforce/_fake/behaviour` makes queries time out, jobs fail, and the
//! daily quota small ([`org::Behaviour`]).

mod bulk;
mod failure;
mod objects;
mod org;
mod query;
mod records;
mod routes;
mod soql;
mod token;

pub(super) use records::{micros, stores};
pub(super) use routes::router;

#[cfg(test)]
mod tests;
