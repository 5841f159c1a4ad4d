//! The objects of the fake org and their fields.

/// The type of a field, as far as queries care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record's id: 15 or 18 characters.
    Id,
    /// A text, by the name that describe gives its type.
    Text(&'static str),
    /// True or false.
    Boolean,
    /// A number, by the name that describe gives its type.
    Number(&'static str),
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// Made of other fields; the Bulk API can't select it.
    Address,
}

impl Kind {
    /// The type as describe names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Text(name) | Self::Number(name) => name,
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Address => "address",
        }
    }
}

/// A field by name.
pub(super) type Field = (&'static str, Kind);

/// An object of the org.
#[derive(Debug)]
pub(super) struct Object {
    /// `Account`.
    pub(super) name: &'static str,
    /// The stream that holds its records.
    pub(super) stream: &'static str,
    /// What its ids begin with.
    pub(super) prefix: &'static str,
    /// Can the Bulk API query it?
    pub(super) bulk: bool,
    /// Its fields.
    pub(super) fields: &'static [Field],
}

const STRING: Kind = Kind::Text("string");
const REFERENCE: Kind = Kind::Text("reference");
const PICKLIST: Kind = Kind::Text("picklist");

/// All objects. `TaskStatus` is one of those that the Bulk API refuses.
pub(super) const OBJECTS: [Object; 7] = [
    Object {
        name: "Account",
        stream: "accounts",
        prefix: "001",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("Name", STRING),
            ("Website", Kind::Text("url")),
            ("Type", PICKLIST),
            ("Industry", PICKLIST),
            ("BillingCountry", STRING),
            ("BillingAddress", Kind::Address),
            ("NumberOfEmployees", Kind::Number("int")),
            ("AnnualRevenue", Kind::Number("currency")),
            ("ParentId", REFERENCE),
            ("OwnerId", REFERENCE),
            ("Customer_Number__c", STRING),
            ("Segment__c", PICKLIST),
            ("Stripe_Customer_Id__c", STRING),
            ("IsDeleted", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "Contact",
        stream: "contacts",
        prefix: "003",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("AccountId", REFERENCE),
            ("FirstName", STRING),
            ("LastName", STRING),
            ("Email", Kind::Text("email")),
            ("Phone", Kind::Text("phone")),
            ("Title", STRING),
            ("Department", STRING),
            ("OwnerId", REFERENCE),
            ("IsDeleted", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "Opportunity",
        stream: "opportunities",
        prefix: "006",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("AccountId", REFERENCE),
            ("Name", STRING),
            ("Type", PICKLIST),
            ("StageName", PICKLIST),
            ("Amount", Kind::Number("currency")),
            ("Probability", Kind::Number("percent")),
            ("CloseDate", Kind::Date),
            ("IsClosed", Kind::Boolean),
            ("IsWon", Kind::Boolean),
            ("OwnerId", REFERENCE),
            ("IsDeleted", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "Task",
        stream: "tasks",
        prefix: "00T",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("AccountId", REFERENCE),
            ("WhoId", REFERENCE),
            ("WhatId", REFERENCE),
            ("OwnerId", REFERENCE),
            ("Subject", STRING),
            ("Type", PICKLIST),
            ("Status", PICKLIST),
            ("Priority", PICKLIST),
            ("ActivityDate", Kind::Date),
            ("CompletedDateTime", Kind::DateTime),
            ("IsDeleted", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "Case",
        stream: "cases",
        prefix: "500",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("CaseNumber", STRING),
            ("AccountId", REFERENCE),
            ("ContactId", REFERENCE),
            ("OwnerId", REFERENCE),
            ("Subject", STRING),
            ("Description", Kind::Text("textarea")),
            ("Type", PICKLIST),
            ("Status", PICKLIST),
            ("Priority", PICKLIST),
            ("Origin", PICKLIST),
            ("Reason", PICKLIST),
            ("IsClosed", Kind::Boolean),
            ("IsEscalated", Kind::Boolean),
            ("ClosedDate", Kind::DateTime),
            ("IsDeleted", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "User",
        stream: "users",
        prefix: "005",
        bulk: true,
        fields: &[
            ("Id", Kind::Id),
            ("Name", STRING),
            ("Email", Kind::Text("email")),
            ("Title", STRING),
            ("IsActive", Kind::Boolean),
            ("CreatedDate", Kind::DateTime),
            ("LastModifiedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
    Object {
        name: "TaskStatus",
        stream: "task_statuses",
        prefix: "01Y",
        bulk: false,
        fields: &[
            ("Id", Kind::Id),
            ("MasterLabel", STRING),
            ("IsClosed", Kind::Boolean),
            ("SortOrder", Kind::Number("int")),
            ("CreatedDate", Kind::DateTime),
            ("SystemModstamp", Kind::DateTime),
        ],
    },
];

impl Object {
    /// The object of that name, however it is written.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The field of that name, however it is written.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).copied()
    }
}
