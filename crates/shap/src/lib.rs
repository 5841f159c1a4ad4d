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
//! φ_j = leaf · (o_j − z_j) · ∫₀¹ Π_{k≠j} (o_k·u + z_k·(1−u)) du
//! ```
//!
//! The integrand is a polynomial of degree `m − 1`: Gauss-Legendre quadrature with ⌈m/2⌉ nodes is exact,
//! and as every term is positive nothing cancels. For short paths the `2^m × m` values are tabulated once
//! per leaf; explaining a row is then comparisons, one look-up per leaf and additions. Longer paths are
//! integrated per row.
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

mod ensemble;
mod error;
mod explain;
mod leaf;
mod linear;
mod quadrature;
#[cfg(test)]
mod reference;
mod ubjson;
mod xgboost;

pub use ensemble::{Node, Tree, TreeEnsemble};
pub use error::Error;
pub use explain::{Explainer, Explanations};
pub use linear::LinearModel;
