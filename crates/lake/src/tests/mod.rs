//! What the lake promises, tried from outside.

mod commits;
mod crashes;
mod merges;
mod reads;
