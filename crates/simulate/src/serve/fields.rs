//! The fields of the fake's Account: what may be written, and how long or of what kind it must be.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of at most so many characters.
    Text(usize),
    Number,
    Boolean,
    Date,
    /// A text of at most so many characters, a number or a truth value: a field that a project brought along.
    Any(usize),
    /// Set by Salesforce itself.
    ReadOnly,
}

use Kind::{Any, Boolean, Date, Number, ReadOnly, Text};

/// The starter's fields.
const FIELDS: [(&str, Kind); 30] = [
    ("Id", ReadOnly),
    ("Name", Text(255)),
    ("Website", Text(255)),
    ("Type", Text(40)),
    ("Industry", Text(40)),
    ("BillingCountry", Text(80)),
    ("NumberOfEmployees", Number),
    ("OwnerId", Text(18)),
    ("Description", Text(32_000)),
    ("Customer_Number__c", Text(40)),
    ("Segment__c", Text(40)),
    ("Stripe_Customer_Id__c", Text(40)),
    ("IsDeleted", ReadOnly),
    ("CreatedDate", ReadOnly),
    ("LastModifiedDate", ReadOnly),
    ("SystemModstamp", ReadOnly),
    ("CS_Health_Score__c", Number),
    ("CS_Health_Band__c", Text(40)),
    ("CS_Churn_Probability__c", Number),
    ("CS_Churn_Decile__c", Number),
    ("CS_Expansion_Probability__c", Number),
    ("CS_Expected_Churn_ARR__c", Number),
    ("CS_Score_Change__c", Number),
    ("CS_Risk_Reason__c", Text(255)),
    ("CS_Next_Action__c", Text(255)),
    ("CS_ARR__c", Number),
    ("CS_Renewal_Date__c", Date),
    ("CS_Scored_On__c", Date),
    ("CS_At_Risk__c", Boolean),
    ("CS_Account_Id__c", Text(40)),
];

/// The starter's fields by which records can be upserted.
const EXTERNAL_IDS: [&str; 2] = ["Customer_Number__c", "CS_Account_Id__c"];

/// The fields of Account.
#[derive(Debug)]
pub(super) struct Schema {
    fields: Vec<(String, Kind)>,
    external_ids: Vec<String>,
}

impl Schema {
    /// The starter's fields and those that a project brings along.
    pub(super) fn new(more: &BTreeMap<String, usize>, external_ids: &[String]) -> Self {
        let own = FIELDS.into_iter().map(|(name, kind)| (name.to_string(), kind));
        let brought = more.iter().map(|(name, most)| (name.clone(), Any(*most)));
        let keys = external_ids.iter().map(|name| (name.clone(), Text(255)));
        let external_ids = EXTERNAL_IDS.into_iter().map(str::to_string).chain(external_ids.iter().cloned());
        Self { fields: own.chain(brought).chain(keys).collect(), external_ids: external_ids.collect() }
    }

    /// All fields, and whether records can be upserted by each.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Kind, bool)> {
        self.fields.iter().map(|(name, kind)| (name.as_str(), *kind, self.external_ids.contains(name)))
    }

    /// The name and kind of a field; Salesforce doesn't distinguish upper and lower case.
    pub(super) fn find(&self, name: &str) -> Option<(&str, Kind)> {
        self.all().find(|(known, _, _)| known.eq_ignore_ascii_case(name)).map(|(name, kind, _)| (name, kind))
    }

    /// The name of a field by which records can be upserted.
    pub(super) fn external_id(&self, name: &str) -> Option<&str> {
        self.external_ids.iter().find(|known| known.eq_ignore_ascii_case(name)).map(String::as_str)
    }

    /// Checks one value that is to be written; the field's proper name.
    pub(super) fn check(&self, name: &str, value: &Value) -> Result<&str, Refusal> {
        let Some((name, kind)) = self.find(name) else {
            return Err(Refusal::new("INVALID_FIELD", format!("No such column '{name}' on sobject of type Account"), &[name]));
        };
        let wrong = || {
            let text = format!("{name}: value not of required type: {value}");
            Err(Refusal::new("INVALID_TYPE_ON_FIELD_IN_RECORD", text, &[name]))
        };
        match (kind, value) {
            (ReadOnly, _) => {
                let text = format!("Unable to create/update fields: {name}. Please check the security settings of this field.");
                Err(Refusal::new("INVALID_FIELD_FOR_INSERT_UPDATE", text, &[name]))
            }
            (_, Value::Null) | (Number | Any(_), Value::Number(_)) | (Boolean | Any(_), Value::Bool(_)) => Ok(name),
            (Text(most) | Any(most), Value::String(text)) if text.chars().count() > most => {
                let short: String = text.chars().take(60).collect();
                let text = format!("{name}: data value too large: {short} (max length={most})");
                Err(Refusal::new("STRING_TOO_LONG", text, &[name]))
            }
            (Text(_) | Any(_), Value::String(_)) => Ok(name),
            (Date, Value::String(text)) if text.parse::<chrono::NaiveDate>().is_ok() => Ok(name),
            _ => wrong(),
        }
    }
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl Into<String>, fields: &[&str]) -> Self {
        Self { code: code.to_string(), message: message.into(), fields: fields.iter().map(ToString::to_string).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refuses_what_salesforce_refuses() {
        let schema = Schema::new(&BTreeMap::from([("Mine__c".to_string(), 3)]), &[]);
        let code = |name, value| schema.check(name, &value).err().map(|r| r.code);
        assert_eq!(code("cs_health_score__C", json!(71.5)), None);
        assert_eq!(code("CS_Scored_On__c", json!("2026-06-30")), None);
        assert_eq!(code("CS_Risk_Reason__c", json!(null)), None);
        assert_eq!(code("CS_Helth__c", json!(1)).as_deref(), Some("INVALID_FIELD"));
        assert_eq!(code("CS_Health_Band__c", json!("x".repeat(41))).as_deref(), Some("STRING_TOO_LONG"));
        assert_eq!(code("CS_Health_Score__c", json!("high")).as_deref(), Some("INVALID_TYPE_ON_FIELD_IN_RECORD"));
        assert_eq!(code("Mine__c", json!("four")).as_deref(), Some("STRING_TOO_LONG"));
        assert_eq!(code("Mine__c", json!(4)), None);
        assert_eq!(code("SystemModstamp", json!("x")).as_deref(), Some("INVALID_FIELD_FOR_INSERT_UPDATE"));
    }
}
