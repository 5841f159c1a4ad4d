//! When a row of a raw table was known: not when it is dated, but when it had arrived.
//!
//! Each raw row says in which night it was read (`_extracted_at`). Of the first night that says nothing, because it reads years of
//! history at once: for those rows the source declares how long they used to be under way (`embargo_days`). A row that was read in a
//! later night was known from that night on, whatever its date.

use cscopilot_diag::suggest;
use cscopilot_spec::Project;
use std::collections::BTreeMap;

/// For each source, how many days after their date its records of the first night count as known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Embargoes(BTreeMap<String, u32>);

impl Embargoes {
    /// Those that the project's sources declare; without a declaration a record is known on the day it is dated.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        Self(project.sources.iter().map(|(name, source)| (name.clone(), source.value.embargo_days)).collect())
    }

    /// SQL for the day on which a row of a raw table was known. `event_time` is SQL for the moment that the row is dated; `row` is the
    /// name by which the query calls the table, if it has given one.
    ///
    /// # Errors
    /// In words, when `table` is no raw table of a source.
    pub(crate) fn known_on(&self, table: &str, event_time: &str, row: Option<&str>) -> Result<String, String> {
        let source = table.strip_prefix("raw.").and_then(|rest| rest.split_once("__")).map(|(source, _)| source);
        let Some(days) = source.and_then(|source| self.0.get(source)) else {
            let known: Vec<String> = self.0.keys().map(|name| format!("raw.{name}__…")).collect();
            let help = match suggest::closest(source.unwrap_or(table), self.0.keys().map(String::as_str)) {
                Some(name) => format!("did you mean `raw.{name}__…`?"),
                None if known.is_empty() => "the project declares no sources".to_owned(),
                None => format!("known: {}", known.join(", ")),
            };
            return Err(format!("`{table}` is not the raw table of a source; {help}"));
        };
        let read = row.map_or_else(|| "_extracted_at".to_owned(), |row| format!("{row}._extracted_at"));
        Ok(format!(
            "(CASE WHEN {read} > (SELECT min(_extracted_at) FROM {table}) THEN CAST({read} AS DATE) \
             ELSE least(CAST({read} AS DATE), CAST(CAST({event_time} AS DATE) + INTERVAL '{days}' DAY AS DATE)) END)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embargoes() -> Embargoes {
        Embargoes([("zendesk".to_owned(), 2), ("stripe".to_owned(), 0)].into())
    }

    #[test]
    fn names_the_row_where_the_query_does() {
        let sql = embargoes().known_on("raw.zendesk__tickets", "t.updated_at", Some("t")).unwrap();
        assert!(sql.starts_with("(CASE WHEN t._extracted_at > (SELECT min(_extracted_at) FROM raw.zendesk__tickets)"), "{sql}");
        assert!(sql.contains("CAST(t.updated_at AS DATE) + INTERVAL '2' DAY"), "{sql}");
    }

    #[test]
    fn only_raw_tables_of_sources_have_a_moment_of_arrival() {
        let said = |table| embargoes().known_on(table, "day", None).unwrap_err();
        assert_eq!(said("raw.zendsk__tickets"), "`raw.zendsk__tickets` is not the raw table of a source; did you mean `raw.zendesk__…`?");
        assert!(said("staging.tickets").contains("known: raw.stripe__…, raw.zendesk__…"));
        let none = Embargoes::default().known_on("raw.zendesk__tickets", "day", None).unwrap_err();
        assert!(none.ends_with("is not the raw table of a source; the project declares no sources"), "{none}");
    }
}
