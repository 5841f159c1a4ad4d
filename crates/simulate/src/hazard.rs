//! The law that churn follows. It is known here and written to `truth/`, so estimates can be compared with it.
//!
//! Each week a customer's hazard is a base rate times the exponential of a sum of effects. Health can't be seen in any
//! extract: usage, tickets, late payments and CSAT only hint at it, which is what makes the task like the real one.

use serde::Serialize;

/// Sizes of the effects on the logarithm of the weekly hazard of churn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effects {
    /// Weekly hazard where all effects are zero.
    pub base_weekly: f64,
    /// Per unit of latent health (mean of the last four weeks; one unit is about one standard deviation).
    pub health: f64,
    /// Per unit of fall of health over eight weeks.
    pub falling: f64,
    /// Per urgent or high ticket of the last four weeks, three at most.
    pub urgent_ticket: f64,
    /// An invoice is overdue.
    pub overdue: f64,
    /// The champion left within twelve weeks.
    pub champion_left: f64,
    /// Younger than 26 weeks.
    pub young: f64,
    /// Older than 104 weeks.
    pub old: f64,
    /// Small accounts, up to 24 seats.
    pub small: f64,
    /// Large accounts, from 150 seats.
    pub large: f64,
    /// Per unit of discount (0.2 is 20 %): those who pay less stay.
    pub discount: f64,
    /// Annual contract, in the four weeks up to its renewal.
    pub renewal_near: f64,
    /// Annual contract, at other times.
    pub renewal_far: f64,
    /// January and July, when budgets are made.
    pub budget_month: f64,
    /// A quarterly business review within eight weeks: the causal effect of the CSM's action.
    pub qbr: f64,
    /// A call within eight weeks (the strongest action counts).
    pub call: f64,
    /// A training within eight weeks.
    pub training: f64,
    /// An e-mail within eight weeks: none, so that a method that finds one is wrong.
    pub email: f64,
}

/// The effects in force.
pub const EFFECTS: Effects = Effects {
    base_weekly: 0.0028,
    health: -1.15,
    falling: 0.35,
    urgent_ticket: 0.22,
    overdue: 0.55,
    champion_left: 0.80,
    young: 0.30,
    old: -0.30,
    small: 0.20,
    large: -0.40,
    discount: -1.2,
    renewal_near: 1.7,
    renewal_far: -1.2,
    budget_month: 0.15,
    qbr: -0.70,
    call: -0.45,
    training: -0.30,
    email: 0.0,
};

/// How many weeks a CSM's action works.
pub const ACTION_WEEKS: i32 = 8;

/// What the hazard of one week depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    /// Mean latent health of the last four weeks.
    pub health: f64,
    /// Health eight weeks ago less health now, if positive.
    pub fall: f64,
    /// Urgent and high tickets of the last four weeks.
    pub urgent_tickets: u32,
    /// An invoice is overdue.
    pub overdue: bool,
    /// The champion left within twelve weeks.
    pub champion_left: bool,
    /// Weeks since the contract began.
    pub tenure_weeks: i32,
    /// Seats paid for.
    pub seats: u32,
    /// Discount on the list price, 0 to 1.
    pub discount: f64,
    /// Weeks to the renewal of an annual contract; none for monthly ones.
    pub weeks_to_renewal: Option<i32>,
    /// Month of the year, 1 to 12.
    pub month: u32,
    /// The strongest effect among the CSM's recent actions.
    pub action: f64,
}

impl Effects {
    /// The probability to leave within the week.
    #[must_use]
    pub fn weekly(&self, s: &State) -> f64 {
        let mut log = self.health * s.health + self.falling * s.fall.max(0.0);
        log += self.urgent_ticket * f64::from(s.urgent_tickets.min(3));
        log += when(s.overdue, self.overdue) + when(s.champion_left, self.champion_left);
        log += when(s.tenure_weeks < 26, self.young) + when(s.tenure_weeks > 104, self.old);
        log += when(s.seats < 25, self.small) + when(s.seats >= 150, self.large);
        log += self.discount * s.discount;
        log += match s.weeks_to_renewal {
            Some(weeks) if weeks < 4 => self.renewal_near,
            Some(_) => self.renewal_far,
            None => 0.0,
        };
        log += when(s.month == 1 || s.month == 7, self.budget_month) + s.action;
        (self.base_weekly * log.exp()).min(0.5)
    }
}

pub(crate) fn when(condition: bool, effect: f64) -> f64 {
    if condition { effect } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_review_halves_the_hazard_whatever_else_holds() {
        let before = State { health: -1.0, urgent_tickets: 2, ..State::default() };
        let after = State { action: EFFECTS.qbr, ..before };
        let ratio = EFFECTS.weekly(&after) / EFFECTS.weekly(&before);
        assert!((ratio - EFFECTS.qbr.exp()).abs() < 1e-9);
    }

    #[test]
    fn the_hazard_is_never_above_one_half() {
        let worst = State { health: -9.0, fall: 9.0, overdue: true, ..State::default() };
        assert!(EFFECTS.weekly(&worst) <= 0.5);
    }
}
