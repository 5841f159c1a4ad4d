//! The kinds of objects and their properties.

/// The type of a property's value, which is always written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Any text.
    String,
    /// One of a list of texts.
    Enumeration,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// An instant.
    DateTime,
}

impl Type {
    /// As property lists name it, and the form field that goes with it.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("string", "text"),
            Self::Enumeration => ("enumeration", "select"),
            Self::Number => ("number", "number"),
            Self::Bool => ("bool", "booleancheckbox"),
            Self::DateTime => ("datetime", "date"),
        }
    }
}

/// A kind of object.
#[derive(Debug)]
pub(super) struct ObjectKind {
    /// `contacts`, also the stream.
    pub(super) name: &'static str,
    /// `contact`.
    pub(super) singular: &'static str,
    /// `0-1`.
    pub(super) type_id: &'static str,
    /// The property that holds the time of the last change.
    pub(super) modified: &'static str,
    /// The property that holds the time of creation.
    pub(super) created: &'static str,
    /// What is shown if nothing is asked for.
    pub(super) usual: &'static [&'static str],
    /// All properties.
    pub(super) properties: &'static [(&'static str, Type)],
    /// Types of associations with companies: unlabelled and primary, from this kind and back.
    pub(super) company_types: Option<([u32; 2], [u32; 2])>,
}

use Type::{Bool, DateTime, Enumeration, Number, String};

/// All kinds; owners are none.
pub(super) const KINDS: [ObjectKind; 5] = [
    ObjectKind {
        name: "companies",
        singular: "company",
        type_id: "0-2",
        modified: "hs_lastmodifieddate",
        created: "createdate",
        usual: &["name", "domain"],
        properties: &[
            ("name", String),
            ("domain", String),
            ("industry", Enumeration),
            ("country", String),
            ("numberofemployees", Number),
            ("annualrevenue", Number),
            ("lifecyclestage", Enumeration),
            ("hubspot_owner_id", Enumeration),
            ("salesforceaccountid", String),
            ("hs_is_target_account", Bool),
            ("createdate", DateTime),
            ("hs_lastmodifieddate", DateTime),
            ("hs_object_id", Number),
        ],
        company_types: None,
    },
    ObjectKind {
        name: "contacts",
        singular: "contact",
        type_id: "0-1",
        modified: "lastmodifieddate",
        created: "createdate",
        usual: &["firstname", "lastname", "email"],
        properties: &[
            ("firstname", String),
            ("lastname", String),
            ("email", String),
            ("phone", String),
            ("jobtitle", String),
            ("lifecyclestage", Enumeration),
            ("associatedcompanyid", Number),
            ("hubspot_owner_id", Enumeration),
            ("createdate", DateTime),
            ("lastmodifieddate", DateTime),
            ("hs_object_id", Number),
        ],
        company_types: Some(([279, 1], [280, 2])),
    },
    ObjectKind {
        name: "deals",
        singular: "deal",
        type_id: "0-3",
        modified: "hs_lastmodifieddate",
        created: "createdate",
        usual: &["dealname", "amount", "closedate", "dealstage", "pipeline"],
        properties: &[
            ("dealname", String),
            ("dealtype", Enumeration),
            ("pipeline", Enumeration),
            ("dealstage", Enumeration),
            ("amount", Number),
            ("deal_currency_code", Enumeration),
            ("closedate", DateTime),
            ("hs_is_closed", Bool),
            ("hs_is_closed_won", Bool),
            ("hubspot_owner_id", Enumeration),
            ("hs_primary_associated_company", Number),
            ("createdate", DateTime),
            ("hs_lastmodifieddate", DateTime),
            ("hs_object_id", Number),
        ],
        company_types: Some(([341, 5], [342, 6])),
    },
    ObjectKind {
        name: "tickets",
        singular: "ticket",
        type_id: "0-5",
        modified: "hs_lastmodifieddate",
        created: "createdate",
        usual: &["subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category"],
        properties: &[
            ("subject", String),
            ("content", String),
            ("hs_pipeline", Enumeration),
            ("hs_pipeline_stage", Enumeration),
            ("hs_ticket_priority", Enumeration),
            ("hs_ticket_category", Enumeration),
            ("source_type", Enumeration),
            ("closed_date", DateTime),
            ("hubspot_owner_id", Enumeration),
            ("hs_primary_company_id", Number),
            ("createdate", DateTime),
            ("hs_lastmodifieddate", DateTime),
            ("hs_object_id", Number),
        ],
        company_types: Some(([339, 26], [340, 25])),
    },
    ObjectKind {
        name: "tasks",
        singular: "task",
        type_id: "0-27",
        modified: "hs_lastmodifieddate",
        created: "hs_createdate",
        usual: &[],
        properties: &[
            ("hs_task_subject", String),
            ("hs_task_body", String),
            ("hs_task_type", Enumeration),
            ("hs_task_status", Enumeration),
            ("hs_task_priority", Enumeration),
            ("hs_timestamp", DateTime),
            ("hs_task_completion_date", DateTime),
            ("hubspot_owner_id", Enumeration),
            ("hs_createdate", DateTime),
            ("hs_lastmodifieddate", DateTime),
            ("hs_object_id", Number),
        ],
        // Tasks know no primary company.
        company_types: Some(([192, 192], [191, 191])),
    },
];

impl ObjectKind {
    /// The kind of that name, plural, singular or as a type id.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| [kind.name, kind.singular, kind.type_id].contains(&name))
    }

    /// The type of a property.
    pub(super) fn property(&self, name: &str) -> Option<Type> {
        self.properties.iter().find(|(property, _)| *property == name).map(|(_, t)| *t)
    }

    /// What is shown of a record: what was asked for, if it exists, and what always is.
    pub(super) fn shown(&self, wanted: Option<&[&str]>) -> Vec<&'static str> {
        let always = [self.created, self.modified, "hs_object_id"];
        let wanted = wanted.unwrap_or(self.usual);
        self.properties.iter().map(|(name, _)| *name).filter(|name| wanted.contains(name) || always.contains(name)).collect()
    }
}
