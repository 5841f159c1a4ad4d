//! What the pages about models and data quality show.

use super::Reader;
use super::cols::{Dates, Floats, Ints, Texts};
use crate::error::Error;
use crate::night::{Check, ModelCard, Night, TableCount, Training, Unmatched};
use cscopilot_lake::{Lake, TableKind};
use cscopilot_spec::Project;
use std::collections::BTreeMap;

/// Numeric columns of `ops.model_runs`.
const FIGURES: [&str; 13] = [
    "auc",
    "auc_low",
    "auc_high",
    "average_precision",
    "log_loss",
    "brier",
    "lift_10pct",
    "calibration_error",
    "rows_train",
    "rows_test",
    "positives_train",
    "positives_test",
    "rows_censored",
];
const DATES: [&str; 4] = ["train_from", "train_to", "test_from", "test_to"];

/// Adds trainings, models, checks, unmatched keys and row counts.
pub(super) async fn add(reader: &Reader, lake: &Lake, project: &Project, night: &mut Night) -> Result<(), Error> {
    night.trainings = trainings(reader).await?;
    night.models = models(reader, project, &night.trainings).await?;
    night.checks = checks(reader).await?;
    night.unmatched = unmatched(reader).await?;
    night.tables = tables(lake, project).await?;
    Ok(())
}

async fn trainings(reader: &Reader) -> Result<Vec<Training>, Error> {
    let mut all = Vec::new();
    for batch in reader.rows("ops.model_runs", "WHERE as_of <= $as_of").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (models, estimators, reasons, details, promoted) =
            (text("model")?, text("estimator")?, text("reason")?, text("detail")?, text("promoted")?);
        let (versions, dates) = (text("version")?, Dates::of(&batch, "as_of")?);
        let figures = FIGURES.iter().map(|n| Ok((*n, Floats::of(&batch, n)?))).collect::<Result<Vec<_>, Error>>()?;
        let days = DATES.iter().map(|n| Ok((*n, Dates::of(&batch, n)?))).collect::<Result<Vec<_>, Error>>()?;
        for row in 0..batch.num_rows() {
            all.push(Training {
                model: models.owned(row).unwrap_or_default(),
                version: versions.owned(row).unwrap_or_default(),
                as_of: dates.get(row),
                estimator: estimators.owned(row),
                promoted: promoted.get(row) == Some("true"),
                reason: reasons.owned(row),
                figures: figures.iter().filter_map(|(n, c)| Some(((*n).to_owned(), c.get(row)?))).collect(),
                dates: days.iter().filter_map(|(n, c)| Some(((*n).to_owned(), c.get(row)?))).collect(),
                detail: details.get(row).and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default(),
            });
        }
    }
    // Newest first; version 10 comes after version 9.
    let number = |v: &str| v.trim_start_matches('v').parse::<u64>().unwrap_or(0);
    all.sort_by(|a, b| a.model.cmp(&b.model).then_with(|| number(&b.version).cmp(&number(&a.version))));
    Ok(all)
}

async fn models(reader: &Reader, project: &Project, trainings: &[Training]) -> Result<Vec<ModelCard>, Error> {
    let mut cards: BTreeMap<String, ModelCard> = project
        .models
        .iter()
        .map(|(name, model)| {
            let horizon = i64::from(model.value.label.horizon_days.value);
            let title = model.value.title.clone();
            (name.clone(), ModelCard { name: name.clone(), title, horizon_days: Some(horizon), ..ModelCard::default() })
        })
        .collect();
    for training in trainings {
        cards.entry(training.model.clone()).or_insert_with(|| ModelCard { name: training.model.clone(), ..ModelCard::default() });
    }
    let sql = "SELECT model, max(model_version) AS version, max(estimator) AS estimator, count(*) AS n FROM marts.model_scores \
               WHERE as_of = $as_of GROUP BY model ORDER BY model";
    let mut batches = reader.query("marts.model_scores", sql).await?;
    // Of other models the accounts that have something scored.
    let sql = sql.replace("count(*)", "count(DISTINCT account_id)").replace("marts.model_scores", super::ENTITY_SCORES);
    batches.extend(reader.query(super::ENTITY_SCORES, &sql).await?);
    for batch in batches {
        let (names, versions, estimators, counts) =
            (Texts::of(&batch, "model")?, Texts::of(&batch, "version")?, Texts::of(&batch, "estimator")?, Ints::of(&batch, "n")?);
        for row in 0..batch.num_rows() {
            let Some(name) = names.owned(row) else { continue };
            let card = cards.entry(name.clone()).or_insert_with(|| ModelCard { name, ..ModelCard::default() });
            card.scored = counts.get(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            card.version = versions.owned(row);
            card.estimator = estimators.owned(row);
        }
    }
    // The model that the risk columns come from is first.
    let mut cards: Vec<ModelCard> = cards.into_values().collect();
    cards.sort_by(|a, b| (a.name != "churn", &a.name).cmp(&(b.name != "churn", &b.name)));
    Ok(cards)
}

async fn checks(reader: &Reader) -> Result<Vec<Check>, Error> {
    let mut all = Vec::new();
    for batch in reader.rows("ops.data_quality", "WHERE as_of = $as_of").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (subjects, checks, severities, statuses) = (text("subject")?, text("check")?, text("severity")?, text("status")?);
        let (details, samples) = (text("detail")?, text("sample")?);
        let (failing, total) = (Ints::of(&batch, "failing_rows")?, Ints::of(&batch, "total_rows")?);
        for row in 0..batch.num_rows() {
            all.push(Check {
                subject: subjects.owned(row).unwrap_or_default(),
                check: checks.owned(row).unwrap_or_default(),
                severity: severities.owned(row).unwrap_or_default(),
                status: statuses.owned(row).unwrap_or_default(),
                failing: failing.get(row).unwrap_or(0),
                total: total.get(row).unwrap_or(0),
                detail: details.owned(row),
                sample: samples.owned(row),
            });
        }
    }
    all.sort_by(|a, b| (&a.subject, &a.check).cmp(&(&b.subject, &b.check)));
    Ok(all)
}

async fn unmatched(reader: &Reader) -> Result<Vec<Unmatched>, Error> {
    let mut groups: BTreeMap<(String, String), (i64, Vec<String>)> = BTreeMap::new();
    for batch in reader.rows("identity.unmatched", "").await? {
        let (sources, keys, reasons) = (Texts::of(&batch, "source")?, Texts::of(&batch, "key")?, Texts::of(&batch, "reason")?);
        for row in 0..batch.num_rows() {
            let group = (sources.owned(row).unwrap_or_default(), reasons.owned(row).unwrap_or_default());
            let (count, examples) = groups.entry(group).or_default();
            *count += 1;
            examples.extend(keys.owned(row));
        }
    }
    let mut all: Vec<Unmatched> = groups
        .into_iter()
        .map(|((source, reason), (count, mut examples))| {
            examples.sort_unstable();
            examples.truncate(5);
            Unmatched { source, reason, count, examples }
        })
        .collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.source, &a.reason).cmp(&(&b.source, &b.reason))));
    Ok(all)
}

/// Row counts of what the project's SQL makes and of the raw streams. Versions and tables about runs are left out: they
/// differ between two runs over the same data, and pages must not.
async fn tables(lake: &Lake, project: &Project) -> Result<Vec<TableCount>, Error> {
    let all = lake.tables().await?;
    Ok(all
        .into_iter()
        .filter(|t| t.kind == TableKind::Table)
        .filter(|t| t.name.schema == "raw" || project.sql.contains_key(&t.name.to_string()))
        .map(|t| TableCount { name: t.name.to_string(), rows: t.rows })
        .collect())
}
