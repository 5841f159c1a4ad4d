//! Studies on a project whose night has run: `CSCOPILOT_STUDY_PROJECT` is its folder, `CSCOPILOT_STUDY_AS_OF` the night's date.
//! `make study-examples` runs the nights of the examples and of the starter project, and then these.

#[path = "../../../shap/src/by_leaf.rs"]
mod by_leaf;

use std::path::PathBuf;

use chrono::NaiveDate;
use cscopilot_lake::{Lake, LakeOptions};
use cscopilot_shap::{Explainer, Node, Tree};
use cscopilot_spec::{LoadOptions, Model, Project};
use xgb::{Booster, DMatrix};

use crate::data::dataset::Dataset;
use crate::data::frame;
use crate::estimate::boosted::{self, BoostedModel, Matrix, Setting};
use crate::estimate::fitted::Fitted;
use crate::estimate::survival;
use crate::registry;

/// Rows of a model that are explained.
const MOST_ROWS: usize = 3000;

/// A project and its lake.
pub(crate) struct Night {
    project: Project,
    lake: Lake,
    as_of: NaiveDate,
}

impl Night {
    /// The one that the environment names.
    pub(crate) async fn open() -> Self {
        let folder = PathBuf::from(std::env::var("CSCOPILOT_STUDY_PROJECT").expect("make study-examples sets it"));
        let as_of = std::env::var("CSCOPILOT_STUDY_AS_OF").unwrap().parse().unwrap();
        let project = Project::load(&folder, &LoadOptions::default()).unwrap();
        let lake = Lake::open(folder.join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        Self { project, lake, as_of }
    }

    /// A model's file and its labelled rows.
    pub(crate) async fn rows_of(&self, name: &str) -> (Model, Dataset) {
        let model = self.project.models[name].value.clone();
        let schema = frame::schema_of(&self.lake, &model.features.table).await.unwrap();
        let dictionary = self.project.features.get(model.dictionary()).map(|d| &d.value);
        let features = frame::features_of(&model, &schema, dictionary);
        let data = frame::labelled(&self.lake, &model, &features, self.as_of).await.unwrap();
        (model, data)
    }
}

/// The largest error of our contributions against the reference in `f64`, and their largest distance from XGBoost's.
fn errors(trees: &BoostedModel, data: &Dataset, rows: &[usize]) -> (f64, f64) {
    let width = data.table.features.len();
    let matrix = data.table.matrix(rows);
    let ensemble = trees.ensemble().unwrap();
    assert_eq!(ensemble.feature_names(), data.table.features);
    let ours = Explainer::new(&ensemble).explain(&matrix, width).unwrap();
    let booster = Booster::load_buffer(&trees.bytes).unwrap();
    let (theirs, (count, wide)) = booster.predict_contributions(&DMatrix::from_dense(&matrix, rows.len()).unwrap()).unwrap();
    assert_eq!((count, wide), (rows.len(), width + 1));
    // Not a number is the largest error of all; `f64::max` would pass over it.
    let error = |a: f64, b: f64| if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
    let largest =
        |ours: &[f64], other: &mut dyn Iterator<Item = f64>| ours.iter().zip(other).map(|(a, b)| error(*a, b)).fold(0.0, f64::max);
    let (mut from_reference, mut from_theirs) = (0.0f64, 0.0f64);
    for (at, row) in matrix.chunks_exact(width).enumerate() {
        let exact = by_leaf::contributions(ensemble.trees(), row);
        from_reference = from_reference.max(largest(ours.row(at), &mut exact.into_iter()));
        let their_row = theirs[at * wide..][..width].iter().map(|x| f64::from(*x));
        from_theirs = from_theirs.max(largest(ours.row(at), &mut { their_row }));
    }
    (from_reference, from_theirs)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a project whose night has run: make study-examples"]
async fn project_explanations_agree_with_the_reference_and_with_xgboost() {
    let night = Night::open().await;
    for name in night.project.models.keys() {
        let (model, mut data) = night.rows_of(name).await;
        let newest = registry::runs::read(&night.lake, Some(name)).await.unwrap().into_iter().max_by_key(|r| r.version).unwrap();
        let registered = registry::read(&night.lake.objects(), name, newest.version).await.unwrap();
        let codes: Vec<_> = registered.features.features.iter().map(|f| f.categories.clone()).collect();
        data.table = data.table.coded_as(&codes);
        // Spread over all dates.
        let rows: Vec<usize> = (0..data.len()).step_by(data.len().div_ceil(MOST_ROWS)).collect();
        let (which, trees) = match registered.fitted {
            Fitted::Boosted(trees) => ("the registered trees", trees),
            Fitted::Blend(blend) => ("the blend's trees", blend.boosted),
            // Its contributions need no algorithm: coefficient times distance from the mean.
            Fitted::Logistic(_) => ("trees beside the regression", trees_of(&model, &data)),
        };
        let (from_reference, from_theirs) = errors(&trees, &data, &rows);
        println!("{name}, {which}: {} rows, {from_reference:.1e} from the f64 reference, {from_theirs:.1e} from XGBoost", rows.len());
        assert!(from_reference <= 1e-5 && from_theirs <= 1e-4, "{name}");
    }
}

/// Trees as the model's file asks for, where a regression was better.
fn trees_of(model: &Model, data: &Dataset) -> BoostedModel {
    let xgboost = survival::trees_of(model);
    let setting = Setting { xgboost: &xgboost, monotone: &model.features.bounds(), threads: model.threads.value, seed: model.seed };
    let rows: Vec<usize> = (0..data.len()).collect();
    boosted::fit(&Matrix::of_events(data, &rows).unwrap(), 200, setting).unwrap()
}
