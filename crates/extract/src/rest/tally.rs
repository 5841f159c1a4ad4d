//! What a stream's read came to: the figures of its reconciliation line, and what a person should know.

use super::fetch::Counters;
use crate::report::{check, rejected_checks, rejected_pct};
use cscopilot_decode::Tally;
use cscopilot_lake::step::{CheckResult, Outcome};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// The figures of one read of a stream.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Records in the answers.
    pub(crate) records: u64,
    /// Records that the API announced, where it does.
    pub(crate) announced: Option<u64>,
    /// Records in answers that announced their number.
    pub(crate) announced_read: u64,
    /// Records that the connector's filter left out.
    pub(crate) filtered: u64,
    /// Rows outside their window, left to another.
    pub(crate) outside: u64,
    /// Rows that the table has already.
    pub(crate) known: u64,
    /// Rows that were published.
    pub(crate) rows: u64,
    /// Deletions among them.
    pub(crate) deletes: u64,
    pub(crate) windows: u64,
    pub(crate) tally: Tally,
    /// Fields that no column reads.
    pub(crate) unknown_fields: BTreeSet<String>,
    /// Answers that were left out by a rule, with the reason.
    pub(crate) ignored: Vec<String>,
    /// Why reading stopped early, where a quota ran out.
    pub(crate) stopped: Option<String>,
}

impl Totals {
    /// Takes in the figures of a window that was published.
    pub(crate) fn absorb(&mut self, window: Self) {
        self.records += window.records;
        if let Some(announced) = window.announced {
            *self.announced.get_or_insert(0) += announced;
            self.announced_read += window.announced_read;
        }
        self.filtered += window.filtered;
        self.outside += window.outside;
        self.known += window.known;
        self.rows += window.rows;
        self.deletes += window.deletes;
        self.windows += 1;
        self.tally.absorb(window.tally);
        self.unknown_fields.extend(window.unknown_fields);
        self.ignored.extend(window.ignored);
    }

    /// Rejected rows as a percentage of all.
    pub(crate) fn rejected_pct(&self) -> f64 {
        rejected_pct(&self.tally, self.records)
    }

    /// The data checks of the read, for `ops.data_quality`.
    pub(crate) fn checks(&self, table: &str) -> Vec<CheckResult> {
        let mut all = rejected_checks(table, &self.tally, self.records);
        if let Some(announced) = self.announced {
            let gap = announced.abs_diff(self.announced_read);
            let detail = (gap > 0).then(|| "rows announced by the API and not read".to_owned());
            all.push(check(table, "announced_rows", gap, announced, detail, None));
        }
        if let Some(reason) = &self.stopped {
            all.push(check(table, "complete", 1, 1, Some(reason.clone()), None));
        }
        if !self.ignored.is_empty() {
            let skipped = self.ignored.len() as u64;
            all.push(check(table, "skipped_answers", skipped, self.windows, None, self.ignored.first().cloned()));
        }
        all
    }

    /// The step's outcome, with its reconciliation.
    pub(crate) fn outcome(&self, table: &str, counters: &Counters, took: Duration) -> Outcome {
        let mut outcome = Outcome {
            rows_in: self.records,
            rows_out: self.rows,
            rows_rejected: self.tally.total(),
            checks: self.checks(table),
            ..Outcome::default()
        };
        let rejected = self.tally.total();
        if rejected > 0 {
            let reasons: Vec<String> = self.tally.groups().take(3).map(|(name, group)| format!("{} × {name}", group.rows)).collect();
            outcome.warn("EXT020", format!("{rejected} of {} records of {table} were rejected: {}", self.records, reasons.join("; ")));
        }
        if let Some(announced) = self.announced.filter(|announced| *announced != self.announced_read) {
            outcome.warn("EXT080", format!("the API announced {announced} records of {table} and gave {}", self.announced_read));
        }
        for reason in self.ignored.iter().take(3) {
            outcome.warn("EXT081", format!("{} answers of {table} were left out: {reason}", self.ignored.len()));
        }
        if let Some(reason) = &self.stopped {
            outcome.warn("EXT069", format!("{table} is not complete: {reason}"));
        }
        if !self.unknown_fields.is_empty() {
            let names: Vec<&str> = self.unknown_fields.iter().map(String::as_str).collect();
            outcome.fact("fields_left_out", names);
        }
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        outcome.fact(
            "reconciliation",
            json!({
                "announced": self.announced,
                "read": self.records,
                "rejected": rejected,
                "filtered": self.filtered,
                "outside_window": self.outside,
                "known": self.known,
                "published": self.rows,
                "deletes": self.deletes,
                "windows": self.windows,
                "requests": Counters::get(&counters.requests),
                "retries": Counters::get(&counters.retries),
                "bytes": Counters::get(&counters.bytes),
                "seconds": seconds,
            }),
        );
        outcome
    }
}
