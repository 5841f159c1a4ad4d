//! Data for `cscopilot models` and `cscopilot explain`.

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use cscopilot_lake::Lake;
use cscopilot_lake::step::StepContext;
use serde::Serialize;

use crate::data::frame;
use crate::error::Result;
use crate::registry;
use crate::registry::runs::{self, ModelRun};
use crate::score;
use crate::score::reasons::{Narrator, Reason};
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
    for run in runs {
        let aliases = registry::aliases(&lake.objects(), &run.model).await?;
        let alias = match Some(run.version) {
            v if v == aliases.champion => Some("champion"),
            v if v == aliases.challenger => Some("challenger"),
            _ => None,
        };
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

/// Explains one account with every model that has a champion on the date. Empty if there is no such account or champion.
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
    let batches = score::rows(&ctx.lake, name, champion.version, &registered, ctx.as_of).await?;
    let Some(accounts) = score::account_ids(&batches)? else { return Ok(None) };
    let mut found = None;
    for row in 0..accounts.len() {
        if array_value_to_string(&accounts, row)? == account_id {
            found = Some(row);
            break;
        }
    }
    let Some(row) = found else { return Ok(None) };
    let table = frame::table(&batches, &registered.features.names())?.coded_as(&registered.features.categories());
    let dictionary = dictionary(ctx, &loaded.value);
    let narrator = Narrator { features: &registered.features.features, dictionary, outcome: loaded.value.outcome(name) };
    let scores = score::score(name, &registered, &table, narrator)?;
    let explained = registered.fitted.explain(&table, &[row])?;
    let mut contributions: Vec<Contribution> = explained
        .row(0)
        .iter()
        .enumerate()
        .map(|(i, contribution)| {
            let info = &registered.features.features[i];
            let words = dictionary.and_then(|d| d.features.get(&info.name));
            let value = table.columns[i][row];
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
        estimator: registered.fitted.name().to_owned(),
        account_id: account_id.to_owned(),
        as_of: ctx.as_of,
        probability: scores.probabilities[row],
        base_probability: registered.calibrator.probability(explained.base_value()),
        margin: scores.margins[row],
        base_value: explained.base_value(),
        decile: scores.deciles[row],
        contributions,
    }))
}
