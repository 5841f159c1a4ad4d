//! Whether a judged model becomes champion: the gates, the comparison with the present champion, and what they look at.

pub mod champion;
mod drift;
mod gates;
mod stability;

pub use drift::{Drift, FeatureDrift, drift};
pub use gates::{Evidence, Gate, Verdict, judge};
pub use stability::{Stability, importance, stability};
