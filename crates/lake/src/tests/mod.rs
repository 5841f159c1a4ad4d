//! What the lake promises, tried from outside.

mod buckets;
mod commits;
mod crashes;
mod large;
mod merges;
mod reads;
mod types;
