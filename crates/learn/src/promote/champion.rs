//! The present champion as a rival: what it was made by, and how it would do on the rows that judge its challenger.
//!
//! A promoted model was fitted on everything known on its night, so on most test rows of a later training it has already
//! learned the answers. What can be compared is its recipe: the same estimator with the same settings on the same features,
//! fitted and calibrated on the rows that the challenger learned from.

use chrono::NaiveDate;
use cscopilot_lake::Lake;
use cscopilot_spec::{Calibration, Model};
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Table};
use crate::data::frame;
use crate::data::split::Plan;
use crate::error::Result;
use crate::estimate::fitted::Chosen;
use crate::metrics::bootstrap::{Interval, Sampled};
use crate::metrics::measure::Figure;
use crate::registry;
use crate::registry::runs::{self, ModelRun};
use crate::train::contender::Contender;

/// The recipe's file in a version's folder.
pub const FILE: &str = "recipe.json";

/// `recipe.json`: what it takes to fit a version anew on other rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The estimator with everything that the folds decided.
    pub chosen: Chosen,
    /// How its margins become probabilities.
    pub calibration: Calibration,
    /// Its features, in the order of the model's columns.
    pub features: Vec<String>,
    /// The column of what it scores, where that isn't the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

/// The champion of the night before a training.
#[derive(Debug, Clone)]
pub struct Champion {
    /// Its version.
    pub version: i64,
    /// What it was made by.
    pub recipe: Recipe,
    /// The same rows as the training's with the champion's features, where they are others than the challenger's.
    pub table: Option<Table>,
}

/// How a new model compares with the champion on the test period, by the same bootstrap draws.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The champion's version.
    pub version: i64,
    /// Whether both have the same recipe and features: then they are the same model on the same rows.
    pub same_recipe: bool,
    /// Log loss of the champion's recipe.
    pub champion_log_loss: Option<f64>,
    /// AUC of the champion's recipe.
    pub champion_auc: Option<f64>,
    /// The new model's log loss minus the champion's: below zero it is better.
    pub log_loss: Option<Interval>,
    /// The new model's AUC minus the champion's: above zero it is better.
    pub auc: Option<Interval>,
}

/// The newest champion of an earlier night, if its recipe can still be followed. One without a recipe, or whose features
/// are gone from the table, can't be compared; nor can one that scores something else.
///
/// Champions of the same night don't count: the training that made them is the one that is repeated.
pub async fn present(
    lake: &Lake,
    name: &str,
    model: &Model,
    known: &[ModelRun],
    features: &[String],
    as_of: NaiveDate,
) -> Result<Option<Champion>> {
    let earlier: Vec<ModelRun> = known.iter().filter(|r| r.as_of < as_of).cloned().collect();
    let Some(champion) = runs::champion(&earlier, as_of) else { return Ok(None) };
    let Some(recipe) = registry::part::<Recipe>(&lake.objects(), name, champion.version, FILE).await? else { return Ok(None) };
    if recipe.entity.as_deref() != model.sub_entity() {
        return Ok(None);
    }
    let mut table = None;
    if recipe.features != features {
        let schema = frame::schema_of(lake, &model.features.table).await?;
        let there = |f: &String| {
            schema.field_with_name(f).is_ok_and(|field| {
                let category = frame::is_category_type(field.data_type()) && model.features.categorical.iter().any(|c| c.value == *f);
                category || frame::is_feature_type(field.data_type())
            })
        };
        if !recipe.features.iter().all(there) {
            return Ok(None);
        }
        table = Some(frame::labelled(lake, model, &recipe.features, as_of).await?.table);
    }
    Ok(Some(Champion { version: champion.version, recipe, table }))
}

impl Champion {
    /// Whether a challenger has the same recipe and features.
    pub fn is_same(&self, chosen: &Chosen, calibration: Calibration) -> bool {
        self.table.is_none() && self.recipe.chosen == *chosen && self.recipe.calibration == calibration
    }

    /// Follows the recipe through the folds and on to the test period.
    pub fn contend(&self, data: &Dataset, plan: &Plan, gap_days: u32) -> Result<Contender> {
        let own;
        let data = match &self.table {
            Some(table) => {
                own = Dataset { table: table.clone(), ..data.clone() };
                &own
            }
            None => data,
        };
        let mut margins = Vec::new();
        for fold in &plan.folds {
            margins.extend(self.recipe.chosen.fit(data, &fold.train)?.margins(&data.table, &fold.valid)?);
        }
        Contender::new(self.recipe.chosen.clone(), &margins, data, plan, self.recipe.calibration, gap_days)
    }

    /// The comparison of figures under the same draws.
    pub fn compare(&self, challenger: &Sampled, champion: &Sampled) -> Comparison {
        let value = |figure| champion.interval(figure).map(|i| i.value);
        Comparison {
            version: self.version,
            same_recipe: false,
            champion_log_loss: value(Figure::LogLoss),
            champion_auc: value(Figure::Auc),
            log_loss: challenger.difference(champion, Figure::LogLoss),
            auc: challenger.difference(champion, Figure::Auc),
        }
    }
}

impl Comparison {
    /// The comparison of a model with itself.
    pub fn same(version: i64) -> Self {
        Self { version, same_recipe: true, champion_log_loss: None, champion_auc: None, log_loss: None, auc: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::permuted::{CHEAP, company, model};
    use crate::train::{Training, train};

    /// The table's columns of these numbers.
    fn only(data: &Dataset, features: &[usize]) -> Table {
        let pick = |k: &usize| (data.table.features[*k].clone(), data.table.columns[*k].clone());
        let (features, columns) = features.iter().map(pick).unzip();
        Table { features, columns, rows: data.table.rows, ..Table::default() }
    }

    fn champion_of(training: &Training, data: &Dataset, table: Option<Table>) -> Champion {
        let chosen = training.judged.as_ref().unwrap().chosen.clone();
        let recipe = Recipe { chosen, calibration: Calibration::Auto, features: data.table.features.clone(), entity: None };
        Champion { version: 7, recipe, table }
    }

    fn champion_gate(training: &Training) -> bool {
        let gates = &training.judged.as_ref().unwrap().judgement.gates;
        gates.iter().find(|g| g.gate == "champion").unwrap().passed
    }

    #[test]
    fn a_champion_that_knew_more_stays_and_one_that_knew_less_is_replaced() {
        let (knows, model) = (company(1), model(CHEAP));
        let blind = Dataset { table: only(&knows, &[1, 2, 3, 4, 5, 6]), ..knows.clone() };
        let (good, weak) = (train(&model, &knows, None).unwrap(), train(&model, &blind, None).unwrap());
        assert!(good.promoted && weak.promoted, "{} {}", good.reason, weak.reason);

        let champion = champion_of(&good, &knows, Some(knows.table.clone()));
        let challenger = train(&model, &blind, Some(&champion)).unwrap();
        assert!(!challenger.promoted && !champion_gate(&challenger));
        assert!(challenger.reason.contains("on the same rows version 7's"), "{}", challenger.reason);

        let champion = champion_of(&weak, &blind, Some(blind.table.clone()));
        let challenger = train(&model, &knows, Some(&champion)).unwrap();
        assert!(challenger.promoted && champion_gate(&challenger), "{}", challenger.reason);
        let comparison = challenger.judged.unwrap().judgement.champion.unwrap();
        assert!(comparison.auc.unwrap().low > 0.0 && comparison.log_loss.unwrap().value < 0.0, "{comparison:?}");
    }

    #[test]
    fn the_same_recipe_needs_no_comparison() {
        let (data, model) = (company(1), model(CHEAP));
        let first = train(&model, &data, None).unwrap();
        let again = train(&model, &data, Some(&champion_of(&first, &data, None))).unwrap();
        assert_eq!(again.judged.unwrap().judgement.champion, Some(Comparison::same(7)));
    }

    #[test]
    fn a_recipe_comes_back_as_it_was() {
        let first = train(&model(CHEAP), &company(1), None).unwrap();
        let recipe = champion_of(&first, &company(1), None).recipe;
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
    }
}
