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
    /// Its fields by their kind, without those that every object has.
    own: &'static [(Kind, &'static [&'static str])],
}

/// What every object has.
const COMMON: &[(Kind, &[&str])] = &[(Kind::Id, &["Id"]), (Kind::DateTime, &["CreatedDate", "SystemModstamp"])];

const STRING: Kind = Kind::Text("string");
const REFERENCE: Kind = Kind::Text("reference");
const PICKLIST: Kind = Kind::Text("picklist");
const EMAIL: Kind = Kind::Text("email");
const CURRENCY: Kind = Kind::Number("currency");
const INT: Kind = Kind::Number("int");
const CHANGED: (Kind, &[&str]) = (Kind::DateTime, &["LastModifiedDate"]);

/// All objects. `TaskStatus` is one of those that the Bulk API refuses.
pub(super) const OBJECTS: [Object; 7] = [
    Object {
        name: "Account",
        stream: "accounts",
        prefix: "001",
        bulk: true,
        own: &[
            (STRING, &["Name", "BillingCountry", "Customer_Number__c", "Stripe_Customer_Id__c"]),
            (Kind::Text("url"), &["Website"]),
            (PICKLIST, &["Type", "Industry", "Segment__c"]),
            (Kind::Address, &["BillingAddress"]),
            (INT, &["NumberOfEmployees"]),
            (CURRENCY, &["AnnualRevenue"]),
            (REFERENCE, &["ParentId", "OwnerId"]),
            (Kind::Boolean, &["IsDeleted"]),
            CHANGED,
        ],
    },
    Object {
        name: "Contact",
        stream: "contacts",
        prefix: "003",
        bulk: true,
        own: &[
            (REFERENCE, &["AccountId", "OwnerId"]),
            (STRING, &["FirstName", "LastName", "Title", "Department"]),
            (EMAIL, &["Email"]),
            (Kind::Text("phone"), &["Phone"]),
            (Kind::Boolean, &["IsDeleted"]),
            CHANGED,
        ],
    },
    Object {
        name: "Opportunity",
        stream: "opportunities",
        prefix: "006",
        bulk: true,
        own: &[
            (REFERENCE, &["AccountId", "OwnerId"]),
            (STRING, &["Name"]),
            (PICKLIST, &["Type", "StageName"]),
            (CURRENCY, &["Amount"]),
            (Kind::Number("percent"), &["Probability"]),
            (Kind::Date, &["CloseDate"]),
            (Kind::Boolean, &["IsClosed", "IsWon", "IsDeleted"]),
            CHANGED,
        ],
    },
    Object {
        name: "Task",
        stream: "tasks",
        prefix: "00T",
        bulk: true,
        own: &[
            (REFERENCE, &["AccountId", "WhoId", "WhatId", "OwnerId"]),
            (STRING, &["Subject"]),
            (PICKLIST, &["Type", "Status", "Priority"]),
            (Kind::Date, &["ActivityDate"]),
            (Kind::DateTime, &["CompletedDateTime"]),
            (Kind::Boolean, &["IsDeleted"]),
            CHANGED,
        ],
    },
    Object {
        name: "Case",
        stream: "cases",
        prefix: "500",
        bulk: true,
        own: &[
            (STRING, &["CaseNumber", "Subject"]),
            (REFERENCE, &["AccountId", "ContactId", "OwnerId"]),
            (Kind::Text("textarea"), &["Description"]),
            (PICKLIST, &["Type", "Status", "Priority", "Origin", "Reason"]),
            (Kind::Boolean, &["IsClosed", "IsEscalated", "IsDeleted"]),
            (Kind::DateTime, &["ClosedDate"]),
            CHANGED,
        ],
    },
    Object {
        name: "User",
        stream: "users",
        prefix: "005",
        bulk: true,
        own: &[(STRING, &["Name", "Title"]), (EMAIL, &["Email"]), (Kind::Boolean, &["IsActive"]), CHANGED],
    },
    Object {
        name: "TaskStatus",
        stream: "task_statuses",
        prefix: "01Y",
        bulk: false,
        own: &[(STRING, &["MasterLabel"]), (Kind::Boolean, &["IsClosed"]), (INT, &["SortOrder"])],
    },
];

impl Object {
    /// The object of that name, however it is written.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// All its fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        COMMON.iter().chain(self.own).flat_map(|(kind, names)| names.iter().map(|name| (*name, *kind)))
    }

    /// The field of that name, however it is written.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name))
    }
}
