//! Reads a [`Night`] from the lake.
//!
//! Tables that a project doesn't make are simply absent: the pages say so. All reads share one session, so they see one
//! state of the lake, and everything is sorted here.

mod accounts;
mod cols;
mod evidence;
mod trends;

use crate::error::Error;
use crate::night::Night;
use arrow::array::RecordBatch;
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Params, Session, TableName};
use cscopilot_spec::Project;
use std::collections::{BTreeMap, BTreeSet};

/// Tables of the contract that the pages use.
pub(crate) const TABLES: [&str; 12] = [
    "identity.unmatched",
    "marts.account_scores",
    "marts.accounts",
    "marts.health_measures",
    "marts.health_scores",
    "marts.model_scores",
    "marts.next_actions",
    "marts.opportunities",
    "marts.score_movements",
    "ops.alerts",
    "ops.data_quality",
    "ops.model_runs",
];

/// The scores of models of something else than accounts. The pages count them, and show what SQL makes of them for accounts.
pub(crate) const ENTITY_SCORES: &str = "marts.entity_scores";

/// Where rows come from: one state of the lake, and the tables it has.
struct Reader {
    session: Session,
    have: BTreeSet<String>,
    params: Params,
    as_of: NaiveDate,
}

impl Reader {
    /// Rows of a table; none where there is no such table.
    async fn rows(&self, table: &str, rest: &str) -> Result<Vec<RecordBatch>, Error> {
        if !self.have.contains(table) {
            return Ok(Vec::new());
        }
        Ok(self.session.query(&format!("SELECT * FROM {table} {rest}"), &self.params).await?)
    }

    /// The result of a query over a table; none where there is no such table.
    async fn query(&self, table: &str, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        if !self.have.contains(table) {
            return Ok(Vec::new());
        }
        Ok(self.session.query(sql, &self.params).await?)
    }
}

/// Reads everything that the pages of a night show.
pub(crate) async fn night(lake: &Lake, project: &Project, as_of: NaiveDate, compare_days: u32) -> Result<Night, Error> {
    let have: BTreeSet<String> = lake.names().await?.iter().map(TableName::to_string).collect();
    let absent = TABLES.iter().filter(|t| !have.contains(**t)).map(|t| (*t).to_owned()).collect();
    let reader = Reader { session: lake.session(), have, params: Params::new().with("as_of", as_of), as_of };
    let mut night = Night { as_of, absent, ..Night::default() };
    let mut accounts = accounts::accounts(&reader).await?;
    let places: BTreeMap<String, usize> = accounts.iter().enumerate().map(|(i, a)| (a.id.clone(), i)).collect();
    trends::add(&reader, &mut night, &mut accounts, &places, compare_days).await?;
    accounts::add_movements(&reader, &mut accounts, &places).await?;
    accounts::add_measures(&reader, &mut accounts, &places).await?;
    accounts::add_alerts(&reader, &mut accounts, &places).await?;
    accounts::add_opportunities(&reader, &mut accounts, &places).await?;
    accounts::add_actions(&reader, &mut accounts, &places).await?;
    evidence::add(&reader, lake, project, &mut night).await?;
    // What needs attention comes first everywhere; the key makes the order the same every time.
    accounts.sort_by(|a, b| b.attention.cmp(&a.attention).then_with(|| b.arr.cmp(&a.arr)).then_with(|| a.id.cmp(&b.id)));
    night.accounts = accounts;
    Ok(night)
}
