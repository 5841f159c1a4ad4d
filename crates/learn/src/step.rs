//! The learn step: train if due, then score tonight's accounts.

use cscopilot_diag::Coded;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::{Drift, Explain, FeatureDictionary, Loaded, Model};

use crate::data::dataset::Dataset;
use crate::data::frame;
use crate::drift::{self, Picture};
use crate::error::{Error, Result};
use crate::estimate::extras::{self, Extras, ExtrasFigures};
use crate::promote::champion::{self, Recipe};
use crate::registry;
use crate::registry::card::{self, Head};
use crate::registry::runs::{self, ModelRun};
use crate::registry::{mlflow, page};
use crate::score::{self, Evening, Stamp, Tonight, Words};
use crate::train::{self, Training};

/// Part of every model's definition: raised when the same YAML would train another model.
const TRAINER: &str = "trainer 2";

pub(crate) fn model<'a>(ctx: &'a StepContext, name: &str) -> Result<&'a Loaded<Model>> {
    ctx.project.models.get(name).ok_or_else(|| Error::NoModel(name.to_owned()))
}

pub(crate) fn dictionary<'a>(ctx: &'a StepContext, model: &Model) -> Option<&'a FeatureDictionary> {
    ctx.project.features.get(model.dictionary()).map(|d| &d.value)
}

/// The definition's hash: what the YAML file says, and how this program reads it.
fn definition(model: &Loaded<Model>) -> String {
    // What is done with a trained model asks for no other one.
    let model = Model { explain: Explain::default(), drift: Drift::default(), ..model.value.clone() };
    let mut hash = blake3::Hasher::new();
    hash.update(TRAINER.as_bytes()).update(&[0]).update(format!("{model:?}").as_bytes());
    hash.finalize().to_hex()[..16].to_owned()
}

/// Trains if it is due, then scores.
pub async fn run(ctx: &StepContext, name: &str) -> Result<Outcome> {
    let loaded = model(ctx, name)?;
    let known = runs::read(&ctx.lake, Some(name)).await?;
    let due = runs::due(&known, ctx.as_of, loaded.value.retrain_after_days.value, &definition(loaded));
    let again = ctx.full_refresh && known.iter().any(|r| r.as_of == ctx.as_of);
    let mut outcome = Outcome::default();
    if due.is_some() || again {
        if let Some(why) = due {
            outcome.fact("trained_because", why);
        }
        let run = train(ctx, name).await?;
        report(&mut outcome, &run);
    }
    let scored = score(ctx, name).await?;
    outcome.rows_in = scored.rows_in;
    outcome.rows_out = scored.rows_out;
    outcome.warnings.extend(scored.warnings);
    outcome.facts.extend(scored.facts);
    outcome.checks.extend(scored.checks);
    send_to_mlflow(ctx, name, &mut outcome).await;
    Ok(outcome)
}

/// The second registry, where there is one. The scores don't wait for it: what could not be sent is sent the next night.
async fn send_to_mlflow(ctx: &StepContext, name: &str, outcome: &mut Outcome) {
    let Some(server) = ctx.project.mlflow() else { return };
    ctx.progress.note(format!("sending {name} to MLflow"));
    match mlflow::send(ctx, server, name).await {
        Ok(sent) if !sent.versions.is_empty() => outcome.fact("mlflow_versions", sent.versions),
        Ok(_) => {}
        Err(error) => {
            let message = error.to_diagnostic().message;
            outcome.warn("LRN055", format!("the versions of `{name}` are not all in MLflow, the next night tries again: {message}"));
        }
    }
}

fn report(outcome: &mut Outcome, run: &ModelRun) {
    outcome.fact("trained_version", run.version);
    outcome.fact("promoted", run.promoted);
    outcome.fact("reason", run.reason.clone());
    outcome.fact("rows_train", run.rows_train);
    outcome.fact("rows_censored", run.rows_censored);
    for (fact, value) in [("auc", run.auc), ("auc_low", run.auc_low), ("auc_high", run.auc_high)] {
        if let Some(value) = value {
            outcome.fact(fact, value);
        }
    }
}

/// Trains a model, registers it as a new version, and makes it champion if it passes the gates.
///
/// The same rows, settings and date give the same version again, whatever happened in between.
pub async fn train(ctx: &StepContext, name: &str) -> Result<ModelRun> {
    let loaded = model(ctx, name)?;
    ctx.progress.note(format!("reading the rows of {name}"));
    let schema = frame::schema_of(&ctx.lake, &loaded.value.features.table).await?;
    let features = frame::features_of(&loaded.value, &schema, dictionary(ctx, &loaded.value));
    if features.is_empty() {
        return Err(Error::NoFeatures(loaded.value.features.table.value.clone()));
    }
    frame::schema_of(&ctx.lake, &loaded.value.label.table).await?;
    let data = frame::labelled(&ctx.lake, &loaded.value, &features, ctx.as_of).await?;
    ctx.progress.rows(data.len() as u64);
    let known = runs::read(&ctx.lake, Some(name)).await?;
    let champion = champion::present(&ctx.lake, name, &loaded.value, &known, &features, ctx.as_of).await?;
    ctx.progress.note(format!("training {name} on {} rows", data.len()));
    let (data, training, extras) = score::blocking({
        let model = loaded.value.clone();
        move || {
            let training = train::train(&model, &data, champion.as_ref())?;
            let extras = match &training.judged {
                Some(judged) => extras::train(&model, &data, &judged.plan, &judged.all)?,
                None => Default::default(),
            };
            Ok((data, training, extras))
        }
    })
    .await?;
    register(ctx, loaded, &data, &training, extras).await
}

async fn register(
    ctx: &StepContext,
    loaded: &Loaded<Model>,
    data: &Dataset,
    training: &Training,
    (extras, figures): (Extras, ExtrasFigures),
) -> Result<ModelRun> {
    let (name, model) = (loaded.name.as_str(), &loaded.value);
    let mut features = training.judged.as_ref().map(|j| card::feature_list(model, data, j, dictionary(ctx, model)));
    if let Some(list) = &mut features {
        let schema = frame::schema_of(&ctx.lake, &list.table).await?;
        let known = schema.fields().iter().filter(|f| data.table.features.contains(f.name()));
        list.types = known.map(|f| (f.name().clone(), f.data_type().to_string())).collect();
    }
    let mut detail = card::detail(model, data, training, features.as_ref());
    detail["extras"] = serde_json::to_value(&figures).map_err(|e| Error::Handover(e.to_string()))?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    if let (Some(judged), Some(features)) = (&training.judged, &features) {
        files.extend(judged.fitted.files()?);
        files.extend(extras.files()?);
        files.push(("calibration.json".to_owned(), card::pretty(&judged.calibrator)?));
        files.push(("features.json".to_owned(), card::pretty(features)?));
        let recipe = Recipe {
            chosen: judged.chosen.clone(),
            calibration: model.calibration,
            features: features.names(),
            entity: features.entity.clone(),
        };
        files.push((champion::FILE.to_owned(), card::pretty(&recipe)?));
        let margins = judged.fitted.margins(&data.table, &judged.all)?;
        files.push((drift::FILE.to_owned(), card::pretty(&Picture::of(data, &judged.all, &margins))?));
    }
    files.push(("metrics.json".to_owned(), card::pretty(&detail)?));
    let digest = digest(&files, &training.reason, &definition(loaded));

    let known = runs::read(&ctx.lake, Some(name)).await?;
    let same = known.iter().find(|r| r.as_of == ctx.as_of && r.digest == digest);
    let version = same.map_or_else(|| known.iter().map(|r| r.version).max().unwrap_or(0) + 1, |r| r.version);
    let estimator = training.judged.as_ref().map(|j| j.chosen.name().to_owned());
    let head = Head {
        model: name.to_owned(),
        version,
        trained_as_of: ctx.as_of,
        estimator: estimator.clone(),
        promoted: training.promoted,
        reason: training.reason.clone(),
    };
    files.push(("card.json".to_owned(), card::json_card(&head, model, data, &detail)?));
    files.push(("card.md".to_owned(), card::markdown(&head, model, data, training, features.as_ref()).into_bytes()));
    let source = page::Source { head: &head, model, data, training, features: features.as_ref(), detail: &detail };
    files.push(("card.html".to_owned(), page::page(&source).into_bytes()));
    registry::write(&ctx.lake.objects(), name, version, &files).await?;

    let mut run = model_run(ctx, loaded, data, training, Identity { version, digest, detail: detail.to_string() });
    // Decisions are rows of their own.
    run.decisions = same.map(|r| r.decisions.clone()).unwrap_or_default();
    if same.is_none_or(|r| *r != run) {
        // The promotion: from this commit on the version is what the registry says it is.
        runs::commit(&ctx.lake, &run, ctx.txn()).await?;
    }
    Ok(run)
}

fn digest(files: &[(String, Vec<u8>)], reason: &str, definition: &str) -> String {
    let mut hash = blake3::Hasher::new();
    for (name, bytes) in files {
        hash.update(name.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    hash.update(reason.as_bytes()).update(&[0]).update(definition.as_bytes());
    hash.finalize().to_hex()[..16].to_owned()
}

struct Identity {
    version: i64,
    digest: String,
    detail: String,
}

fn model_run(ctx: &StepContext, loaded: &Loaded<Model>, data: &Dataset, training: &Training, id: Identity) -> ModelRun {
    let all: Vec<usize> = (0..data.len()).collect();
    let judged = training.judged.as_ref();
    let test = judged.map(|j| &j.test);
    let learned = judged.map(|j| if training.promoted { &j.all } else { &j.plan.development });
    let learned_span = learned.and_then(|rows| data.span(rows));
    let test_span = judged.and_then(|j| data.span(&j.plan.test));
    ModelRun {
        model: loaded.name.clone(),
        version: id.version,
        as_of: ctx.as_of,
        estimator: judged.map(|j| j.chosen.name().to_owned()),
        promoted: training.promoted,
        reason: training.reason.clone(),
        auc: test.map(|t| t.uncertainty.auc.value),
        auc_low: test.map(|t| t.uncertainty.auc.low),
        auc_high: test.map(|t| t.uncertainty.auc.high),
        average_precision: test.map(|t| t.average_precision),
        log_loss: test.map(|t| t.log_loss),
        brier: test.map(|t| t.brier),
        lift_10pct: test.map(|t| t.lift_10pct),
        calibration_error: test.map(|t| t.calibration_error),
        rows_train: learned.map_or(data.len(), Vec::len) as i64,
        rows_test: test.map(|t| t.rows as i64),
        positives_train: data.count_events(learned.unwrap_or(&all)) as i64,
        positives_test: test.map(|t| t.events as i64),
        rows_censored: data.censored as i64,
        train_from: learned_span.map(|s| s.0),
        train_to: learned_span.map(|s| s.1),
        test_from: test_span.map(|s| s.0),
        test_to: test_span.map(|s| s.1),
        features: data.table.features.len() as i64,
        definition: definition(loaded),
        digest: id.digest,
        detail: id.detail,
        decisions: Vec::new(),
    }
}

/// Scores the accounts of the run's date with the champion, if there is one.
pub async fn score(ctx: &StepContext, name: &str) -> Result<Outcome> {
    let loaded = model(ctx, name)?;
    let known = runs::read(&ctx.lake, Some(name)).await?;
    let champion = match runs::champion(&known, ctx.as_of) {
        Some(run) => Some((run, registry::read(&ctx.lake.objects(), name, run.version).await?)),
        None => None,
    };
    // The scores of one that scores something else would be in a table that the model's file no longer speaks of.
    let (champion, misfit) = match champion {
        Some((run, version)) if version.features.entity.as_deref() != loaded.value.sub_entity() => (None, Some((run, version))),
        fitting => (fitting, None),
    };
    let newest = known.iter().max_by_key(|r| (r.as_of, r.version));
    let refused = newest.filter(|r| !r.promoted && champion.as_ref().is_none_or(|(c, _)| c.version != r.version));
    let mut outcome = Outcome::default();
    let title = loaded.value.title.clone().unwrap_or_else(|| name.to_owned());
    if let Some(refused) = refused {
        let instead = match &champion {
            Some((c, _)) => format!("version {} of {} goes on scoring", c.version, c.as_of),
            None => "the night goes on with rules alone".to_owned(),
        };
        outcome.fact("refused_because", refused.reason.clone());
        outcome.warn("LRN050", format!("the model `{title}` was not promoted: {}; {instead}", refused.reason));
    }
    if let Some((run, version)) = misfit {
        let (its, wanted) = (version.features.entity.as_deref().unwrap_or(frame::ACCOUNT), &loaded.value.entity);
        let what = format!("version {} of `{title}` scores `{its}`, but the model's file says `{wanted}`", run.version);
        outcome.warn("LRN053", format!("{what}: there are no scores until a version for it is promoted"));
    }
    let aliases = registry::standing(&known);

    let stamp = |champion: Option<(i64, &str)>| Stamp {
        model: name.to_owned(),
        version: champion.map_or(0, |c| c.0),
        estimator: champion.map_or_else(String::new, |c| c.1.to_owned()),
        as_of: ctx.as_of,
        entity: loaded.value.sub_entity().map(str::to_owned),
    };
    let Some((champion, registered)) = champion else {
        score::without_champion(ctx, &stamp(None)).await?;
        registry::set_aliases(&ctx.lake.objects(), name, &aliases).await?;
        outcome.fact("mode", "rules alone");
        outcome.fact("verdict", refused.map_or_else(|| "rules alone".to_owned(), |r| format!("rules alone: {}", r.reason)));
        return Ok(outcome);
    };
    let evening = Evening::read(&ctx.lake, name, champion.version, &registered.features, ctx.as_of).await?;
    outcome.rows_in = evening.len() as u64;
    let what = if evening.owners.is_some() { "rows" } else { "accounts" };
    ctx.progress.note(format!("scoring {} {what} with {name}", evening.len()));
    if evening.len() > 0 {
        let stamp = stamp(Some((champion.version, registered.fitted.name())));
        let tonight = score::blocking(move || Tonight::new(stamp, registered, evening)).await?;
        outcome.rows_out = outcome.rows_in;
        compare(ctx, loaded, &tonight, &mut outcome).await?;
        let words = Words { dictionary: dictionary(ctx, &loaded.value).cloned(), outcome: loaded.value.outcome(name).to_owned() };
        let explain = (loaded.value.explain == Explain::All).then(|| (words, champion.digest.clone()));
        score::score(ctx, tonight, explain, &mut outcome).await?;
        ctx.progress.rows(outcome.rows_out);
    } else {
        let source = &loaded.value.features.table;
        outcome.warn("LRN051", format!("table `{source}` has no rows for {}: no account was scored with `{title}`", ctx.as_of));
    }
    registry::set_aliases(&ctx.lake.objects(), name, &aliases).await?;
    outcome.fact("mode", "model");
    outcome.fact("verdict", verdict(champion));
    outcome.fact("champion_version", champion.version);
    outcome.fact("champion_estimator", champion.estimator.clone().unwrap_or_default());
    outcome.fact("champion_auc", champion.auc.map_or(serde_json::Value::Null, Into::into));
    Ok(outcome)
}

/// Compares tonight's accounts with those that the model learned from; a version without a picture of them can't be compared.
async fn compare(ctx: &StepContext, loaded: &Loaded<Model>, tonight: &Tonight, outcome: &mut Outcome) -> Result<()> {
    let (stamp, model) = (&tonight.stamp, &loaded.value);
    let picture = registry::part::<Picture>(&ctx.lake.objects(), &stamp.model, stamp.version, drift::FILE).await?;
    let Some(picture) = picture else { return Ok(()) };
    let labels = match picture.last_as_of {
        Some(after) => frame::labels_since(&ctx.lake, model, after, ctx.as_of).await?,
        None => (0, 0),
    };
    let subject = drift::Subject { table: &tonight.evening.table, margins: &tonight.margins, labels };
    let drifted = drift::measure(&picture, &tonight.model.features, &subject, &model.drift);
    outcome.checks.extend(drift::checks(&stamp.model, &drifted, tonight.evening.len()));
    let rows = drift::batch(&drifted, stamp)?;
    score::publish_rows(ctx, drift::table(), drift::schema(), "kind, name", stamp, rows).await
}

/// The champion in a few words, for summaries.
fn verdict(champion: &ModelRun) -> String {
    let estimator = champion.estimator.as_deref().unwrap_or_default().replace('_', " ");
    let auc = match (champion.auc, champion.auc_low, champion.auc_high) {
        (Some(auc), Some(low), Some(high)) => format!(", AUC {auc:.2} ({low:.2} to {high:.2})"),
        _ => String::new(),
    };
    format!("version {} of {}, {estimator}{auc}", champion.version, champion.as_of)
}
