//! Names of companies and people. Every company has a different one; people may share theirs.

use crate::rng::Rng;

const FIRST: [&str; 48] = [
    "Alder", "Amber", "Anchor", "Apex", "Aspen", "Beacon", "Birch", "Blue", "Bright", "Cedar", "Cobalt", "Copper", "Coral", "Crest",
    "Delta", "Ember", "Falcon", "Fern", "Frost", "Granite", "Harbor", "Hazel", "Heron", "Indigo", "Iron", "Juniper", "Lark", "Linden",
    "Lunar", "Maple", "Meridian", "Mosaic", "North", "Oak", "Onyx", "Orchid", "Pine", "Quartz", "Raven", "River", "Silver", "Slate",
    "Solar", "Spruce", "Stone", "Summit", "Tidal", "Willow",
];

const SECOND: [&str; 48] = [
    "beam", "bend", "bridge", "brook", "byte", "cast", "cliff", "craft", "dale", "deck", "dock", "field", "flow", "forge", "gate", "glen",
    "grid", "grove", "haven", "hill", "lane", "leaf", "light", "line", "link", "loop", "mark", "mill", "mont", "nest", "path", "peak",
    "point", "port", "reach", "ridge", "scope", "shore", "span", "spring", "star", "stead", "trail", "vale", "view", "ware", "wave",
    "works",
];

const KIND: [&str; 14] = [
    "Analytics",
    "Care",
    "Energy",
    "Foods",
    "Group",
    "Health",
    "Labs",
    "Learning",
    "Logistics",
    "Media",
    "Partners",
    "Robotics",
    "Systems",
    "Travel",
];

const PEOPLE_FIRST: [&str; 40] = [
    "Ada", "Aisha", "Alex", "Amina", "Ana", "Ben", "Carlos", "Chen", "Clara", "Daniel", "Elena", "Emil", "Fatima", "Felix", "Grace",
    "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Julia", "Karim", "Kofi", "Lara", "Leo", "Lina", "Marco", "Maria", "Mei", "Milan", "Nina",
    "Noah", "Olga", "Omar", "Priya", "Rosa", "Sam", "Sofia", "Tom", "Yuki",
];

const PEOPLE_LAST: [&str; 40] = [
    "Abe", "Almeida", "Bauer", "Becker", "Brown", "Castro", "Costa", "Diaz", "Dubois", "Evans", "Fischer", "Garcia", "Gupta", "Haddad",
    "Hansen", "Ito", "Jensen", "Kaya", "Khan", "Kim", "Klein", "Kovacs", "Larsen", "Lopez", "Meyer", "Moreau", "Nguyen", "Novak", "Okafor",
    "Olsen", "Park", "Patel", "Rossi", "Sato", "Silva", "Singh", "Smith", "Weber", "Wong", "Yilmaz",
];

/// Name and domain of the company with this number; different for each number.
pub(crate) fn company(index: usize) -> (String, String) {
    let total = FIRST.len() * SECOND.len() * KIND.len();
    // A step that shares no factor with the total visits every name once, in an order that looks random.
    let k = (index % total) * 11_321 % total;
    let round = index / total;
    let (first, second, kind) = (FIRST[k % 48], SECOND[k / 48 % 48], KIND[k / (48 * 48)]);
    let number = if round == 0 { String::new() } else { (round + 1).to_string() };
    let name = if number.is_empty() { format!("{first}{second} {kind}") } else { format!("{first}{second} {kind} {number}") };
    let ending = ["com", "com", "io", "co", "net"][k % 5];
    let domain = format!("{first}{second}-{kind}{number}.{ending}").to_lowercase();
    (name, domain)
}

/// A person's name.
pub(crate) fn person(rng: &mut Rng) -> (&'static str, &'static str) {
    let first = PEOPLE_FIRST[rng.between(0, PEOPLE_FIRST.len() as i64) as usize];
    let last = PEOPLE_LAST[rng.between(0, PEOPLE_LAST.len() as i64) as usize];
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_companies_share_a_name_or_a_domain() {
        let n = 70_000;
        let names: BTreeSet<_> = (0..n).map(|i| company(i).0).collect();
        let domains: BTreeSet<_> = (0..n).map(|i| company(i).1).collect();
        assert_eq!((names.len(), domains.len()), (n, n));
    }
}
