use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One file of a recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// The method of the request.
    pub(super) method: String,
    /// Where it went, with its query, secrets removed.
    pub(super) url: String,
    /// Its body, secrets removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_body: Option<Content>,
    /// The status of the answer.
    pub(super) status: u16,
    /// Where the answer came from, if the request was redirected; without the query, which may be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answered_by: Option<String>,
    /// The headers of the answer, without those that grant something.
    pub(super) headers: BTreeMap<String, String>,
    /// The body of the answer, unpacked, secrets removed.
    pub(super) body: Content,
}

impl Exchange {
    pub(super) fn key(&self) -> Key {
        Key { method: self.method.clone(), url: self.url.clone(), body: self.request_body.clone() }
    }
}

/// What tells requests apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: Option<Content>,
}

/// Bytes: as text, where they are text, so that people can read them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    Text(String),
    Base64(String),
}

impl Content {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| Self::Base64(STANDARD.encode(e.as_bytes())), Self::Text)
    }

    /// The bytes; nothing where the base64 is none.
    pub(super) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            // Three bytes in four letters, `=` at the end where there were fewer.
            Self::Base64(text) => text.len() / 4 * 3 - text.bytes().rev().take_while(|b| *b == b'=').count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_as_they_were() {
        for bytes in [&b""[..], b"text \xc3\xa9\n", b"\xff", b"\xff\xfe", b"\xff\xfe\xfd", b"PK\x03\x04\x80\x00"] {
            let content = Content::new(bytes.to_vec());
            assert_eq!((content.len(), content.bytes().as_deref()), (bytes.len(), Some(bytes)));
        }
    }
}
