//! Damaged and foreign model files: each has a name, and none ends the process.

use cscopilot_diag::Coded;
use cscopilot_lake::{Lake, LakeOptions};
use cscopilot_spec::Xgboost;
use proptest::prelude::*;

use crate::calibrate::Calibrator;
use crate::data::dataset::{Dataset, Table};
use crate::error::Error;
use crate::estimate::boosted::{Matrix, Setting, fit};
use crate::registry::card::pretty;
use crate::registry::{FeatureInfo, FeatureList, read, verify, vet, write};

fn sample() -> Dataset {
    let n = 200;
    let u = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * i * 31) % 1009) as f64 / 1009.0;
    let columns: Vec<Vec<f64>> = (0..3).map(|k| (0..n).map(|i| if (i + k) % 9 == 0 { f64::NAN } else { u(i, k) }).collect()).collect();
    let mut data = Dataset {
        events: (0..n).map(|i| u(i, 9) < columns[0][i].max(0.1)).collect(),
        dates: vec![chrono::NaiveDate::default(); n],
        accounts: (0..n as u32).collect(),
        table: Table { features: (0..3).map(|k| format!("f{k}")).collect(), columns, ..Table::default() },
        ..Dataset::default()
    };
    data.table.rows = n;
    data
}

fn trained(data: &Dataset) -> Vec<u8> {
    let rows: Vec<usize> = (0..data.len()).collect();
    let settings = Xgboost { max_depth: 3, ..Xgboost::default() };
    let setting = Setting { xgboost: &settings, monotone: &std::collections::BTreeMap::new(), threads: 1, seed: 7 };
    fit(&Matrix::of_events(data, &rows).unwrap(), 3, setting).unwrap().bytes
}

#[test]
fn files_of_other_programs_are_called_what_they_are() {
    let lightgbm = b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=a b\n\nTree=0\n";
    for (bytes, what) in [
        (&lightgbm[..], "it is a LightGBM model"),
        (b"CBM1\x10\x00", "it is a CatBoost model"),
        (b"binf\x00\x00", "it is a model in XGBoost's old binary format"),
        (b"\x80\x04\x95", "it is a Python pickle"),
        (b"PK\x03\x04\x14", "it is a zip archive"),
        (b"<!DOCTYPE html>", "it is an HTML or XML page"),
        (b"{\"name\": \"tree\", \"tree_info\": []}", "it is JSON of another program: it has no `learner`"),
        (b"[1, 2]", "it is JSON of another program: it has no `learner`"),
        (b"", "it is empty"),
    ] {
        assert_eq!(vet::boosted(bytes).unwrap_err(), what);
    }
    assert!(vet::boosted(b"{\"learner\": {}}").unwrap_err().contains("missing field"));
}

/// A version as a training leaves it.
fn files(bytes: Vec<u8>, names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let info = |name: &&str| FeatureInfo {
        name: (*name).to_owned(),
        label: (*name).to_owned(),
        median: None,
        min: None,
        max: None,
        missing_pct: 0.0,
        importance: 0.1,
        categories: None,
    };
    let features = FeatureList { features: names.iter().map(info).collect(), ..FeatureList::default() };
    vec![
        ("model.ubj".to_owned(), bytes),
        ("calibration.json".to_owned(), pretty(&Calibrator::Platt { slope: 1.0, intercept: 0.0 }).unwrap()),
        ("features.json".to_owned(), pretty(&features).unwrap()),
    ]
}

async fn lake() -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
    (folder, lake)
}

fn named(error: &Error, file: &str, problem: &str) {
    assert_eq!(error.code(), "LRN030");
    assert!(error.help().is_some_and(|help| help.contains("rollback")));
    let text = error.to_string();
    assert!(text.contains(file) && text.contains(problem), "{text}");
}

#[tokio::test]
async fn a_registered_file_that_is_not_what_was_written_is_named() {
    let (_folder, lake) = lake().await;
    let objects = lake.objects();
    let written = files(trained(&sample()), &["f0", "f1", "f2"]);
    write(&objects, "churn", 1, &written).await.unwrap();
    verify(&objects, "churn", 1).await.unwrap();

    for (name, bytes) in &written {
        let path = format!("models/churn/v0001/{name}");
        let mut flipped = bytes.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        objects.put(&path, flipped).await.unwrap();
        named(&read(&objects, "churn", 1).await.unwrap_err(), name, "its content is not what was written");
        objects.put(&path, bytes[..middle].to_vec()).await.unwrap();
        named(&read(&objects, "churn", 1).await.unwrap_err(), name, &format!("it has {middle} bytes, {} were written", bytes.len()));
        objects.delete(&path).await.unwrap();
        named(&read(&objects, "churn", 1).await.unwrap_err(), name, "the file is missing");
        objects.put(&path, bytes.clone()).await.unwrap();
    }
    objects.put("models/churn/v0001/model.ubj", b"tree\nversion=v4\n".to_vec()).await.unwrap();
    named(&read(&objects, "churn", 1).await.unwrap_err(), "model.ubj", "it was replaced by another file: it is a LightGBM model");
    objects.put("models/churn/v0001/manifest.json", b"{".to_vec()).await.unwrap();
    named(&read(&objects, "churn", 1).await.unwrap_err(), "manifest.json", "EOF");
}

#[tokio::test]
async fn files_that_do_not_fit_together_are_named() {
    let (_folder, lake) = lake().await;
    let objects = lake.objects();
    let bytes = trained(&sample());
    write(&objects, "churn", 1, &files(bytes.clone(), &["f0", "f1"])).await.unwrap();
    named(&read(&objects, "churn", 1).await.unwrap_err(), "features.json", "the model has 3 features, the list 2");
    write(&objects, "churn", 2, &files(bytes.clone(), &["f0", "f2", "f1"])).await.unwrap();
    named(&read(&objects, "churn", 2).await.unwrap_err(), "features.json", "the model's feature `f1` stands where the list has `f2`");
    let mut curve = files(bytes, &["f0", "f1", "f2"]);
    curve[1].1 = b"{\"isotonic\": {\"margins\": [0.0, 1.0], \"probabilities\": [0.1]}}".to_vec();
    write(&objects, "churn", 3, &curve).await.unwrap();
    named(&read(&objects, "churn", 3).await.unwrap_err(), "calibration.json", "another number of margins");
    let mut regression = files(Vec::new(), &["f0"]);
    let input = r#"{"value": {"feature": 4, "median": 0, "low": 0, "high": 1, "log": false, "mean": 0, "deviation": 1}}"#;
    let linear = r#"{"intercept": 0.0, "coefficients": [1.0], "means": [0.0]}"#;
    regression[0] = (
        "logistic.json".to_owned(),
        format!(r#"{{"features": ["f0"], "inputs": [{input}], "penalty": 1.0, "l1_ratio": 0.0, "linear": {linear}}}"#).into_bytes(),
    );
    write(&objects, "churn", 4, &regression).await.unwrap();
    named(&read(&objects, "churn", 4).await.unwrap_err(), "logistic.json", "an input is made from feature 4, there are 1");
}

#[tokio::test]
async fn no_model_file_with_a_byte_changed_or_cut_anywhere_gets_to_the_library() {
    let lake = Lake::open("memory://flipped-models", LakeOptions::default()).await.unwrap();
    let objects = lake.objects();
    let whole = trained(&sample());
    write(&objects, "churn", 1, &files(whole.clone(), &["f0", "f1", "f2"])).await.unwrap();
    read(&objects, "churn", 1).await.unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        for damaged in [&flipped[..], &whole[..at]] {
            objects.put("models/churn/v0001/model.ubj", damaged.to_vec()).await.unwrap();
            named(&read(&objects, "churn", 1).await.unwrap_err(), "models/churn/v0001/model.ubj", "it ");
        }
    }
}

proptest! {
    #[test]
    fn the_reader_of_model_files_never_panics(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = include_bytes!("../../../shap/tests/data/small.ubj").to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(ensemble) = vet::boosted(&bytes) {
            let row = vec![0.5; ensemble.num_features().min(1000)];
            let _ = cscopilot_shap::Explainer::new(&ensemble).explain(&row, row.len());
        }
    }
}

#[tokio::test]
async fn a_version_that_lost_its_manifest_is_not_used() {
    let (_folder, lake) = lake().await;
    let objects = lake.objects();
    write(&objects, "churn", 1, &files(trained(&sample()), &["f0", "f1", "f2"])).await.unwrap();
    objects.delete("models/churn/v0001/manifest.json").await.unwrap();
    named(&read(&objects, "churn", 1).await.unwrap_err(), "manifest.json", "the file is missing");
}
