//! Reading XGBoost's model files (format of versions 2 and 3).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::categories::Categories;
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
    /// 1 for categorical splits; versions before 1.3 have none and leave it out, as well as what follows.
    #[serde(default)]
    split_type: Vec<i64>,
    /// The nodes of categorical splits,
    #[serde(default)]
    categories_nodes: Vec<i64>,
    /// where the categories of each begin in `categories`,
    #[serde(default)]
    categories_segments: Vec<i64>,
    /// and how many there are.
    #[serde(default)]
    categories_sizes: Vec<i64>,
    #[serde(default)]
    categories: Vec<i64>,
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
        "binary:logitraw" | "reg:squarederror" | "reg:squaredlogerror" | "reg:pseudohubererror" | "reg:absoluteerror" => score,
        "survival:aft" | "survival:cox" | "count:poisson" | "reg:gamma" | "reg:tweedie" => score.ln(),
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
    if !file.split_type.is_empty() && file.split_type.len() != n {
        return Err(Error::Malformed("the arrays of a tree differ in length".into()));
    }
    let mut sets = categories(&file)?;
    let index = |x: i64| usize::try_from(x).map_err(|_| Error::Malformed("a tree has a negative index".into()));
    let mut nodes = Vec::with_capacity(n);
    for at in 0..n {
        if file.left_children[at] == -1 {
            nodes.push(Node::Leaf { value: file.split_conditions[at] });
            continue;
        }
        let (feature, left, right) = (index(file.split_indices[at])?, index(file.left_children[at])?, index(file.right_children[at])?);
        let default_left = match file.default_left[at] {
            Flag::Number(x) => x != 0,
            Flag::Bool(x) => x,
        };
        nodes.push(match file.split_type.get(at) {
            None | Some(0) => Node::Split { feature, threshold: file.split_conditions[at] as f32, left, right, default_left },
            Some(1) => {
                let Some(to_right) = sets.remove(&at) else {
                    return Err(Error::Malformed("a categorical split has no categories".into()));
                };
                Node::Categorical { feature, to_right, left, right, default_left }
            }
            Some(other) => return Err(Error::Unsupported(format!("splits of type {other}"))),
        });
    }
    Tree::new(nodes, file.sum_hessian)
}

/// The categories of each categorical split, by node.
fn categories(file: &TreeFile) -> Result<BTreeMap<usize, Categories>, Error> {
    let bad = || Error::Malformed("the categories of a tree are out of order".into());
    if file.categories_segments.len() != file.categories_nodes.len() || file.categories_sizes.len() != file.categories_nodes.len() {
        return Err(bad());
    }
    let mut sets = BTreeMap::new();
    for ((node, begin), size) in file.categories_nodes.iter().zip(&file.categories_segments).zip(&file.categories_sizes) {
        let number = |x: i64| usize::try_from(x).map_err(|_| bad());
        let (node, begin, size) = (number(*node)?, number(*begin)?, number(*size)?);
        let chosen = begin.checked_add(size).and_then(|end| file.categories.get(begin..end)).ok_or_else(bad)?;
        let chosen = chosen.iter().map(|category| u32::try_from(*category)).collect::<Result<Vec<u32>, _>>().map_err(|_| bad())?;
        sets.insert(node, Categories::new(chosen)?);
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Explainer;

    const JSON: &[u8] = include_bytes!("../tests/data/small.json");
    const UBJ: &[u8] = include_bytes!("../tests/data/small.ubj");
    const CATEGORICAL: &[u8] = include_bytes!("../tests/data/categorical.ubj");

    /// What Python's xgboost 3.4.1 gave for the model in `tests/data`.
    #[derive(Deserialize)]
    struct Expected {
        rows: Vec<Vec<Option<f32>>>,
        margins: Vec<f64>,
        contributions: Vec<Vec<f64>>,
    }

    fn agree(bytes: &[u8], expected: &[u8]) -> TreeEnsemble {
        let expected: Expected = serde_json::from_slice(expected).unwrap();
        let ensemble = TreeEnsemble::from_bytes(bytes).unwrap();
        let width = ensemble.num_features();
        let rows: Vec<f32> = expected.rows.iter().flatten().map(|x| x.unwrap_or(f32::NAN)).collect();
        let explained = Explainer::new(&ensemble).explain(&rows, width).unwrap();
        for (i, row) in rows.chunks(width).enumerate() {
            assert!((ensemble.margin(row) - expected.margins[i]).abs() < 1e-5);
            assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-12);
            let theirs = &expected.contributions[i];
            for (ours, theirs) in explained.row(i).iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
            }
            assert!((explained.base_value() - theirs[width]).abs() < 1e-5);
        }
        ensemble
    }

    #[test]
    fn agrees_with_xgboost_on_margins_and_contributions() {
        for bytes in [JSON, UBJ] {
            let ensemble = agree(bytes, include_bytes!("../tests/data/small.expected.json"));
            assert_eq!(ensemble.feature_names(), ["f0", "f1", "f2", "f3", "f4", "f5"]);
        }
    }

    #[test]
    fn agrees_with_xgboost_on_categorical_splits() {
        // Categories of one feature are split one against the rest, those of the other into sets; the rows have unknown ones too.
        agree(CATEGORICAL, include_bytes!("../tests/data/categorical.expected.json"));
    }

    #[test]
    fn puts_the_base_score_through_the_link_of_the_objective() {
        // What Python's xgboost 3.4.1 predicts for models without trees.
        for (objective, margin) in [
            ("binary:logistic", -1.3862943611198906),
            ("reg:squarederror", 0.2),
            ("binary:logitraw", 0.2),
            ("survival:aft", -1.6094379124341003),
            ("count:poisson", -1.6094379124341003),
        ] {
            assert!((base_margin("[2E-1]", objective).unwrap() - margin).abs() < 1e-7, "{objective}");
        }
        assert!(base_margin("[0E0]", "survival:aft").is_err());
        assert!(base_margin("[2E-1,3E-1]", "binary:logistic").is_err());
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
        for whole in [UBJ, CATEGORICAL] {
            for at in (0..whole.len()).step_by(11) {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 0x55;
                if let Ok(ensemble) = TreeEnsemble::from_bytes(&damaged) {
                    let row = vec![1.0; ensemble.num_features().min(1000)];
                    let _ = Explainer::new(&ensemble).explain(&row, row.len());
                }
            }
        }
    }
}
