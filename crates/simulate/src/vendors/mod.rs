//! The records of each vendor, one function per stream: it writes what changed within one month.

pub(crate) mod mixpanel;
pub(crate) mod salesforce;
pub(crate) mod stripe;
pub(crate) mod zendesk;

use crate::Error;
use crate::calendar::Month;
use crate::company::Company;
use crate::output::{Lines, Spoil};

/// Writes the records of one stream that changed within one month.
type WriteMonth = fn(&Company, &Month, &mut Lines) -> Result<(), Error>;

/// One stream of one vendor.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) vendor: &'static str,
    pub(crate) name: &'static str,
    pub(crate) spoil: Spoil,
    pub(crate) write: WriteMonth,
}

/// All streams, those with the most work first.
pub(crate) fn streams() -> Vec<Stream> {
    let stream = |vendor, name, spoil, write: WriteMonth| Stream { vendor, name, spoil, write };
    vec![
        stream("mixpanel", "events", mixpanel::SPOIL, mixpanel::events),
        stream("stripe", "invoices", Spoil::usual("amount_due", "\"n/a\""), stripe::invoices),
        stream("stripe", "subscriptions", Spoil::usual("updated", "\"yesterday\""), stripe::subscriptions),
        stream("stripe", "customers", Spoil::usual("created", "\"long ago\""), stripe::customers),
        stream("salesforce", "accounts", Spoil::usual("NumberOfEmployees", "\"about 200\""), salesforce::accounts),
        stream("salesforce", "contacts", Spoil::usual("IsDeleted", "\"perhaps\""), salesforce::contacts),
        stream("salesforce", "opportunities", Spoil::usual("Amount", "\"tbd\""), salesforce::opportunities),
        stream("salesforce", "tasks", Spoil::usual("ActivityDate", "\"soon\""), salesforce::tasks),
        stream("salesforce", "users", Spoil { duplicated: 0.0, malformed: 0.0, wrong_type: 0.0, wrong: ("", "") }, salesforce::users),
        stream("zendesk", "tickets", Spoil::usual("created_at", "\"not a date\""), zendesk::tickets),
        stream("zendesk", "organizations", Spoil::usual("id", "\"none\""), zendesk::organizations),
        stream("zendesk", "satisfaction_ratings", Spoil::usual("ticket_id", "\"none\""), zendesk::satisfaction_ratings),
    ]
}
