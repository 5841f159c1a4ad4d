//! Exact SHAP values of tree ensembles and linear models.
//!
//! The values are the path-dependent Shapley values of Lundberg et al. (2020): a feature that is unknown
//! follows both children of a split, weighted by the training cover. They are computed in `f64` and add
//! up: base value + contributions = margin.
//!
//! # How it works
//!
//! A leaf's contribution to a row depends only on *which of the `m` distinct features on its path the row
//! satisfies*. Let `o_k` be 1 if the row satisfies feature `k`'s splits on the path and `z_k` the product
//! of the cover fractions of these splits. The Shapley weights `s!(m-s-1)!/m!` are Beta integrals, so
//!
//! ```text
//! φ_j = Σ_leaves leaf · (o_j − z_j) · ∫₀¹ Π_{k≠j} (o_k·u + z_k·(1−u)) du
//! ```
//!
//! The integrand is a polynomial of degree `m − 1`: Gauss-Legendre quadrature with ⌈m/2⌉ points is exact,
//! and as every factor is positive nothing cancels.
//!
//! The leaves of a tree share most of their paths, so the sum is taken in one walk that visits each split
//! once. At each point `u` the walk carries down `P`, the product of the factors of the path above, and
//! brings up `S`, the sum over the leaves below of value × factors below. A split on a feature whose edges
//! further up have the share `z` (1 if there are none), at which the row goes left (`o = 1`) or right
//! (`o = 0`) and `z₁` of the cover goes left, then takes
//!
//! ```text
//! f   = u + z·(1−u)                      the factor that the feature has in P already
//! r   = z₁ + (o − z₁)·u/f                how the edge to the left changes it; 1 − r for the right
//! φ_j += (o − z₁) · Σ_u w·P · z/f² · (S_left − S_right)
//! S   = r·S_left + (1−r)·S_right
//! ```
//!
//! and for a row that has left the path at one of the feature's edges further up, `o − z₁` becomes 0. No
//! division is left to the walk, and none is by a cover, so covers of zero need no care: `u/f` and `z/f²` are
//! constants of the split. (The contributions of splits that repeat a feature telescope along each path to
//! the term of the leaf above, at each `u` by itself: that is why the sum is exact although `1/f²` is no polynomial.)
//!
//! The walk is done for 64 rows at a time in vector lanes ([`Explainer`]), all in `f64`: additivity holds to
//! about 1e-15, and every instruction set and number of threads gives the same bits. A tree of any depth is done
//! this way; more points than fit one pass are done in several. Time grows with splits × points. (Tables of the
//! `2^m × m` contributions of each leaf, the first plan, ran at a fifth of the speed in a trial at depth 6, and need gigabytes at
//! depth 10.)
//!
//! This crate depends on nothing else of the project.
//!
//! ```
//! use cscopilot_shap::{Explainer, TreeEnsemble};
//! # let model = br#"{"learner":{"feature_names":[],"gradient_booster":{"name":"gbtree","model":{"trees":[
//! # {"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[0.5,-1.0,2.0],
//! #  "default_left":[1,0,0],"sum_hessian":[4.0,3.0,1.0],"split_type":[0,0,0],"categories":[]}],"tree_info":[0]}},
//! # "learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"1","num_target":"1"},
//! # "objective":{"name":"binary:logistic"}},"version":[3,4,1]}"#;
//! let ensemble = TreeEnsemble::from_bytes(model)?;
//! let explainer = Explainer::new(&ensemble);
//! let explained = explainer.explain(&[0.9, 0.1], 1)?; // two rows of one feature
//! assert!((explained.margin(0) - ensemble.margin(&[0.9])).abs() < 1e-12);
//! # Ok::<(), cscopilot_shap::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(test)]
mod by_leaf;
mod categories;
mod change;
mod ensemble;
mod error;
mod explain;
mod explanations;
mod kernels;
mod lanes;
mod linear;
mod margins;
mod program;
mod quadrature;
#[cfg(test)]
mod reference;
mod ubjson;
mod xgboost;

pub use categories::Categories;
pub use change::Changes;
pub use ensemble::{Node, Tree, TreeEnsemble};
pub use error::Error;
pub use explain::Explainer;
pub use explanations::Explanations;
pub use linear::LinearModel;
pub use margins::Predictor;
