//! Data for `cscopilot models` and `cscopilot explain`.

use cscopilot_lake::Lake;
use cscopilot_lake::step::StepContext;
use serde::Serialize;

use crate::error::Result;
use crate::registry;
use crate::registry::runs::{self, ModelRun};
use crate::score::reasons::Reason;
use crate::score::{self, Evening, Stamp, Tonight, Words};
use crate::step::{dictionary, model};

/// One version of a model, for listings.
#[derive(Debug, Clone, Serialize)]
pub struct ModelVersion {
    /// `champion`, `challenger`, or nothing.
    pub alias: Option<&'static str>,
    /// The training.
    #[serde(flatten)]
    pub run: ModelRun,
}

/// All versions of all models, by model and version.
pub async fn models(lake: &Lake) -> Result<Vec<ModelVersion>> {
    let runs = runs::read(lake, None).await?;
    let mut listed = Vec::new();
    for run in runs.iter().cloned() {
        let of_model: Vec<ModelRun> = runs.iter().filter(|r| r.model == run.model).cloned().collect();
        let alias = registry::standing(&of_model).of(run.version);
        listed.push(ModelVersion { alias, run });
    }
    Ok(listed)
}

/// Why an account has its score.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The model.
    pub model: String,
    /// The champion's version.
    pub version: i64,
    /// Its estimator.
    pub estimator: String,
    /// The account.
    pub account_id: String,
    /// The date.
    pub as_of: chrono::NaiveDate,
    /// Calibrated probability.
    pub probability: f64,
    /// The probability of an account of which nothing is known.
    pub base_probability: f64,
    /// Margin: base value plus all contributions.
    pub margin: f64,
    /// The expected margin.
    pub base_value: f64,
    /// Decile among the accounts of the date, 1 the highest.
    pub decile: i32,
    /// Every feature's contribution, the largest first.
    pub contributions: Vec<Contribution>,
}

/// One feature's part in a score.
#[derive(Debug, Clone, Serialize)]
pub struct Contribution {
    /// The feature's name for people.
    pub label: String,
    /// The value as people read it.
    pub shown: String,
    /// Value, contribution and words.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Explains one account with every model of accounts that has a champion on the date. Empty if there is no such account or champion.
pub async fn explain(ctx: &StepContext, account_id: &str) -> Result<Vec<Explained>> {
    let mut all = Vec::new();
    for name in ctx.project.models.keys() {
        all.extend(explain_with(ctx, name, account_id).await?);
    }
    Ok(all)
}

async fn explain_with(ctx: &StepContext, name: &str, account_id: &str) -> Result<Option<Explained>> {
    let loaded = model(ctx, name)?;
    let known = runs::read(&ctx.lake, Some(name)).await?;
    let Some(champion) = runs::champion(&known, ctx.as_of) else { return Ok(None) };
    let registered = registry::read(&ctx.lake.objects(), name, champion.version).await?;
    if registered.features.entity.is_some() {
        return Ok(None);
    }
    let evening = Evening::read(&ctx.lake, name, champion.version, &registered.features, ctx.as_of).await?;
    let Some(row) = evening.row_of(account_id) else { return Ok(None) };
    let estimator = registered.fitted.name().to_owned();
    let stamp = Stamp { model: name.to_owned(), version: champion.version, estimator, as_of: ctx.as_of, entity: None };
    let tonight = score::blocking(move || Tonight::new(stamp, registered, evening)).await?;
    let words = Words { dictionary: dictionary(ctx, &loaded.value).cloned(), outcome: loaded.value.outcome(name).to_owned() };
    let (narrator, features) = (tonight.narrator(&words), &tonight.model.features.features);
    let explained = tonight.scorer.explain(&tonight.evening.table, &[row])?;
    let mut contributions: Vec<Contribution> = explained
        .row(0)
        .iter()
        .enumerate()
        .map(|(i, contribution)| {
            let info = &features[i];
            let words = words.dictionary.as_ref().and_then(|d| d.features.get(&info.name));
            let value = tonight.evening.table.columns[i][row];
            Contribution {
                label: words.map_or_else(|| info.label.clone(), |w| w.label.value.clone()),
                shown: narrator.shown(i, value),
                reason: narrator.reason(i, value, *contribution),
            }
        })
        .collect();
    contributions.sort_by(|a, b| {
        b.reason.contribution.abs().total_cmp(&a.reason.contribution.abs()).then_with(|| a.reason.feature.cmp(&b.reason.feature))
    });
    Ok(Some(Explained {
        model: name.to_owned(),
        version: champion.version,
        estimator: tonight.stamp.estimator.clone(),
        account_id: account_id.to_owned(),
        as_of: ctx.as_of,
        probability: tonight.probabilities[row],
        base_probability: tonight.model.calibrator.probability(explained.base_value()),
        margin: tonight.margins[row],
        base_value: explained.base_value(),
        decile: tonight.deciles[row],
        contributions,
    }))
}
