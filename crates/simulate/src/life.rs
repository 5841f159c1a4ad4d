//! How a customer goes on, week after week: health, usage, tickets, the CSM's actions, seats, payments, and its end.

use crate::calendar::Calendar;
use crate::company::{Account, PLANS, Segment};
use crate::hazard::{ACTION_WEEKS, EFFECTS, State, when};
use crate::rng::{Purpose, Rng};

/// One week of a customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Week {
    /// Latent health.
    pub(crate) health: f32,
    /// Probability to leave within the week.
    pub(crate) hazard: f32,
    /// Raw usage a day, before scaling.
    pub(crate) usage: f32,
    /// People who use the product.
    pub(crate) users: u32,
}

/// The subscription from this day on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    pub(crate) day: i32,
    pub(crate) seats: u32,
    pub(crate) plan: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TouchKind {
    Qbr,
    Call,
    Training,
    Email,
}

impl TouchKind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Qbr => "QBR",
            Self::Call => "Call",
            Self::Training => "Training",
            Self::Email => "Email",
        }
    }

    fn effect(self) -> f64 {
        match self {
            Self::Qbr => EFFECTS.qbr,
            Self::Call => EFFECTS.call,
            Self::Training => EFFECTS.training,
            Self::Email => EFFECTS.email,
        }
    }
}

/// Something the CSM did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) day: i32,
    pub(crate) kind: TouchKind,
}

/// A support ticket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) day: i32,
    /// Days until it was solved.
    pub(crate) solved_after: i32,
    pub(crate) urgent: bool,
    /// The customer's answer, where there was one: satisfied or not.
    pub(crate) rating: Option<bool>,
}

/// An invoice of a billing period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invoice {
    pub(crate) day: i32,
    pub(crate) cents: i64,
    /// Days until it was paid; none: never.
    pub(crate) paid_after: Option<i32>,
}

/// Days until an invoice is due.
pub(crate) const DUE_DAYS: i32 = 14;

/// All that happens to a customer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    /// The week that `weeks` begins with, counted from the first simulated day.
    pub(crate) first_week: i32,
    pub(crate) weeks: Vec<Week>,
    /// The terms of the contract and their changes, the first at its beginning.
    pub(crate) terms: Vec<Terms>,
    pub(crate) touches: Vec<Touch>,
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) invoices: Vec<Invoice>,
    /// Days on which a champion left.
    pub(crate) champions_left: Vec<i32>,
    /// The last day of the contract, if it ended.
    pub(crate) churn: Option<i32>,
}

impl Life {
    pub(crate) fn week(&self, week: i32) -> Option<&Week> {
        usize::try_from(week - self.first_week).ok().and_then(|i| self.weeks.get(i))
    }

    /// The terms in force on a day.
    pub(crate) fn terms_on(&self, day: i32) -> Option<&Terms> {
        self.terms.iter().rev().find(|t| t.day <= day)
    }

    /// What was before the first simulated day is history that nobody extracted. It leaves its mark on who stayed.
    fn forget_what_was_before(&mut self) {
        let before = self.first_week.min(0).unsigned_abs() as usize;
        self.weeks.drain(..before.min(self.weeks.len()));
        self.first_week = self.first_week.max(0);
        self.invoices.retain(|i| i.day >= 0);
        self.touches.retain(|t| t.day >= 0);
        self.tickets.retain(|t| t.day >= 0);
        self.champions_left.retain(|d| *d >= 0);
    }

    pub(crate) fn is_customer(&self, account: &Account, day: i32) -> bool {
        account.since <= day && self.churn.is_none_or(|churn| day < churn)
    }
}

/// Lives an account's life until it leaves or the last day comes; none if it left before the first simulated day.
pub(crate) fn live(seed: u64, calendar: &Calendar, account: &Account, attempt: u64) -> Option<Life> {
    let mut rng = Rng::new(seed, Purpose::Life, account.index as u64, attempt);
    let mut life = Life {
        first_week: account.since.div_euclid(7),
        terms: vec![Terms { day: account.since, seats: account.seats, plan: account.plan }],
        ..Life::default()
    };
    if account.since >= calendar.days {
        return Some(life);
    }
    let mut payer = Payer::new(account);
    let mut mood = 0.8 * rng.normal();
    let mut demand = f64::from(account.seats).ln() - 0.1 * rng.uniform();
    let mut health_log: Vec<f64> = Vec::new();
    let last_week = (calendar.days - 1) / 7;
    for week in life.first_week..=last_week {
        let day = week * 7;
        mood = 0.93 * mood + 0.294 * rng.normal();
        let champion_leaves = rng.chance(0.004);
        if champion_leaves {
            life.champions_left.push(day + rng.between(0, 7) as i32);
            mood -= 0.3;
        }
        let health = account.fit + mood;
        health_log.push(health);
        let Some(terms) = life.terms.last().copied() else { break };
        let seats = f64::from(terms.seats);

        // Seats and demand are those of the first simulated day, or of the first of the contract: what led there isn't told.
        let moves = day >= 0;
        demand += when(moves, 0.0015 + 0.003 * account.fit + 0.02 * rng.normal());
        let used = (demand.exp() / seats * sigmoid(1.2 + 0.6 * health)).min(1.05);
        let busy = season(calendar.month_of_year(day));
        let usage = seats.powf(0.6) * (account.usage_bias + 0.55 * health + 0.2 * rng.normal()).exp() * busy;

        tickets_of_week(&mut rng, &mut life, day, seats, health);
        touches_of_week(&mut rng, &mut life, account, day, &health_log);
        payer.week(&mut rng, &mut life, calendar, account, day, health);

        let hazard = EFFECTS.weekly(&state(&life, calendar, account, &payer, day, &health_log, terms.seats));
        life.weeks.push(Week {
            health: health as f32,
            hazard: hazard as f32,
            usage: usage as f32,
            users: ((seats * used).round() as u32).max(1),
        });
        let leaves = rng.chance(hazard);
        let leaving_day = (day + rng.between(0, 7) as i32).max(account.since + 1);
        let change = seat_change(&mut rng, &terms, used, health);
        if leaves {
            if leaving_day <= 0 {
                return None;
            }
            // A longer simulation must not differ before this one's end, so what happens after it is not yet known.
            life.churn = Some(leaving_day).filter(|d| *d < calendar.days);
            break;
        }
        if let Some((seats, plan)) = change.filter(|_| moves) {
            let change_day = (day + rng.between(0, 7) as i32).max(account.since + 1);
            life.terms.push(Terms { day: change_day, seats, plan });
        }
    }
    if let Some(churn) = life.churn {
        life.invoices.retain(|i| i.day < churn);
        life.touches.retain(|t| t.day < churn);
        life.tickets.retain(|t| t.day < churn);
        life.champions_left.retain(|d| *d < churn);
    }
    life.forget_what_was_before();
    Some(life)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Usage by month of the year: holidays show.
fn season(month: u32) -> f64 {
    match month {
        12 => 0.82,
        8 => 0.90,
        7 => 0.95,
        1 => 1.02,
        _ => 1.04,
    }
}

fn tickets_of_week(rng: &mut Rng, life: &mut Life, day: i32, seats: f64, health: f64) {
    for _ in 0..rng.poisson(0.045 * seats.powf(0.4) * (-0.35 * health).exp()) {
        let urgent = rng.chance(0.22);
        let solved_after = 1 + (rng.uniform().powi(2) * 9.0 * (-0.2 * health).exp()) as i32;
        let satisfied = rng.chance(sigmoid(1.7 + 0.9 * health - 0.05 * f64::from(solved_after)));
        let rating = rng.chance(0.35).then_some(satisfied);
        life.tickets.push(Ticket { day: day + rng.between(0, 7) as i32, solved_after, urgent, rating });
    }
}

/// CSMs plan some of what they do by segment, and do more where they see usage fall: so those who are called look worse
/// than those who aren't, although calls help. A method that doesn't adjust for it gets the sign wrong.
fn touches_of_week(rng: &mut Rng, life: &mut Life, account: &Account, day: i32, health: &[f64]) {
    let planned = match account.segment {
        Segment::Smb => 0.02,
        Segment::MidMarket => 0.06,
        Segment::Enterprise => 0.14,
    };
    let seen_fall = fall(health).max(0.0);
    if rng.chance((planned * (0.9 * seen_fall).exp()).min(0.5)) {
        let kind = *rng.pick(&[(TouchKind::Call, 0.45), (TouchKind::Email, 0.25), (TouchKind::Qbr, 0.18), (TouchKind::Training, 0.12)]);
        life.touches.push(Touch { day: day + rng.between(0, 5) as i32, kind });
    }
}

fn seat_change(rng: &mut Rng, terms: &Terms, used: f64, health: f64) -> Option<(u32, usize)> {
    let pressed = if used > 0.82 { 3.5 } else { 1.0 };
    let grows = rng.chance((0.003 * (0.45 * health).exp() * pressed).min(0.2));
    let shrinks = rng.chance((0.0012 * (-0.8 * health).exp()).min(0.1));
    let size = rng.uniform();
    let upgrade = rng.chance(0.12) && terms.plan + 1 < PLANS.len();
    if grows {
        let seats = (f64::from(terms.seats) * (1.1 + 0.4 * size)).ceil() as u32;
        let plan = if upgrade { terms.plan + 1 } else { terms.plan };
        return Some((seats, plan));
    }
    let fewer = ((f64::from(terms.seats) * (0.6 + 0.3 * size)) as u32).max(2);
    (shrinks && fewer < terms.seats).then_some((fewer, terms.plan))
}

/// Health eight weeks ago less health now.
fn fall(health: &[f64]) -> f64 {
    let now = health.last().copied().unwrap_or(0.0);
    let then = health.len().checked_sub(9).map_or(now, |i| health[i]);
    then - now
}

fn state(life: &Life, calendar: &Calendar, account: &Account, payer: &Payer, day: i32, health: &[f64], seats: u32) -> State {
    let recent = &health[health.len().saturating_sub(4)..];
    let action = life
        .touches
        .iter()
        .rev()
        .take_while(|t| t.day >= day - 7 * ACTION_WEEKS)
        .filter(|t| t.day < day)
        .map(|t| t.kind.effect())
        .fold(0.0, f64::min);
    State {
        health: recent.iter().sum::<f64>() / recent.len().max(1) as f64,
        fall: fall(health),
        urgent_tickets: life.tickets.iter().rev().take_while(|t| t.day >= day - 28).filter(|t| t.urgent && t.day < day).count() as u32,
        overdue: life
            .invoices
            .iter()
            .any(|i| i.day + DUE_DAYS < day && i.day > day - 90 && i.paid_after.is_none_or(|after| i.day + after >= day)),
        champion_left: life.champions_left.iter().any(|d| *d < day && *d >= day - 84),
        tenure_weeks: (day - account.since) / 7,
        seats,
        discount: account.discount,
        weeks_to_renewal: account.annual.then_some((payer.next - day) / 7),
        month: calendar.month_of_year(day),
        action,
    }
}

/// Writes an account's invoices at the beginning of each billing period.
struct Payer {
    periods: u32,
    months: u32,
    /// First day of the next billing period.
    next: i32,
}

impl Payer {
    fn new(account: &Account) -> Self {
        let months = if account.annual { 12 } else { 1 };
        Self { periods: 0, months, next: account.since }
    }

    fn advance(&mut self, calendar: &Calendar, account: &Account) {
        self.periods += 1;
        self.next = calendar.add_months(account.since, self.months * self.periods);
    }

    fn week(&mut self, rng: &mut Rng, life: &mut Life, calendar: &Calendar, account: &Account, day: i32, health: f64) {
        while self.next < day + 7 {
            let Some(terms) = life.terms.last() else { return };
            let cents = i64::from(terms.seats) * account.unit_cents(terms.plan) * i64::from(self.months);
            let late = rng.chance(sigmoid(-3.0 - 0.7 * health));
            let never = late && rng.chance(0.08);
            let paid_after = if late { rng.between(16, 60) } else { rng.between(0, 14) };
            life.invoices.push(Invoice { day: self.next, cents, paid_after: (!never).then_some(paid_after as i32) });
            self.advance(calendar, account);
        }
    }
}

/// First and last day of the billing period that a day falls into.
pub(crate) fn billing_period(calendar: &Calendar, account: &Account, day: i32) -> (i32, i32) {
    let months = if account.annual { 12 } else { 1 };
    // At most one step off: months are 28 to 31 days long.
    let mut period = ((day - account.since).max(0) / (31 * months as i32)) as u32;
    loop {
        let end = calendar.add_months(account.since, months * (period + 1));
        if end > day {
            return (calendar.add_months(account.since, months * period), end);
        }
        period += 1;
    }
}
