use crate::source::Ordered;
use crate::{At, Component, Loaded, Project, SyncFrom, Text, Version1};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// `configs/stores/<name>.yaml`: which columns an online store holds for each account.
///
/// The lake keeps features and scores of every night; an online store holds the newest ones only, for programs that need them within a
/// millisecond. A step `publish: {redis: <name>}` writes them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The format's version.
    pub version: Version1,
    /// What the store is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The server.
    pub to: StoreTarget,
    /// What each key begins with, such as `acme:cs`. A key is `<prefix>:<name of the hash>:<account>`.
    pub prefix: At<String>,
    /// After so many days without being written a key vanishes, and with it what is known of an account that has left.
    #[serde(default = "default_expiry")]
    pub expire_after_days: At<u32>,
    /// What is published, by names that stand in the keys: one hash a row.
    pub hashes: Ordered<StoreHash>,
}

/// Where a store lies.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StoreTarget {
    /// Redis, and what speaks its protocol and runs its Lua scripts, such as Valkey.
    Redis(RedisTarget),
}

/// How a Redis server is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisTarget {
    /// `redis://user@host:6379/0`, or `rediss://…` for TLS. It is kept secret as a whole, since it may hold a password.
    pub url: At<Text>,
    /// The password, if it doesn't stand in the URL.
    #[serde(default)]
    pub password: Option<At<Text>>,
    /// With TLS: a PEM file with the authority that signed the server's certificate, where the system doesn't know it. A relative path
    /// starts at the project.
    #[serde(default)]
    pub ca_file: Option<At<Text>>,
    /// Rows in one exchange with the server.
    #[serde(default = "default_batch_size")]
    pub batch_size: At<usize>,
}

/// One row of a table as one hash.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreHash {
    /// Where the rows come from: one row an account.
    pub from: SyncFrom,
    /// The column whose value ends the key.
    #[serde(default = "default_key")]
    pub key: At<String>,
    /// The columns that become fields of the same names; all but the key without it. The field `as_of` is always there.
    #[serde(default)]
    pub columns: Option<Vec<At<String>>>,
}

fn default_expiry() -> At<u32> {
    At::nowhere(30)
}

fn default_batch_size() -> At<usize> {
    At::nowhere(500)
}

fn default_key() -> At<String> {
    At::nowhere("account_id".to_owned())
}

impl StoreTarget {
    /// The Redis server, the only kind of store so far.
    #[must_use]
    pub fn redis(&self) -> &RedisTarget {
        match self {
            Self::Redis(target) => target,
        }
    }
}

impl Component for Store {
    const KIND: &'static str = "store";
    const LOCATION: &'static str = "configs/stores";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let target = loaded.value.to.redis();
        for text in [Some(&target.url), target.password.as_ref(), target.ca_file.as_ref()].into_iter().flatten() {
            project.check_text(loaded, text, out);
        }
        rules(loaded, out);
    }
}

/// Ten years: later ones would only hide a mistake.
const MAX_DAYS: u32 = 3_650;
/// A batch is packed in memory as a whole.
const MAX_BATCH: usize = 10_000;

fn rules(loaded: &Loaded<Store>, out: &mut Diagnostics) {
    let store = &loaded.value;
    let (prefix, days, batch) = (&store.prefix, &store.expire_after_days, &store.to.redis().batch_size);
    if prefix.is_empty() || prefix.ends_with(':') || prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
        out.push(
            loaded
                .error("SYN109", prefix, format!("`{prefix}` can't be the beginning of a key"))
                .with_help("write it as `acme:cs`, without blanks and without a colon at its end"),
        );
    }
    if !(1..=MAX_DAYS).contains(&days.value) {
        out.push(
            loaded
                .error("SYN110", days, format!("keys can't vanish after {days} days"))
                .with_help(format!("write 1 to {MAX_DAYS}; more days than lie between two runs, or nothing is there in between")),
        );
    }
    if !(1..=MAX_BATCH).contains(&batch.value) {
        out.push(
            loaded
                .error("SYN111", batch, format!("{batch} rows in one exchange are not possible"))
                .with_help(format!("write 1 to {MAX_BATCH}")),
        );
    }
    if store.hashes.is_empty() {
        out.push(
            loaded
                .error("SYN112", prefix, "the store publishes nothing")
                .with_help("add `hashes:` with `scores: {from: {table: marts.account_scores}}`"),
        );
    }
    for (name, hash) in store.hashes.iter() {
        if !name.starts_with(|c: char| c.is_ascii_lowercase())
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            out.push(
                loaded
                    .error("SYN113", name, format!("`{name}` can't be the name of a hash"))
                    .with_help("use lower-case letters, digits and `_`"),
            );
        }
        hash_rules(loaded, hash, out);
    }
}

fn hash_rules(loaded: &Loaded<Store>, hash: &StoreHash, out: &mut Diagnostics) {
    let table = &hash.from.table;
    if table.split('.').count() != 2 {
        out.push(loaded.error("SYN101", table, format!("`{table}` is not a table")).with_help("write it as `marts.account_scores`"));
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for column in hash.columns.iter().flatten() {
        if !seen.insert(column.as_str()) {
            out.push(loaded.error("SYN114", column, format!("`{column}` is there twice")).with_help("remove one of the two"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SOUND: &str = r#"version: 1
to:
  redis:
    url: redis://cscopilot@cache.acme.com:6379/2
    password: "${secret:redis_password}"
prefix: acme:cs
hashes:
  scores:
    from: {table: marts.account_scores, where: "segment <> 'internal'"}
    columns: [health_score, churn_probability]
  features:
    from: {table: features.account_features}
"#;

    fn errors(from: &str, to: &str) -> String {
        assert!(SOUND.contains(from), "{from}");
        let yaml = SOUND.replace(from, to);
        let text: Arc<str> = Arc::from(yaml.as_str());
        match crate::parse("configs/stores/online.yaml", &text, &yaml, 0) {
            Err(error) => error.to_string(),
            Ok(value) => {
                let mut out = Diagnostics::new();
                rules(&Loaded { name: "online".to_owned(), path: "configs/stores/online.yaml".to_owned(), text, value }, &mut out);
                out.to_string()
            }
        }
    }

    #[test]
    fn a_sound_store_has_no_errors() {
        assert_eq!(errors("version: 1", "version: 1"), "");
        assert_eq!(errors("prefix: acme:cs", "prefix: acme:cs\nexpire_after_days: 7"), "");
    }

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        let cases = [
            ("prefix: acme:cs", "prefix: 'acme cs'"),
            ("prefix: acme:cs", "prefix: 'acme:'"),
            ("prefix: acme:cs", "prefix: acme:cs\nexpire_after_days: 0"),
            ("cache.acme.com:6379/2", "cache.acme.com:6379/2\n    batch_size: 0"),
            ("marts.account_scores", "account_scores"),
            ("  scores:", "  Scores:"),
            ("churn_probability]", "health_score]"),
            ("password:", "pasword:"),
        ];
        let all: Vec<String> = cases.iter().map(|(from, to)| errors(from, to)).collect();
        insta::assert_snapshot!(all.join("\n\n"));
    }

    #[test]
    fn a_store_without_hashes_publishes_nothing() {
        let (before, _) = SOUND.split_once("hashes:").unwrap();
        assert!(errors(&SOUND[before.len()..], "hashes: {}\n").contains("publishes nothing"));
    }
}
