//! The fields of the fake's Account: what may be written, and how long or of what kind it must be.

use serde_json::Value;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of at most so many characters.
    Text(usize),
    Number,
    Boolean,
    Date,
    /// Set by Salesforce itself.
    ReadOnly,
}

use Kind::{Boolean, Date, Number, ReadOnly, Text};

/// All fields, by name.
pub(super) const FIELDS: [(&str, Kind); 30] = [
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

/// Fields by which records can be upserted.
pub(super) const EXTERNAL_IDS: [&str; 2] = ["Customer_Number__c", "CS_Account_Id__c"];

/// The name and kind of a field; Salesforce doesn't distinguish upper and lower case.
pub(super) fn find(name: &str) -> Option<(&'static str, Kind)> {
    FIELDS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
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

/// Checks one value that is to be written; the field's proper name.
pub(super) fn check(name: &str, value: &Value) -> Result<&'static str, Refusal> {
    let Some((name, kind)) = find(name) else {
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
        (_, Value::Null) | (Number, Value::Number(_)) | (Boolean, Value::Bool(_)) => Ok(name),
        (Text(most), Value::String(text)) if text.chars().count() > most => {
            let short: String = text.chars().take(60).collect();
            let text = format!("{name}: data value too large: {short} (max length={most})");
            Err(Refusal::new("STRING_TOO_LONG", text, &[name]))
        }
        (Text(_), Value::String(_)) => Ok(name),
        (Date, Value::String(text)) if text.parse::<chrono::NaiveDate>().is_ok() => Ok(name),
        _ => wrong(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refuses_what_salesforce_refuses() {
        let code = |name, value| check(name, &value).err().map(|r| r.code);
        assert_eq!(code("cs_health_score__C", json!(71.5)), None);
        assert_eq!(code("CS_Scored_On__c", json!("2026-06-30")), None);
        assert_eq!(code("CS_Risk_Reason__c", json!(null)), None);
        assert_eq!(code("CS_Helth__c", json!(1)).as_deref(), Some("INVALID_FIELD"));
        assert_eq!(code("CS_Health_Band__c", json!("x".repeat(41))).as_deref(), Some("STRING_TOO_LONG"));
        assert_eq!(code("CS_Health_Score__c", json!("high")).as_deref(), Some("INVALID_TYPE_ON_FIELD_IN_RECORD"));
        assert_eq!(code("SystemModstamp", json!("x")).as_deref(), Some("INVALID_FIELD_FOR_INSERT_UPDATE"));
    }
}
