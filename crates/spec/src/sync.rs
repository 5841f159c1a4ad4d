use crate::source::Ordered;
use crate::{At, Component, Loaded, Project, Text, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// `configs/syncs/<name>.yaml`: which columns of a table go to which fields of a CRM.
///
/// Only fields named here are ever written, only where their value changed, and never over what a person has edited since the last
/// write, unless `on_conflict` says so.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// The format's version.
    pub version: Version1,
    /// What the mapping is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the rows come from: one row a record.
    pub from: SyncFrom,
    /// The CRM.
    pub to: SyncTarget,
    /// The CRM's fields by their API names.
    pub fields: Ordered<SyncField>,
    /// What happens to a field that a person has edited since the last write.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// The rows of a sync.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncFrom {
    /// The table. Of a table with a column `as_of`, the rows of the run's date count.
    pub table: At<String>,
    /// A further condition on rows, in SQL.
    #[serde(default)]
    pub r#where: Option<At<String>>,
}

/// Where a sync writes to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SyncTarget {
    /// Records of one object in Salesforce, through the sObject collections API.
    Salesforce(SalesforceTarget),
}

/// An object in a Salesforce org.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesforceTarget {
    /// The org's address, such as `https://acme.my.salesforce.com`.
    pub base_url: At<Text>,
    /// The access token.
    pub token: At<Text>,
    /// The object, such as `Account`.
    pub object: At<String>,
    /// How rows find their records.
    pub r#match: SyncMatch,
    /// The API's version.
    #[serde(default = "default_api_version")]
    pub api_version: At<String>,
    /// Records a call; 200 is the most that Salesforce takes.
    #[serde(default = "default_batch_size")]
    pub batch_size: At<usize>,
    /// Calls a second at most; no limit without it.
    #[serde(default)]
    pub requests_per_second: Option<std::num::NonZeroU32>,
}

fn default_api_version() -> At<String> {
    At::nowhere("61.0".to_owned())
}

fn default_batch_size() -> At<usize> {
    At::nowhere(200)
}

/// How rows find their records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SyncMatch {
    /// The column that holds the record's id, such as `crm_id`. Rows without one are left out and counted.
    RecordId(At<String>),
    /// A field of the object that holds a key of ours.
    ExternalId(ExternalId),
}

/// A field of the CRM that holds a key of ours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// The field's API name, such as `Customer_Key__c`.
    pub field: At<String>,
    /// The column that holds the same key.
    pub column: At<String>,
}

impl SyncMatch {
    /// The column that finds the record.
    #[must_use]
    pub fn column(&self) -> &At<String> {
        match self {
            Self::RecordId(column) => column,
            Self::ExternalId(external) => &external.column,
        }
    }
}

/// What goes into one field of the CRM.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncField {
    /// The column.
    pub column: At<String>,
    /// Multiplies numbers: 100 makes a percentage of a share.
    #[serde(default)]
    pub multiply_by: Option<At<f64>>,
    /// Decimal places that numbers are rounded to. Without it floating-point numbers have six.
    #[serde(default)]
    pub places: Option<At<u8>>,
    /// Of lists of structs: the part that is text.
    #[serde(default)]
    pub part: Option<At<String>>,
    /// Of lists: what stands between the items.
    #[serde(default = "default_join")]
    pub join: String,
    /// Of lists: how many items at most.
    #[serde(default)]
    pub max_items: Option<usize>,
    /// The longest text that the field takes; longer ones end with an ellipsis.
    #[serde(default)]
    pub max_length: Option<At<usize>>,
    /// Leaves the field as it is where the column is NULL. By default it is emptied.
    #[serde(default)]
    pub keep_if_null: bool,
}

fn default_join() -> String {
    "; ".to_owned()
}

/// What happens to a field that a person has edited since the last write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The person's value stays, and the sync log says so.
    #[default]
    KeepEdit,
    /// The field is written all the same.
    Overwrite,
}

impl SyncTarget {
    /// The Salesforce object, the only target so far.
    #[must_use]
    pub fn salesforce(&self) -> &SalesforceTarget {
        match self {
            Self::Salesforce(target) => target,
        }
    }
}

impl Component for Sync {
    const KIND: &'static str = "sync";
    const LOCATION: &'static str = "configs/syncs";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let target = loaded.value.to.salesforce();
        project.check_text(loaded, &target.base_url, out);
        project.check_text(loaded, &target.token, out);
        rules(loaded, out);
    }
}

fn rules(loaded: &Loaded<Sync>, out: &mut Diagnostics) {
    let sync = &loaded.value;
    let target = sync.to.salesforce();
    let table = &sync.from.table;
    if table.split('.').count() != 2 {
        out.push(loaded.error("SYN101", table, format!("`{table}` is not a table")).with_help("write it as `marts.account_scores`"));
    }
    if sync.fields.is_empty() {
        out.push(loaded.error("SYN102", table, "the mapping has no fields").with_help("add `fields:` with `Field__c: {column: …}`"));
    }
    if !(1..=200).contains(&target.batch_size.value) {
        out.push(
            loaded
                .error("SYN103", &target.batch_size, format!("{} records a call are not possible", target.batch_size))
                .with_help("Salesforce takes 1 to 200"),
        );
    }
    let version = target.api_version.split_once('.').map(|(major, minor)| (major.parse::<u16>(), minor));
    if !matches!(version, Some((Ok(46..), "0"))) {
        out.push(
            loaded
                .error("SYN104", &target.api_version, format!("`{}` is not a version of the API", target.api_version))
                .with_help("write it like `61.0`, without a v; 46.0 is the oldest that can do this"),
        );
    }
    name(loaded, &target.object, "an object", out);
    let mut owned: BTreeSet<&str> = BTreeSet::new();
    if let SyncMatch::ExternalId(external) = &target.r#match {
        name(loaded, &external.field, "a field", out);
        owned.insert(external.field.as_str());
    }
    for (api_name, field) in sync.fields.iter() {
        name(loaded, api_name, "a field", out);
        if owned.contains(api_name.as_str()) || api_name.eq_ignore_ascii_case("id") {
            out.push(
                loaded
                    .error("SYN105", api_name, format!("`{api_name}` finds the record, so it can't be written"))
                    .with_help("remove it from `fields:`"),
            );
        }
        if let Some(length) = field.max_length.as_ref().filter(|l| l.value == 0) {
            out.push(
                loaded
                    .error("SYN106", length, "a text of no characters says nothing")
                    .with_help("write the length of the field in the CRM"),
            );
        }
        if let Some(factor) = field.multiply_by.as_ref().filter(|f| !f.is_finite() || f.value == 0.0) {
            out.push(
                loaded
                    .error("SYN107", factor, format!("a number can't be multiplied by {factor}"))
                    .with_help("100 makes a percentage of a share"),
            );
        }
    }
}

fn name(loaded: &Loaded<Sync>, api_name: &At<String>, what: &str, out: &mut Diagnostics) {
    let sound = api_name.starts_with(|c: char| c.is_ascii_alphabetic()) && api_name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !sound {
        let known = ["Account", "Contact", "Opportunity"];
        let help = suggest::closest(api_name, known).map_or_else(
            || format!("take its API name, such as `{}`", if what == "an object" { "Account" } else { "Health_Score__c" }),
            |close| format!("did you mean `{close}`?"),
        );
        out.push(loaded.error("SYN108", api_name, format!("`{api_name}` can't be the name of {what} in Salesforce")).with_help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SOUND: &str = r#"version: 1
from: {table: marts.account_scores, where: "segment <> 'internal'"}
to:
  salesforce:
    base_url: "${env:SALESFORCE_URL}"
    token: "${secret:salesforce_token}"
    object: Account
    match: {record_id: crm_id}
fields:
  Health_Score__c: {column: health_score, places: 1}
  Churn_Risk_Pct__c: {column: churn_probability, multiply_by: 100, places: 1}
  Churn_Reasons__c: {column: top_reasons, part: text, max_items: 3, max_length: 255}
"#;

    fn errors(from: &str, to: &str) -> String {
        assert!(SOUND.contains(from), "{from}");
        let yaml = SOUND.replace(from, to);
        let text: Arc<str> = Arc::from(yaml.as_str());
        match crate::parse("configs/syncs/crm.yaml", &text, &yaml, 0) {
            Err(error) => error.to_string(),
            Ok(value) => {
                let mut out = Diagnostics::new();
                rules(&Loaded { name: "crm".to_owned(), path: "configs/syncs/crm.yaml".to_owned(), text, value }, &mut out);
                out.to_string()
            }
        }
    }

    #[test]
    fn a_sound_mapping_has_no_errors() {
        assert_eq!(errors("version: 1", "version: 1"), "");
        assert_eq!(errors("{record_id: crm_id}", "{external_id: {field: Customer_Key__c, column: account_id}}"), "");
    }

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        let cases = [
            ("marts.account_scores", "account_scores"),
            ("object: Account", "object: Account, please"),
            ("object: Account", "object: Account\n    batch_size: 500"),
            ("object: Account", "object: Account\n    api_version: v61.0"),
            ("Health_Score__c", "Id"),
            ("Health_Score__c", "Health Score"),
            ("max_length: 255", "max_length: 0"),
            ("multiply_by: 100", "multiply_by: 0"),
            ("record_id", "recordid"),
            ("version: 1", "version: 1\non_conflict: overwrit"),
        ];
        let all: Vec<String> = cases.iter().map(|(from, to)| errors(from, to)).collect();
        insta::assert_snapshot!(all.join("\n\n"));
    }
}
