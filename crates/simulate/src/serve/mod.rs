//! Fakes of the vendors' APIs.
