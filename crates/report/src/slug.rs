//! File names of pages.

/// A file name for a key: lower-case letters, digits and hyphens.
///
/// Keys that lose something on the way (letter case, other characters) get a short hash of the whole key, so two keys never
/// share a page, also on file systems that don't tell `A` from `a`.
pub(crate) fn slug(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            _ if !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    let mut short: String = out.trim_matches('-').chars().take(40).collect();
    short.truncate(short.trim_end_matches('-').len());
    if short == key {
        return short;
    }
    let hash = blake3::hash(key.as_bytes()).to_hex();
    if short.is_empty() { hash[..10].to_owned() } else { format!("{short}-{}", &hash[..6]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_keys_stay_and_others_stay_apart() {
        assert_eq!(slug("acc-00042"), "acc-00042");
        assert_ne!(slug("001xA"), slug("001Xa"));
        assert!(slug("Zoë & Söhne").starts_with("zo-s-hne-"));
        assert_eq!(slug("../../etc/passwd").find(['.', '/']), None);
        assert_eq!(slug("日本").len(), 10);
        assert!(slug(&"x".repeat(300)).len() < 60);
    }
}
