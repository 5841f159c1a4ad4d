//! Running a model's checks over the rows that wait to be published.

use crate::compile::Model;
use crate::condition::{
    RESULTING, ROWS_OF_KEY, STAGED, columns_needed, orphans, quoted, quoted_table, repeated_keys, repeated_rows, row_condition,
};
use crate::error::Result;
use crate::rows::cells;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use cscopilot_lake::step::{CheckResult, CheckSeverity, CheckStatus};
use cscopilot_lake::{Params, Session};
use cscopilot_spec::sql::{Check, ColumnsCheck, Relationship, RowCount};
use std::sync::Arc;

/// How many failing rows are shown.
const SAMPLES: usize = 3;
/// How many columns of a failing row are shown.
const SAMPLE_COLUMNS: usize = 6;

/// What the checks of one model look at.
pub(crate) struct Checks {
    pub(crate) model: Arc<Model>,
    /// The declared checks, and those that the materialisation implies.
    pub(crate) checks: Vec<Check>,
    /// The columns that were kept for them.
    pub(crate) schema: SchemaRef,
    /// The columns that tell a reader which row it is.
    pub(crate) keys: Vec<String>,
    /// Whether a check over these columns may look at the new rows only.
    pub(crate) local_keys: Vec<Vec<String>>,
    pub(crate) params: Params,
    pub(crate) as_of: NaiveDate,
}

struct Found {
    failing: u64,
    total: u64,
    detail: Option<String>,
    sample: Option<String>,
}

impl Checks {
    /// Whether nothing has to be looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Whether a check must see the whole table as it will be, and not only the new rows.
    pub(crate) fn need_resulting(&self) -> bool {
        self.checks.iter().any(|check| match check {
            Check::Unique(c) => !self.is_local(c),
            Check::Freshness(_) | Check::RowCount(_) => true,
            _ => false,
        })
    }

    /// Two rows of the same key are both among the new rows, or neither is.
    fn is_local(&self, check: &ColumnsCheck) -> bool {
        self.local_keys.iter().any(|keys| keys.iter().all(|k| check.columns.iter().any(|c| c.value == *k)))
    }

    /// The results, in the order of the checks. `staged_rows` and `resulting_rows` must be registered.
    pub(crate) async fn run(&self, session: &Session) -> Result<Vec<CheckResult>> {
        let conditions: Vec<Option<String>> = self.checks.iter().map(|c| row_condition(c, &self.schema)).collect();
        let counts = self.count_rows(session, &conditions).await?;
        let total = counts.first().copied().unwrap_or(0);
        let mut counts = counts.into_iter().skip(1);
        let mut results = Vec::with_capacity(self.checks.len());
        for (check, condition) in self.checks.iter().zip(&conditions) {
            let found = match (check, condition) {
                (_, Some(condition)) => {
                    let failing = counts.next().unwrap_or(0);
                    let shown = format!("SELECT * FROM {STAGED} WHERE {condition}");
                    let sample = if failing > 0 { self.sample(session, check, &shown).await? } else { None };
                    Found { failing, total, detail: row_detail(check, failing, total), sample }
                }
                (Check::Unique(c), None) => self.unique(session, c, total).await?,
                (Check::Relationship(c), None) => self.relationship(session, check, c, total).await?,
                (Check::Freshness(c), None) => self.freshness(session, &c.column, *c.max_age_days).await?,
                (Check::RowCount(c), None) => self.row_count(session, c).await?,
                _ => continue,
            };
            results.push(self.result(check, found));
        }
        Ok(results)
    }

    fn result(&self, check: &Check, found: Found) -> CheckResult {
        let severity = match check.severity() {
            cscopilot_spec::sql::CheckSeverity::Warn => CheckSeverity::Warn,
            cscopilot_spec::sql::CheckSeverity::Error => CheckSeverity::Error,
        };
        let status = match (found.failing, severity) {
            (0, _) => CheckStatus::Passed,
            (_, CheckSeverity::Warn) => CheckStatus::Warned,
            (_, CheckSeverity::Error) => CheckStatus::Failed,
        };
        CheckResult {
            subject: self.model.table.to_string(),
            check: check.label(),
            severity,
            status,
            failing_rows: found.failing,
            total_rows: found.total,
            detail: found.detail,
            sample: found.sample,
        }
    }

    /// All checks that look at one row at a time, in one pass: the number of rows, then of each check's failing rows.
    async fn count_rows(&self, session: &Session, conditions: &[Option<String>]) -> Result<Vec<u64>> {
        let mut columns = vec!["count(*) AS n".to_owned()];
        columns.extend(conditions.iter().flatten().enumerate().map(|(i, c)| format!("count(*) FILTER (WHERE {c}) AS c{i}")));
        self.numbers(session, &format!("SELECT {} FROM {STAGED}", columns.join(", "))).await
    }

    async fn unique(&self, session: &Session, check: &ColumnsCheck, staged: u64) -> Result<Found> {
        let local = self.is_local(check);
        let relation = if local { STAGED } else { RESULTING };
        let total = if local { staged } else { self.number(session, &format!("SELECT count(*) FROM {RESULTING}")).await? };
        let failing = self.number(session, &repeated_rows(&check.columns, relation)).await?;
        let names: Vec<&str> = check.columns.iter().map(|c| c.value.as_str()).collect();
        let list = names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", ");
        let sample = if failing > 0 {
            let sql = format!("{} ORDER BY {ROWS_OF_KEY} DESC, {list} LIMIT {SAMPLES}", repeated_keys(&check.columns, relation));
            self.show(session, &sql, names.iter().copied().chain([ROWS_OF_KEY]).map(str::to_owned).collect()).await?
        } else {
            None
        };
        let detail = (failing > 0).then(|| format!("{failing} of {} repeating the ({}) of another", rows(total), names.join(", ")));
        Ok(Found { failing, total, detail, sample })
    }

    async fn relationship(&self, session: &Session, check: &Check, relationship: &Relationship, total: u64) -> Result<Found> {
        let Some((table, column)) = relationship.target() else { return Ok(Found { failing: 0, total, detail: None, sample: None }) };
        let target = match table.parse::<cscopilot_lake::TableName>() {
            Ok(name) if name == self.model.table => RESULTING.to_owned(),
            Ok(name) => quoted_table(&name),
            Err(error) => return Err(error.into()),
        };
        let sql = orphans(&relationship.column, &target, column);
        let failing = self.number(session, &format!("SELECT count(*) FROM ({sql}) AS o")).await?;
        let sample = if failing > 0 { self.sample(session, check, &format!("SELECT * FROM ({sql}) AS o")).await? } else { None };
        let detail =
            (failing > 0).then(|| format!("{failing} of {} whose {} is not in {}", rows(total), *relationship.column, *relationship.to));
        Ok(Found { failing, total, detail, sample })
    }

    async fn freshness(&self, session: &Session, column: &str, max_age_days: u32) -> Result<Found> {
        let total = self.number(session, &format!("SELECT count(*) FROM {RESULTING}")).await?;
        let newest = self.text(session, &format!("SELECT CAST(max({}) AS DATE) AS newest FROM {RESULTING}", quoted(column))).await?;
        let newest = newest.and_then(|text| text.parse::<NaiveDate>().ok());
        let (failing, detail) = match newest {
            None => (1, format!("there is no {column} at all")),
            Some(day) => {
                let age = (self.as_of - day).num_days();
                let age_text = if age == 1 { "1 day".to_owned() } else { format!("{age} days") };
                (u64::from(age > i64::from(max_age_days)), format!("the newest {column} is {day}, {age_text} before {}", self.as_of))
            }
        };
        Ok(Found { failing, total, detail: Some(detail), sample: None })
    }

    async fn row_count(&self, session: &Session, check: &RowCount) -> Result<Found> {
        let total = self.number(session, &format!("SELECT count(*) FROM {RESULTING}")).await?;
        let detail = match (&check.min, &check.max) {
            (Some(min), _) if total < **min => Some(format!("the table has {}, at least {} are expected", rows(total), **min)),
            (_, Some(max)) if total > **max => Some(format!("the table has {}, at most {} are expected", rows(total), **max)),
            _ => None,
        };
        Ok(Found { failing: u64::from(detail.is_some()), total, detail, sample: None })
    }

    /// A few failing rows: their keys, then the columns the check is about.
    async fn sample(&self, session: &Session, check: &Check, sql: &str) -> Result<Option<String>> {
        let mut columns: Vec<String> = Vec::new();
        let about = check.columns().into_iter().map(|c| c.value.clone());
        let all: Vec<String> = match check {
            // Only what the expression names: other columns are not kept until here.
            Check::Expression(_) => {
                columns_needed(std::iter::once(check), &[], &self.schema).into_iter().map(|i| self.schema.field(i).name().clone()).collect()
            }
            _ => vec![],
        };
        for name in self.keys.iter().cloned().chain(about).chain(all) {
            if !columns.contains(&name) && columns.len() < SAMPLE_COLUMNS && self.schema.field_with_name(&name).is_ok() {
                columns.push(name);
            }
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let list = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
        self.show(session, &format!("SELECT {list} FROM ({sql}) AS f ORDER BY {list} LIMIT {SAMPLES}"), columns).await
    }

    async fn show(&self, session: &Session, sql: &str, columns: Vec<String>) -> Result<Option<String>> {
        let batches = session.query(sql, &self.params).await?;
        let rows = cells(&batches, &columns).map_err(|e| crate::Error::query(&self.model.table)(e.into()))?;
        let shown: Vec<String> = rows
            .iter()
            .map(|row| {
                let pairs = columns
                    .iter()
                    .zip(row)
                    .map(|(name, cell)| format!("{}={}", if name == ROWS_OF_KEY { "rows" } else { name }, cell.text));
                pairs.collect::<Vec<_>>().join(", ")
            })
            .collect();
        Ok(Some(shown.join("; ")).filter(|s| !s.is_empty()))
    }

    async fn numbers(&self, session: &Session, sql: &str) -> Result<Vec<u64>> {
        let batches = session.query(sql, &self.params).await?;
        let names: Vec<String> =
            batches.first().map(|b| b.schema().fields().iter().map(|f| f.name().clone()).collect()).unwrap_or_default();
        let rows = cells(&batches, &names).map_err(|e| crate::Error::query(&self.model.table)(e.into()))?;
        Ok(rows.into_iter().next().unwrap_or_default().into_iter().map(|cell| cell.text.parse().unwrap_or(0)).collect())
    }

    async fn number(&self, session: &Session, sql: &str) -> Result<u64> {
        Ok(self.numbers(session, sql).await?.first().copied().unwrap_or(0))
    }

    async fn text(&self, session: &Session, sql: &str) -> Result<Option<String>> {
        let batches = session.query(sql, &self.params).await?;
        let names: Vec<String> =
            batches.first().map(|b| b.schema().fields().iter().map(|f| f.name().clone()).collect()).unwrap_or_default();
        let rows = cells(&batches, &names).map_err(|e| crate::Error::query(&self.model.table)(e.into()))?;
        Ok(rows.into_iter().flatten().next().map(|cell| cell.text))
    }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

fn row_detail(check: &Check, failing: u64, total: u64) -> Option<String> {
    if failing == 0 {
        return None;
    }
    let what = match check {
        Check::NotNull(c) => format!("without {}", c.columns.iter().map(|c| c.value.as_str()).collect::<Vec<_>>().join(" or ")),
        Check::AcceptedValues(c) => {
            format!("with another {} than {}", *c.column, c.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Check::Range(c) => match (&c.min, &c.max) {
            (Some(min), Some(max)) => format!("with {} outside {} to {}", *c.column, **min, **max),
            (Some(min), None) => format!("with {} below {}", *c.column, **min),
            (None, Some(max)) => format!("with {} above {}", *c.column, **max),
            (None, None) => String::new(),
        },
        Check::Expression(c) => format!("that break: {}", c.sql.split_whitespace().collect::<Vec<_>>().join(" ")),
        _ => return None,
    };
    Some(format!("{failing} of {} {what}", rows(total)))
}
