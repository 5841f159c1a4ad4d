//! The expected maximum profit of a campaign to keep customers.
//!
//! T. Verbraken, W. Verbeke and B. Baesens, "A novel profit maximizing metric for measuring classification performance of
//! customer churn prediction models", IEEE Transactions on Knowledge and Data Engineering 25 (2013) 961–973. Customers with
//! scores above a threshold are contacted and made an offer; a share γ of those who would leave accepts it and stays, and
//! everybody who would have stayed anyway takes it as well. γ isn't known and follows a beta distribution: the figure is the
//! profit per customer at the best threshold for each γ, averaged over γ. Only thresholds on the convex hull of the ROC
//! curve can be best, so the integral is a sum over the hull's corners of incomplete beta functions.

/// What a campaign costs and brings, per customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Campaign {
    /// Worth of a customer who stays.
    pub clv: f64,
    /// Cost of an accepted offer.
    pub incentive: f64,
    /// Cost of contacting.
    pub contact_cost: f64,
    /// First parameter of γ's distribution.
    pub alpha: f64,
    /// Second parameter of it.
    pub beta: f64,
}

/// The convex hull of a ROC curve, built from its points in falling order of score.
#[derive(Debug, Clone, Default)]
pub struct Hull {
    /// Corners after the origin, as rows without and with the event so far.
    corners: Vec<(f64, f64)>,
}

impl Hull {
    /// Takes the next point in: how many rows without and with the event have a score at least so high.
    pub fn push(&mut self, negatives: f64, positives: f64) {
        while let Some(&(x, y)) = self.corners.last() {
            let (x0, y0) = if self.corners.len() > 1 { self.corners[self.corners.len() - 2] } else { (0.0, 0.0) };
            // A corner below or on the line from its predecessor to the new point is none.
            if (y - y0) * (negatives - x0) > (positives - y0) * (x - x0) {
                break;
            }
            self.corners.pop();
        }
        self.corners.push((negatives, positives));
    }

    /// The expected maximum profit per row in money, and the share of the rows that is contacted.
    pub fn expected_profit(&self, campaign: Campaign) -> (f64, f64) {
        let Campaign { clv, incentive, contact_cost, alpha, beta } = campaign;
        let Some(&(negatives, positives)) = self.corners.last() else { return (0.0, 0.0) };
        let total = negatives + positives;
        let (delta, phi) = (incentive / clv, contact_cost / clv);
        let mean = alpha / (alpha + beta);
        // From which γ on it pays to go from one corner to the next.
        let pays_from = |(x0, y0): (f64, f64), (x, y): (f64, f64)| {
            let gamma = ((delta + phi) * (x - x0) / (y - y0) + phi) / (1.0 - delta);
            if gamma.is_nan() { 1.0 } else { gamma.clamp(0.0, 1.0) }
        };
        let (mut profit, mut contacted) = (0.0, 0.0);
        let mut next_from = self.corners.first().map_or(1.0, |first| pays_from((0.0, 0.0), *first));
        for (at, &corner) in self.corners.iter().enumerate() {
            let from = next_from;
            next_from = self.corners.get(at + 1).map_or(1.0, |next| pays_from(corner, *next));
            if next_from <= from {
                continue;
            }
            let (x, y) = (corner.0 / total, corner.1 / total);
            let weight = incomplete_beta(alpha, beta, next_from) - incomplete_beta(alpha, beta, from);
            let gammas = mean * (incomplete_beta(alpha + 1.0, beta, next_from) - incomplete_beta(alpha + 1.0, beta, from));
            profit += y * ((1.0 - delta) * gammas - phi * weight) - x * (delta + phi) * weight;
            contacted += weight * (x + y);
        }
        (clv * profit, contacted)
    }
}

/// The regularised incomplete beta function `I_x(a, b)`, by its continued fraction (DLMF 8.17.22, modified Lentz).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean; above it the mirrored one does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    let not_zero = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0f64).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

/// The logarithm of the gamma function for positive arguments (Lanczos, g = 7, nine terms; error below 1e-13).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Reflection.
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let t = x + 7.5;
    let sum: f64 = TERMS[0] + TERMS.iter().enumerate().skip(1).map(|(k, c)| c / (x + k as f64)).sum::<f64>();
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Campaign = Campaign { clv: 200.0, incentive: 10.0, contact_cost: 1.0, alpha: 6.0, beta: 14.0 };

    fn hull(scored: &[(f64, bool)]) -> Hull {
        let mut rows = scored.to_vec();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut hull, mut negatives, mut positives) = (Hull::default(), 0.0, 0.0);
        for tie in rows.chunk_by(|a, b| a.0 == b.0) {
            positives += tie.iter().filter(|r| r.1).count() as f64;
            negatives += tie.iter().filter(|r| !r.1).count() as f64;
            hull.push(negatives, positives);
        }
        hull
    }

    fn sample(turned: bool) -> Vec<(f64, bool)> {
        let score = |i: i32| (f64::from((i * 7919) % 101) / 101.0 * 10.0).round() / 10.0;
        (0..60).map(|i| (if turned { 1.0 - score(i) } else { score(i) }, f64::from((i * 31) % 17) < 1.0 + 9.0 * score(i))).collect()
    }

    #[test]
    fn agrees_with_empulse() {
        // empulse 0.13.1 `empc_score`; the shares by numerical integration over 400,000 values of γ.
        let (profit, share) = hull(&sample(false)).expected_profit(USUAL);
        assert!((profit - 14.275_566_050_565_827).abs() < 1e-9, "{profit}");
        assert!((share - 0.726_329_6).abs() < 1e-5, "{share}");
        let other = Campaign { clv: 500.0, incentive: 20.0, contact_cost: 5.0, alpha: 2.0, beta: 3.0 };
        let (profit, share) = hull(&sample(false)).expected_profit(other);
        assert!((profit - 52.535_968_258_982_11).abs() < 1e-9 && (share - 0.710_271_8).abs() < 1e-5, "{profit} {share}");
        let (profit, _) = hull(&sample(true)).expected_profit(USUAL);
        assert!((profit - 12.469_456_395_325_889).abs() < 1e-9, "{profit}");
        let scores = [0.9, 0.8, 0.8, 0.6, 0.4, 0.4, 0.2, 0.1];
        let events = [true, false, true, true, false, true, false, false];
        let rows: Vec<(f64, bool)> = scores.into_iter().zip(events).collect();
        assert!((hull(&rows).expected_profit(USUAL).0 - 25.250_205_022_608_5).abs() < 1e-9);
    }

    #[test]
    fn nobody_is_contacted_where_it_cannot_pay() {
        let dear = Campaign { clv: 10.0, incentive: 9.0, contact_cost: 9.0, ..USUAL };
        assert_eq!(hull(&sample(false)).expected_profit(dear), (0.0, 0.0));
        assert_eq!(Hull::default().expected_profit(USUAL), (0.0, 0.0));
    }

    #[test]
    fn the_incomplete_beta_function_agrees_with_scipy() {
        let references = [
            (6.0, 14.0, 0.3, 0.526_137_475_726_485_5),
            (7.0, 14.0, 0.3, 0.391_990_187_799_075_6),
            (0.5, 0.5, 0.1, 0.204_832_764_699_133_45),
            (2.0, 3.0, 0.9, 0.9963),
            (6.0, 14.0, 0.01, 2.426_238_354_667_946e-8),
            (60.0, 140.0, 0.35, 0.935_652_117_496_31),
        ];
        for (a, b, x, expected) in references {
            assert!((incomplete_beta(a, b, x) - expected).abs() < 1e-12 * expected.max(1e-3), "{a} {b} {x}");
        }
    }
}
