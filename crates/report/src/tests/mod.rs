//! Tests of whole sites: a small lake read and rendered with the repository's own templates, and large made-up nights.

mod pages;
mod size;
mod templates;
