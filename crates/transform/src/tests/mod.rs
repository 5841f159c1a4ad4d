//! Behaviour of the whole crate, over lakes in memory.

mod compiling;
mod determinism;
mod incremental;
mod lineage;
mod materializing;
mod support;
mod unit_tests;
