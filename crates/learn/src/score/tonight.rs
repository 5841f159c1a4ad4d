//! Tonight's scores: margins of all accounts first, for the deciles; then reasons and rows, some thousand accounts at a time, so that
//! memory does not grow with what is written.
//!
//! Explaining is the dearest part of a night, and most accounts look tonight as they did yesterday. Each row of the scores has a key: a
//! hash of the account's values and of everything else that its reasons are made from (version of the model, words, version of this
//! program). Where the key is the same as last time, last time's reasons are taken: they are the ones that would be found again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use cscopilot_spec::FeatureDictionary;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::registry::Registered;
use crate::score::evening::Evening;
use crate::score::last::Known;
use crate::score::reasons::Narrator;
use crate::score::rows::{self, Scores, Stamp, deciles};
use crate::score::scorer::Scorer;

/// How far the sum of the reasons may be from the margin.
const ADDITIVITY: f64 = 1e-4;
/// Rows that are made and written together.
pub(crate) const CHUNK: usize = 16_384;
/// Rows whose margins are compared with those that the estimator's own library gives.
const CHECKED: usize = 1_000;

/// What reasons are told with.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// The dictionary, if the project has one.
    pub(crate) dictionary: Option<FeatureDictionary>,
    /// What the probability is called.
    pub(crate) outcome: String,
}

/// An evening scored by one version of a model.
pub(crate) struct Tonight {
    /// What is written beside the scores.
    pub(crate) stamp: Stamp,
    /// The version.
    pub(crate) model: Registered,
    /// The version, ready to score.
    pub(crate) scorer: Scorer,
    /// The accounts.
    pub(crate) evening: Evening,
    /// Their margins.
    pub(crate) margins: Vec<f64>,
    /// Their calibrated probabilities.
    pub(crate) probabilities: Vec<f64>,
    /// Their deciles by margin, 1 the highest.
    pub(crate) deciles: Vec<i32>,
    /// The group of each feature in reasons.
    pub(crate) groups: Vec<usize>,
}

impl Tonight {
    /// Scores an evening.
    ///
    /// # Errors
    /// [`Error::NotAdditive`] if the margins are not those that the estimator's own library gives.
    pub(crate) fn new(stamp: Stamp, model: Registered, evening: Evening) -> Result<Self> {
        let scorer = Scorer::new(&model.fitted)?;
        let margins = margins(&scorer, &evening)?;
        let some: Vec<usize> = (0..evening.len().min(CHECKED)).collect();
        let theirs = model.fitted.margins(&evening.table, &some)?;
        within(&stamp.model, margins.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs))?;
        let probabilities = margins.iter().map(|m| model.calibrator.probability(*m)).collect();
        let groups = model.features.groups();
        Ok(Self { deciles: deciles(&margins), probabilities, margins, scorer, groups, model, evening, stamp })
    }

    /// The reasons' narrator.
    pub(crate) fn narrator<'a>(&'a self, words: &'a Words) -> Narrator<'a> {
        Narrator {
            features: &self.model.features.features,
            groups: &self.groups,
            dictionary: words.dictionary.as_ref(),
            outcome: &words.outcome,
        }
    }

    /// The key of each row; `digest` is the version's.
    pub(crate) fn keys(&self, digest: &str, words: &Words) -> Vec<i64> {
        let mut common = blake3::Hasher::new();
        for part in [env!("CARGO_PKG_VERSION"), digest, &format!("{words:?}")] {
            common.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let table = &self.evening.table;
        let key = |row: usize| {
            let mut hash = common.clone();
            for column in &table.columns {
                // A missing value has many bit patterns.
                let value = if column[row].is_nan() { f64::NAN } else { column[row] };
                hash.update(&value.to_le_bytes());
            }
            let mut first = [0; 8];
            first.copy_from_slice(&hash.finalize().as_bytes()[..8]);
            i64::from_le_bytes(first)
        };
        (0..table.rows).into_par_iter().map(key).collect()
    }

    /// Hands over the rows of `marts.model_scores` or `marts.entity_scores`, explained where `explain` says with which words and keys.
    ///
    /// # Errors
    /// [`Error::NotAdditive`] if reasons don't add up to the margin.
    pub(crate) fn rows(&self, explain: Option<(&Words, &[i64], &Known)>, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        for start in (0..self.evening.len()).step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(self.evening.len());
            let reasons = match explain {
                Some((words, _, known)) => self.reasons(&chunk.clone().collect::<Vec<_>>(), words, known)?,
                None => rows::lists(&vec![Vec::new(); chunk.len()])?,
            };
            let scores = Scores {
                ids: Arc::new(self.evening.ids.slice(chunk.start, chunk.len())),
                accounts: Arc::new(self.evening.accounts().slice(chunk.start, chunk.len())),
                probabilities: &self.probabilities[chunk.clone()],
                margins: &self.margins[chunk.clone()],
                deciles: &self.deciles[chunk.clone()],
                reasons,
                expected: self.model.extras.expected(&self.evening.table, &chunk.clone().collect::<Vec<_>>(), &self.probabilities)?,
                keys: explain.map(|(_, keys, _)| &keys[chunk]),
            };
            if !give(rows::batch(scores, &self.stamp)?) {
                break;
            }
        }
        Ok(())
    }

    /// Lists of reasons of some rows, those that are known taken over.
    fn reasons(&self, rows: &[usize], words: &Words, known: &Known) -> Result<ArrayRef> {
        let new: Vec<usize> = rows.iter().copied().filter(|row| known.places.get(*row).is_none_or(Option::is_none)).collect();
        let found = self.explain(&new, words)?;
        if new.len() == rows.len() {
            return Ok(found);
        }
        // The batches that these rows need, behind the new reasons.
        let mut used: Vec<usize> = rows.iter().filter_map(|row| known.places[*row]).map(|(batch, _)| batch).collect();
        used.sort_unstable();
        used.dedup();
        let sources: Vec<&dyn Array> = std::iter::once(&found).chain(used.iter().map(|b| &known.batches[*b])).map(AsRef::as_ref).collect();
        let mut next = 0..new.len();
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| match known.places[*row] {
                Some((batch, row)) => (1 + used.binary_search(&batch).unwrap_or(0), row),
                None => (0, next.next().unwrap_or(0)),
            })
            .collect();
        Ok(interleave(&sources, &places)?)
    }

    fn explain(&self, rows: &[usize], words: &Words) -> Result<ArrayRef> {
        let table = &self.evening.table;
        let explained = self.scorer.explain(table, rows)?;
        within(&self.stamp.model, rows.iter().enumerate().map(|(i, row)| explained.margin(i) - self.margins[*row]))?;
        let narrator = self.narrator(words);
        let reasons = rows.par_iter().enumerate().map(|(i, row)| {
            let values: Vec<f64> = table.columns.iter().map(|c| c[*row]).collect();
            narrator.top(&values, explained.row(i))
        });
        rows::lists(&reasons.collect::<Vec<_>>())
    }
}

/// The margins of all rows.
pub(crate) fn margins(scorer: &Scorer, evening: &Evening) -> Result<Vec<f64>> {
    let mut margins = Vec::with_capacity(evening.len());
    for start in (0..evening.len()).step_by(CHUNK) {
        let chunk: Vec<usize> = (start..(start + CHUNK).min(evening.len())).collect();
        margins.extend(scorer.margins(&evening.table, &chunk)?);
    }
    Ok(margins)
}

/// Fails if a difference is too large, or none can be told.
fn within(model: &str, differences: impl Iterator<Item = f64>) -> Result<()> {
    let wrong = differences.map(f64::abs).find(|off| off.is_nan() || *off > ADDITIVITY);
    wrong.map_or(Ok(()), |off| Err(Error::NotAdditive { model: model.to_owned(), off }))
}
