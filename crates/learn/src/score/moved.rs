//! `marts.score_movements`: what moved each account's score since the evening that the model scored last.
//!
//! One row for each feature whose new value moved the score, and one each for the model and the calibration where they did. An
//! account that was not scored that evening has no rows. They are committed before the scores of the same run: whoever sees tonight's
//! scores finds what moved them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Builder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, TableName};

use crate::calibrate::Calibrator;
use crate::error::{Error, Result};
use crate::registry::{self, FeatureInfo, FeatureList};
use crate::score::entity;
use crate::score::evening::Evening;
use crate::score::last::Last;
use crate::score::movements::{Movement, NEGLIGIBLE, Way};
use crate::score::reasons::{TOP, step};
use crate::score::rows::Stamp;
use crate::score::scorer::Scorer;
use crate::score::tonight::{CHUNK, Tonight, Words, margins};

/// What a movement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Data,
    Model,
    Calibration,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Model => "model",
            Self::Calibration => "calibration",
        }
    }
}

/// `marts.score_movements`
pub(crate) fn table() -> TableName {
    TableName::new("marts", "score_movements")
}

/// The columns of `marts.score_movements`: what moved the account's probability since `from_as_of`, in points from -1 to 1.
///
/// `feature` is NULL for the model, the calibration, and data that is no longer there as it was scored; values are NULL where missing.
/// `text` says it in words, for the five largest parts of an account.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("account_id"),
        Field::new("as_of", DataType::Date32, true),
        text("model"),
        text("feature"),
        float("from_value"),
        float("to_value"),
        float("contribution_delta"),
        text("cause"),
        Field::new("from_as_of", DataType::Date32, true),
        text("text"),
    ]))
}

/// The version that scored last, where it is another one than tonight's.
struct Old {
    scorer: Scorer,
    calibrator: Calibrator,
    /// Its features, tonight.
    evening: Evening,
    margins: Vec<f64>,
}

/// Everything that movements are told from.
pub(crate) struct Moved {
    tonight: Arc<Tonight>,
    last: Last,
    /// The features of the last evening, as the table has them now.
    before: Evening,
    /// Its features as the version that scored then knows them.
    features: Vec<FeatureInfo>,
    /// None where tonight's version scored last time as well.
    old: Option<Old>,
    words: Words,
}

impl Moved {
    /// Reads the last evening's features and, if it was another one, the version that scored then.
    pub(crate) async fn read(lake: &Lake, tonight: Arc<Tonight>, last: Last, words: Words) -> Result<Self> {
        let (model, version) = (tonight.stamp.model.as_str(), last.version);
        if version == tonight.stamp.version {
            let before = Evening::read_what_is_left(lake, &tonight.model.features, last.as_of).await?;
            let features = tonight.model.features.features.clone();
            return Ok(Self { tonight, last, before, features, old: None, words });
        }
        let old = registry::read(&lake.objects(), model, version).await?;
        let (before, evening) = both(lake, &old.features, last.as_of, tonight.stamp.as_of).await?;
        let evening = evening.in_order_of(&tonight.evening);
        let (calibrator, fitted, features) = (old.calibrator, old.fitted, old.features.features);
        let scored = tokio::task::spawn_blocking(move || {
            let scorer = Scorer::new(&fitted)?;
            let margins = margins(&scorer, &evening)?;
            Ok::<_, Error>(Old { scorer, calibrator, evening, margins })
        });
        let old = scored.await.map_err(|e| Error::Thread(e.to_string()))??;
        Ok(Self { tonight, last, before, features, old: Some(old), words })
    }

    /// Hands over the rows of `marts.score_movements` or `marts.entity_movements`.
    pub(crate) fn rows(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        for start in (0..self.tonight.evening.len()).step_by(CHUNK) {
            let mut rows = Rows::default();
            self.chunk(start..(start + CHUNK).min(self.tonight.evening.len()), &mut rows)?;
            if rows.count > 0 && !give(rows.finish(&self.tonight.stamp, self.last.as_of)?) {
                break;
            }
        }
        Ok(())
    }

    fn chunk(&self, rows: std::ops::Range<usize>, out: &mut Rows) -> Result<()> {
        let tonight = &self.tonight;
        let (scorer, calibrator, now, data_margins) = match &self.old {
            Some(old) => (&old.scorer, &old.calibrator, &old.evening.table, &old.margins),
            None => (&tonight.scorer, &tonight.model.calibrator, &tonight.evening.table, &tonight.margins),
        };
        // What was scored last time as well, with where its values of then are.
        let rows: Vec<(usize, Option<usize>)> = (rows.filter(|row| self.last.scored[*row].is_some()))
            .map(|row| (row, self.before.row_of(tonight.evening.ids.value(row))))
            .collect();
        let pairs: Vec<(usize, usize)> = rows.iter().filter_map(|(row, before)| Some(((*before)?, *row))).collect();
        let shares = scorer.changes(&self.before.table, now, &pairs)?;
        let mut shares = shares.chunks_exact(now.columns.len().max(1));
        for (row, before) in rows {
            let Some(last) = self.last.scored[row] else { continue };
            let shares = before.and_then(|_| shares.next()).unwrap_or_default();
            let way = Way {
                last: (last.margin, last.probability),
                data: (data_margins[row], calibrator.probability(data_margins[row])),
                model: calibrator.probability(tonight.margins[row]),
                tonight: tonight.probabilities[row],
            };
            let value = |feature: usize| {
                let from = before.map(|before| self.before.table.columns[feature][before]);
                (from.unwrap_or(f64::NAN), now.columns[feature][row])
            };
            self.tell(row, &way.split(calibrator, shares), value, out);
        }
        Ok(())
    }

    /// Adds the rows of one of tonight's.
    fn tell(&self, row: usize, moved: &Movement, value: impl Fn(usize) -> (f64, f64), out: &mut Rows) {
        let features = moved.features.iter().enumerate().map(|(feature, delta)| (Some(feature), *delta, Cause::Data));
        let others = [(moved.rest, Cause::Data), (moved.model, Cause::Model), (moved.calibration, Cause::Calibration)];
        let mut parts: Vec<(Option<usize>, f64, Cause)> = features.chain(others.map(|(delta, cause)| (None, delta, cause))).collect();
        parts.retain(|(_, delta, _)| delta.abs() >= NEGLIGIBLE);
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        let evening = &self.tonight.evening;
        for (rank, (feature, delta, cause)) in parts.into_iter().enumerate() {
            let values = feature.map(&value);
            let text = (rank < TOP).then(|| match (feature, values) {
                (Some(feature), Some((from, to))) => step(&self.features[feature], self.words.dictionary.as_ref(), from, to),
                _ => self.other(cause),
            });
            out.row(
                (evening.ids.value(row), evening.account(row)),
                feature.map(|f| self.features[f].name.as_str()),
                values,
                delta,
                cause,
                text,
            );
        }
    }

    /// A part that no feature has, in words.
    fn other(&self, cause: Cause) -> String {
        let version = self.tonight.stamp.version;
        match cause {
            Cause::Data => format!("Data of {} that has changed since it was scored", self.last.as_of),
            Cause::Model => format!("Version {version} of the model, which reads the same data differently"),
            Cause::Calibration => format!("The calibration of version {version}"),
        }
    }
}

async fn both(lake: &Lake, features: &FeatureList, then: NaiveDate, now: NaiveDate) -> Result<(Evening, Evening)> {
    Ok((Evening::read_what_is_left(lake, features, then).await?, Evening::read_what_is_left(lake, features, now).await?))
}

/// Rows of the table, being collected.
#[derive(Default)]
struct Rows {
    ids: StringBuilder,
    accounts: StringBuilder,
    features: StringBuilder,
    from: Float64Builder,
    to: Float64Builder,
    deltas: Float64Builder,
    causes: StringBuilder,
    texts: StringBuilder,
    count: usize,
}

impl Rows {
    fn row(
        &mut self,
        (id, account): (&str, Option<&str>),
        feature: Option<&str>,
        values: Option<(f64, f64)>,
        delta: f64,
        cause: Cause,
        text: Option<String>,
    ) {
        self.ids.append_value(id);
        self.accounts.append_option(account);
        self.features.append_option(feature);
        self.from.append_option(values.map(|v| v.0).filter(|v| !v.is_nan()));
        self.to.append_option(values.map(|v| v.1).filter(|v| !v.is_nan()));
        self.texts.append_option(text);
        self.deltas.append_value(delta);
        self.causes.append_value(cause.as_str());
        self.count += 1;
    }

    fn finish(mut self, stamp: &Stamp, from_as_of: NaiveDate) -> Result<RecordBatch> {
        let n = self.count;
        let day = |date: NaiveDate| Arc::new(Date32Array::from(vec![date.to_epoch_days(); n])) as ArrayRef;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.accounts.finish()),
            day(stamp.as_of),
            Arc::new(StringArray::from(vec![stamp.model.as_str(); n])),
            Arc::new(self.features.finish()),
            Arc::new(self.from.finish()),
            Arc::new(self.to.finish()),
            Arc::new(self.deltas.finish()),
            Arc::new(self.causes.finish()),
            day(from_as_of),
            Arc::new(self.texts.finish()),
        ];
        let batch = RecordBatch::try_new(schema(), columns)?;
        match &stamp.entity {
            Some(entity) => entity::keyed(&batch, entity, Arc::new(self.ids.finish())),
            None => Ok(batch),
        }
    }
}
