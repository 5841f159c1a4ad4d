//! Takes secrets out of texts that may be shown.
//!
//! One [`Redactor`] belongs to a client and all its clones. It learns secrets as they come (an access token is known only once it was
//! fetched) and never forgets one: an old token may still stand in a later answer.

use cscopilot_diag::Secret;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";
/// Very short secrets would blank out half of every text.
const SHORTEST: usize = 4;
/// A line of a longer secret (a PEM key) that gives something away on its own.
const SHORTEST_LINE: usize = 16;

/// The secrets of a client, and the forms in which they may turn up.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a secret that begins like another leaves no rest behind.
    needles: Arc<RwLock<Vec<String>>>,
}

impl Redactor {
    pub(crate) fn add(&self, secret: &Secret) {
        let text = secret.expose();
        let whole = text.trim();
        if whole.len() < SHORTEST || self.knows(whole) {
            return;
        }
        let lines =
            whole.lines().map(str::trim).filter(|line| whole.contains('\n') && line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
        let mut new: Vec<String> = std::iter::once(whole).chain(lines).flat_map(forms).collect();
        let mut needles = self.needles.write().unwrap_or_else(PoisonError::into_inner);
        needles.append(&mut new);
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
    }

    fn knows(&self, text: &str) -> bool {
        self.needles.read().unwrap_or_else(PoisonError::into_inner).iter().any(|needle| needle == text)
    }

    /// These secrets and further ones, which only this text holds.
    pub(crate) fn also<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let needles = self.needles.read().unwrap_or_else(PoisonError::into_inner).clone();
        let more = Self { needles: Arc::new(RwLock::new(needles)) };
        secrets.into_iter().for_each(|secret| more.add(secret));
        more
    }

    pub(crate) fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for needle in self.needles.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if clean.contains(needle) {
                clean = clean.replace(needle, HIDDEN);
            }
        }
        clean
    }

    /// The same for bytes that may be no text.
    pub(crate) fn clean_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.clean(text).into_bytes();
        }
        let mut clean = bytes.to_vec();
        for needle in self.needles.read().unwrap_or_else(PoisonError::into_inner).iter() {
            clean = replace(&clean, needle.as_bytes());
        }
        clean
    }

    /// The beginning of an answer, on one line.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        const KEPT: usize = 500;
        let text = self.clean(&String::from_utf8_lossy(body));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(KEPT) {
            _ if line.is_empty() => "(an empty answer)".to_owned(),
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

/// A secret as it is, as URLs and forms write it, and as JSON writes it.
fn forms(secret: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let slashes = json.replace('/', "\\/");
    let lower = lower_escapes(&form);
    let mut forms = vec![secret.to_owned(), form, percent, json, slashes, lower];
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// `%2F` as `%2f`, which some servers write.
fn lower_escapes(form: &str) -> String {
    let mut left = 0;
    form.chars()
        .map(|c| {
            left = if c == '%' { 2 } else { left };
            let escaped = c != '%' && left > 0;
            left -= i32::from(escaped);
            if escaped { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

fn replace(bytes: &[u8], needle: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(needle) {
            out.extend_from_slice(HIDDEN.as_bytes());
            rest = after;
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.add(&Secret::new(*secret)));
        redactor
    }

    #[test]
    fn a_secret_is_found_in_every_form_in_which_it_travels() {
        let secret = "a/b+c d\"e é";
        let redactor = redactor(&[secret]);
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::to_string(secret).unwrap();
        let php = json.replace('/', "\\/");
        for text in [secret.to_owned(), form.clone(), form.replace('+', "%20"), "a%2fb%2bc+d%22e+%c3%a9".to_owned(), json, php] {
            let clean = redactor.clean(&format!("<{text}>"));
            assert!(!clean.contains("b+c") && !clean.contains("b%2"), "{text} became {clean}");
        }
    }

    #[test]
    fn a_secret_that_begins_another_leaves_no_rest() {
        assert_eq!(redactor(&["tokn", "tokn-long-rest"]).clean("x tokn-long-rest tokn y"), "x *** *** y");
    }

    #[test]
    fn single_lines_of_a_key_are_hidden_too() {
        let redactor = redactor(&["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nabcdefghijklmnopqrstu\n-----END KEY-----\n"]);
        assert_eq!(redactor.clean("bad line: abcdefghijklmnopqrstu!"), "bad line: ***!");
    }

    #[test]
    fn bytes_that_are_no_text_are_cleaned_too() {
        let clean = redactor(&["s3cret"]).clean_bytes(b"\xff\xfes3cret\xff s3cre");
        assert_eq!(clean, b"\xff\xfe***\xff s3cre");
    }

    #[test]
    fn clones_share_what_they_learn_and_debug_shows_nothing() {
        let first = Redactor::default();
        let second = first.clone();
        first.add(&Secret::new("learned later"));
        assert_eq!(second.clean("learned later"), HIDDEN);
        assert!(!format!("{second:?}").contains("learned"));
    }
}
