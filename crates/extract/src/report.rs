//! What a read says about the data's quality: checks for `ops.data_quality`, warnings, and the error of too many rejected rows.

use crate::error::Error;
use crate::plan::StreamPlan;
use cscopilot_decode::Tally;
use cscopilot_lake::step::{CheckResult, CheckSeverity, CheckStatus, Outcome};

/// The figures of one read.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Records met, sound or not.
    pub(crate) records: u64,
    /// Sound and new ones.
    pub(crate) rows: u64,
    /// Sound ones that were read before.
    pub(crate) known: u64,
    /// Rows that came late, below the cursor of their file.
    pub(crate) late: u64,
    pub(crate) repeated_keys: u64,
    pub(crate) files: u64,
    pub(crate) tally: Tally,
    /// Column by column whether any record had it.
    pub(crate) present: Vec<bool>,
}

/// A data check of a raw table, which is passed unless rows fail it.
pub(crate) fn check(
    table: &str,
    check: impl Into<String>,
    failing_rows: u64,
    total_rows: u64,
    detail: Option<String>,
    sample: Option<String>,
) -> CheckResult {
    CheckResult {
        subject: table.to_owned(),
        check: check.into(),
        severity: CheckSeverity::Warn,
        status: if failing_rows == 0 { CheckStatus::Passed } else { CheckStatus::Warned },
        failing_rows,
        total_rows,
        detail,
        sample,
    }
}

/// The checks of rejected rows: all of them, and those of each reason.
pub(crate) fn rejected_checks(table: &str, tally: &Tally, records: u64) -> Vec<CheckResult> {
    let rejected = tally.total();
    let detail = (rejected > 0).then(|| format!("rows that could not be read; they stand in {table}__rejected"));
    let by_reason = tally.groups().map(|(reason, group)| {
        let examples = group.examples.join("\n");
        check(table, format!("rejected_{reason}"), group.rows, records, None, Some(examples))
    });
    std::iter::once(check(table, "rejected_rows", rejected, records, detail, None)).chain(by_reason).collect()
}

/// Rejected rows as a percentage of all.
pub(crate) fn rejected_pct(tally: &Tally, records: u64) -> f64 {
    if records == 0 {
        return 0.0;
    }
    #[allow(clippy::cast_precision_loss)]
    let pct = tally.total() as f64 * 100.0 / records as f64;
    pct
}

/// The checks of a read: rejected rows by reason, and repeated keys where the stream has a key.
pub(crate) fn checks(plan: &StreamPlan, totals: &Totals) -> Vec<CheckResult> {
    let table = plan.tables.rows.to_string();
    let mut all = rejected_checks(&table, &totals.tally, totals.records);
    if !plan.rows.primary_key.is_empty() {
        let detail = (totals.repeated_keys > 0).then(|| {
            format!("rows that repeat the key ({}) of another row of the same read; the raw table keeps them all", key_names(plan))
        });
        all.push(check(&table, format!("duplicate_keys({})", key_names(plan)), totals.repeated_keys, totals.rows, detail, None));
    }
    if totals.late > 0 {
        let detail = "rows that appeared in a file below the cursor it was read up to; they were left out".to_owned();
        all.push(check(&table, "late_rows", totals.late, totals.records, Some(detail), None));
    }
    all
}

fn key_names(plan: &StreamPlan) -> String {
    let names: Vec<&str> = plan.rows.row_key().iter().map(|column| plan.rows.columns[*column].name.as_ref()).collect();
    names.join(", ")
}

/// Adds what a person should know.
pub(crate) fn warnings(plan: &StreamPlan, totals: &Totals, outcome: &mut Outcome) {
    let table = &plan.tables.rows;
    if totals.tally.total() > 0 {
        outcome.warn(
            "EXT020",
            format!("{} of {} rows of {table} were rejected: {}", totals.tally.total(), totals.records, summary(&totals.tally)),
        );
    }
    if totals.repeated_keys > 0 {
        outcome.warn("EXT021", format!("{} rows of {table} repeat the key ({}) of another row", totals.repeated_keys, key_names(plan)));
    }
    if totals.late > 0 {
        outcome.warn("EXT022", format!("{} rows of {table} came below the cursor of their file and were left out", totals.late));
    }
    if totals.records > totals.tally.total() {
        for (column, _) in plan.rows.columns.iter().zip(&totals.present).filter(|(column, present)| !**present && !column.optional) {
            outcome.warn("EXT023", format!("no row of {table} has `{}`, so the column `{}` is NULL everywhere", column.from, column.name));
        }
    }
}

/// The error of a stream that is given up.
pub(crate) fn too_many(plan: &StreamPlan, totals: &Totals) -> Error {
    Error::TooManyRejected {
        table: plan.tables.rows.to_string(),
        rejected: totals.tally.total(),
        total: totals.records,
        pct: rejected_pct(&totals.tally, totals.records),
        allowed: plan.max_rejected_pct,
        summary: summary(&totals.tally),
    }
}

/// The reasons, most frequent first, each with an example.
fn summary(tally: &Tally) -> String {
    let mut groups: Vec<_> = tally.groups().collect();
    groups.sort_by(|a, b| b.1.rows.cmp(&a.1.rows).then_with(|| a.0.cmp(&b.0)));
    let shown: Vec<String> = groups
        .iter()
        .take(3)
        .map(|(name, group)| format!("{} × {name} ({})", group.rows, group.examples.first().map_or("", String::as_str)))
        .collect();
    let more = groups.len().saturating_sub(3);
    if more > 0 { format!("{}; and {more} more reasons", shown.join("; ")) } else { shown.join("; ") }
}
