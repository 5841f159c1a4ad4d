//! Reading XGBoost's model files (format of versions 2 and 3).

use serde::Deserialize;

use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::error::Error;
use crate::ubjson;

#[derive(Deserialize)]
struct ModelFile {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    gradient_booster: GradientBooster,
    learner_model_param: ModelParam,
    objective: Objective,
}

#[derive(Deserialize)]
struct GradientBooster {
    name: String,
    model: Option<TreesModel>,
}

#[derive(Deserialize)]
struct TreesModel {
    trees: Vec<TreeFile>,
    #[serde(default)]
    tree_info: Vec<i64>,
}

#[derive(Deserialize)]
struct ModelParam {
    base_score: String,
    num_feature: String,
    #[serde(default)]
    num_target: Option<String>,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct TreeFile {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<i64>,
    split_conditions: Vec<f64>,
    default_left: Vec<Flag>,
    sum_hessian: Vec<f64>,
    #[serde(default)]
    split_type: Vec<i64>,
}

/// JSON files hold 0 and 1; some versions write booleans.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Number(i64),
    Bool(bool),
}

/// Reads JSON (`{"learner"…`) or UBJSON.
pub(crate) fn read(bytes: &[u8]) -> Result<TreeEnsemble, Error> {
    let malformed = |e: serde_json::Error| Error::Malformed(e.to_string());
    // Both formats begin with an opening brace; in JSON white space or a quote follows.
    let is_json = bytes.get(1).is_some_and(|b| b"\" \t\r\n".contains(b));
    let file: ModelFile = if is_json {
        serde_json::from_slice(bytes).map_err(malformed)?
    } else {
        serde_json::from_value(ubjson::parse(bytes)?).map_err(malformed)?
    };
    let learner = file.learner;
    let booster = learner.gradient_booster;
    if booster.name != "gbtree" {
        return Err(Error::Unsupported(format!("the booster `{}`", booster.name)));
    }
    let Some(model) = booster.model else {
        return Err(Error::Malformed("the model has no trees section".into()));
    };
    let several = learner.learner_model_param.num_target.as_deref().is_some_and(|n| n != "1" && n != "0");
    if several || model.tree_info.iter().any(|group| *group != 0) {
        return Err(Error::Unsupported("several outputs".into()));
    }
    let num_features = learner.learner_model_param.num_feature.parse();
    let num_features: usize = num_features.map_err(|_| Error::Malformed("num_feature is not a number".into()))?;
    let base_margin = base_margin(&learner.learner_model_param.base_score, &learner.objective.name)?;
    let trees = model.trees.into_iter().map(tree).collect::<Result<Vec<_>, _>>()?;
    let mut ensemble = TreeEnsemble::new(trees, base_margin, num_features)?;
    if !learner.feature_names.is_empty() && learner.feature_names.len() != num_features {
        return Err(Error::Malformed("the number of feature names differs from num_feature".into()));
    }
    ensemble.feature_names = learner.feature_names;
    Ok(ensemble)
}

/// The base score as a margin. Versions before 3 write `5E-1`, version 3 writes a vector, `[5E-1]`.
fn base_margin(text: &str, objective: &str) -> Result<f64, Error> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    if inner.contains(',') {
        return Err(Error::Unsupported("several base scores".into()));
    }
    let score: f32 = inner.trim().parse().map_err(|_| Error::Malformed(format!("base_score `{text}` is not a number")))?;
    let score = f64::from(score);
    let margin = match objective {
        "binary:logistic" | "reg:logistic" => (score / (1.0 - score)).ln(),
        "binary:logitraw" | "reg:squarederror" => score,
        other => return Err(Error::Unsupported(format!("the objective `{other}`"))),
    };
    if margin.is_finite() { Ok(margin) } else { Err(Error::Malformed(format!("base_score `{text}` is out of range"))) }
}

fn tree(file: TreeFile) -> Result<Tree, Error> {
    let n = file.left_children.len();
    let lengths = [file.right_children.len(), file.split_indices.len(), file.split_conditions.len(), file.default_left.len()];
    if lengths.iter().any(|len| *len != n) || file.sum_hessian.len() != n {
        return Err(Error::Malformed("the arrays of a tree differ in length".into()));
    }
    if file.split_type.iter().any(|kind| *kind != 0) {
        return Err(Error::Unsupported("categorical splits".into()));
    }
    let index = |x: i64| usize::try_from(x).map_err(|_| Error::Malformed("a tree has a negative index".into()));
    let mut nodes = Vec::with_capacity(n);
    for at in 0..n {
        nodes.push(if file.left_children[at] == -1 {
            Node::Leaf { value: file.split_conditions[at] }
        } else {
            Node::Split {
                feature: index(file.split_indices[at])?,
                threshold: file.split_conditions[at] as f32,
                left: index(file.left_children[at])?,
                right: index(file.right_children[at])?,
                default_left: match file.default_left[at] {
                    Flag::Number(x) => x != 0,
                    Flag::Bool(x) => x,
                },
            }
        });
    }
    Tree::new(nodes, file.sum_hessian)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Explainer;

    const JSON: &[u8] = include_bytes!("../tests/data/small.json");
    const UBJ: &[u8] = include_bytes!("../tests/data/small.ubj");

    /// What Python's xgboost 3.4.1 gave for the model in `tests/data`.
    #[derive(Deserialize)]
    struct Expected {
        rows: Vec<Vec<Option<f32>>>,
        margins: Vec<f64>,
        contributions: Vec<Vec<f64>>,
    }

    #[test]
    fn agrees_with_xgboost_on_margins_and_contributions() {
        let expected: Expected = serde_json::from_slice(include_bytes!("../tests/data/small.expected.json")).unwrap();
        for bytes in [JSON, UBJ] {
            let ensemble = TreeEnsemble::from_bytes(bytes).unwrap();
            assert_eq!(ensemble.feature_names(), ["f0", "f1", "f2", "f3", "f4", "f5"]);
            let rows: Vec<f32> = expected.rows.iter().flatten().map(|x| x.unwrap_or(f32::NAN)).collect();
            let explained = Explainer::new(&ensemble).explain(&rows, 6).unwrap();
            for (i, row) in rows.chunks(6).enumerate() {
                assert!((ensemble.margin(row) - expected.margins[i]).abs() < 1e-5);
                assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-12);
                let theirs = &expected.contributions[i];
                for (ours, theirs) in explained.row(i).iter().zip(theirs) {
                    assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
                }
                assert!((explained.base_value() - theirs[6]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn refuses_damaged_and_foreign_models_by_name() {
        let text = std::str::from_utf8(JSON).unwrap();
        let fails = |from: &str, to: &str| TreeEnsemble::from_bytes(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(fails("\"name\":\"gbtree\"", "\"name\":\"dart\"").contains("dart"));
        assert!(fails("binary:logistic", "rank:ndcg").contains("rank:ndcg"));
        assert!(TreeEnsemble::from_bytes(b"").is_err());
        assert!(TreeEnsemble::from_bytes(b"PK\x03\x04").is_err());
        for cut in (0..UBJ.len()).step_by(7) {
            assert!(TreeEnsemble::from_bytes(&UBJ[..cut]).is_err());
        }
        for at in (0..UBJ.len()).step_by(3) {
            let mut damaged = UBJ.to_vec();
            damaged[at] ^= 0x55;
            let _ = TreeEnsemble::from_bytes(&damaged);
        }
    }
}
