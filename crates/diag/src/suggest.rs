//! "Did you mean …?"

/// The candidate that is close enough to `name` to be what was meant, if there is one.
///
/// Close means a Damerau-Levenshtein distance of at most a third of the longer name, at least 1. Ties go to the
/// candidate that comes first in the alphabet.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|c| *c != name)
        .map(|c| (strsim::damerau_levenshtein(&wanted, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (wanted.chars().count().max(c.chars().count()) / 3).max(1))
        .min()
        .map(|(_, c)| c)
}

/// Help text: the close candidate, else the list of what exists (at most ten), else nothing.
pub fn help<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut all: Vec<&str> = candidates.into_iter().collect();
    if let Some(close) = closest(name, all.iter().copied()) {
        return Some(format!("did you mean `{close}`?"));
    }
    all.sort_unstable();
    all.dedup();
    match all.len() {
        0 => None,
        n if n <= 10 => Some(format!("known: {}", all.join(", "))),
        n => Some(format!("known: {}, … ({n} in all)", all[..10].join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_a_near_name_only() {
        let names = ["stream", "source", "sync"];
        assert_eq!(closest("sorce", names), Some("source"));
        assert_eq!(closest("pipeline", names), None);
        assert_eq!(closest("Sync", names), Some("sync"));
    }

    #[test]
    fn lists_what_exists_when_nothing_is_near() {
        assert_eq!(help("zzzzzz", ["b", "a"]).as_deref(), Some("known: a, b"));
        assert_eq!(help("x", []), None);
    }
}
