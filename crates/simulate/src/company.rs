//! The company: its customers as they are on the first day of their contract, and how the vendors know them.

use rayon::prelude::*;

use crate::calendar::Calendar;
use crate::life::{self, Life};
use crate::rng::{Purpose, Rng};
use crate::{Config, ids, names};

/// Customers that join in a month, as a share of those of the first day; about as many leave.
const JOIN_RATE: f64 = 0.014;

/// Days that the company has had customers for, before the first simulated one; it gained as many in each year.
const OLDEST_DAYS: i64 = 3_652;

/// Days from the first talk to the contract.
pub(crate) const SALES_DAYS: i32 = 45;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    Smb,
    MidMarket,
    Enterprise,
}

impl Segment {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Smb => "SMB",
            Self::MidMarket => "Mid-Market",
            Self::Enterprise => "Enterprise",
        }
    }
}

/// A plan of the price list: name and list price of a seat and month, in cents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) cents: i64,
}

pub(crate) const PLANS: [Plan; 3] =
    [Plan { name: "team", cents: 2_900 }, Plan { name: "business", cents: 4_900 }, Plan { name: "enterprise", cents: 7_900 }];

/// How Stripe's customer can be led back to the CRM account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StripeKey {
    /// `metadata.salesforce_id`.
    Declared,
    /// Only by the domain of the e-mail address.
    EmailDomain,
    /// A free-mail address: not at all.
    FreeMail,
    /// An address of a domain that the CRM doesn't know: not at all.
    OtherDomain,
}

/// How Zendesk's organization can be led back to the CRM account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZendeskKey {
    /// `external_id`.
    ExternalId,
    /// `domain_names`.
    Domain,
    /// Only a name that isn't quite the same: not at all.
    NameOnly,
}

/// How Mixpanel's company can be led back to the CRM account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MixpanelKey {
    /// The record id.
    AccountId,
    /// The domain.
    Domain,
    /// A domain that the CRM doesn't know: not at all.
    OtherDomain,
}

/// One customer.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) index: usize,
    pub(crate) crm_id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) segment: Segment,
    pub(crate) industry: &'static str,
    pub(crate) country: &'static str,
    pub(crate) employees: u32,
    /// Seats and plan on the first day of the contract, or on the first simulated day if that is later.
    pub(crate) seats: u32,
    pub(crate) plan: usize,
    pub(crate) discount: f64,
    pub(crate) annual: bool,
    /// First day of the contract, often long before the first simulated day.
    pub(crate) since: i32,
    pub(crate) csm: usize,
    /// How well the product fits: the lasting part of health.
    pub(crate) fit: f64,
    /// Some companies just use more, which says nothing about health.
    pub(crate) usage_bias: f64,
    pub(crate) stripe_key: StripeKey,
    pub(crate) zendesk_key: ZendeskKey,
    pub(crate) mixpanel_key: MixpanelKey,
}

impl Account {
    pub(crate) fn unit_cents(&self, plan: usize) -> i64 {
        (PLANS[plan].cents as f64 * (1.0 - self.discount)).round() as i64
    }
}

/// A customer success manager.
#[derive(Debug, Clone)]
pub(crate) struct Csm {
    pub(crate) crm_id: String,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// Everything that the extracts are written from.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) seed: u64,
    pub(crate) calendar: Calendar,
    pub(crate) accounts: Vec<Account>,
    pub(crate) lives: Vec<Life>,
    pub(crate) csms: Vec<Csm>,
    /// Companies that never bought: in the CRM only.
    pub(crate) prospects: usize,
    /// CRM accounts that were entered twice: the number of the account each one repeats.
    pub(crate) doubles: Vec<usize>,
    /// Organizations and usage of companies that the CRM has never heard of.
    pub(crate) strangers: usize,
    /// Usage events per unit of raw usage.
    pub(crate) usage_scale: f64,
}

impl Company {
    pub(crate) fn new(config: &Config) -> Self {
        let calendar = Calendar::new(config.as_of, config.months);
        // Who joins soon after the last day is in the CRM already.
        let joining_days = f64::from(calendar.days + SALES_DAYS);
        let joiners = (JOIN_RATE / 30.4 * joining_days * config.accounts as f64).ceil() as usize;
        let csm_count = (config.accounts / 90).max(4);
        let (accounts, lives): (Vec<Account>, Vec<Life>) =
            (0..config.accounts + joiners).into_par_iter().map(|index| customer(config, &calendar, csm_count, index)).unzip();
        let usage_scale = usage_scale(config, &calendar, &lives);
        let csms = (0..csm_count)
            .map(|i| {
                let mut rng = Rng::new(config.seed, Purpose::Detail, 0xC5, i as u64);
                let (first, last) = names::person(&mut rng);
                Csm {
                    crm_id: ids::salesforce("005", 1_000 + i as u64),
                    name: format!("{first} {last}"),
                    email: format!("{first}.{last}{i}@vendor.example").to_lowercase(),
                }
            })
            .collect();
        Self {
            seed: config.seed,
            calendar,
            lives,
            csms,
            prospects: config.accounts / 12,
            doubles: (0..config.accounts).filter(|i| i % 200 == 77).collect(),
            strangers: (config.accounts / 100).max(2),
            usage_scale,
            accounts,
        }
    }

    pub(crate) fn customers(&self) -> impl Iterator<Item = (&Account, &Life)> {
        self.accounts.iter().zip(&self.lives)
    }
}

/// Scales raw usage so that an average day has as many events as were asked for. Only the first twelve weeks count, so
/// that a company simulated for longer has the same past.
fn usage_scale(config: &Config, calendar: &Calendar, lives: &[Life]) -> f64 {
    let weeks = ((calendar.days + 6) / 7).clamp(1, 12);
    let raw: f64 = (0..weeks).map(|week| lives.iter().map(|life| life.week(week).map_or(0.0, |w| f64::from(w.usage))).sum::<f64>()).sum();
    if raw > 0.0 { config.daily_events() as f64 * f64::from(weeks) / raw } else { 0.0 }
}

/// A customer and its life. Whoever is one on the first day has stayed since its contract began, as a company's customers have: others that
/// began with it left. So accounts are drawn and lived until one stays. Without this, health and survival would rise over the first years, as
/// those leave that no earlier year has sifted.
fn customer(config: &Config, calendar: &Calendar, csm_count: usize, index: usize) -> (Account, Life) {
    let mut attempt = 0;
    loop {
        let account = account(config, csm_count, index, attempt);
        match life::live(config.seed, calendar, &account, attempt) {
            Some(life) => return (account, life),
            None => attempt += 1,
        }
    }
}

fn account(config: &Config, csm_count: usize, index: usize, attempt: u64) -> Account {
    let mut rng = Rng::new(config.seed, Purpose::Account, index as u64, attempt);
    let (name, domain) = names::company(3 * index);
    let seats = (2.75 + 1.15 * rng.normal()).exp().clamp(3.0, 2_500.0) as u32;
    let segment = match seats {
        0..25 => Segment::Smb,
        25..150 => Segment::MidMarket,
        _ => Segment::Enterprise,
    };
    let plan = *rng.pick(match segment {
        Segment::Smb => &[(0, 0.65), (1, 0.35), (2, 0.0)],
        Segment::MidMarket => &[(0, 0.25), (1, 0.60), (2, 0.15)],
        Segment::Enterprise => &[(0, 0.0), (1, 0.40), (2, 0.60)],
    });
    let annual = rng.chance(match segment {
        Segment::Smb => 0.25,
        Segment::MidMarket => 0.55,
        Segment::Enterprise => 0.90,
    });
    let since = if index < config.accounts {
        -(1 + rng.between(0, OLDEST_DAYS) as i32)
    } else {
        let per_day = JOIN_RATE / 30.4 * config.accounts as f64;
        ((index - config.accounts) as f64 / per_day) as i32
    };
    Account {
        index,
        crm_id: ids::salesforce("001", 1_000_000 + index as u64),
        name,
        domain,
        segment,
        industry: rng.pick::<&str>(&INDUSTRIES),
        country: rng.pick::<&str>(&COUNTRIES),
        employees: (f64::from(seats) * (3.0 + 9.0 * rng.uniform())) as u32,
        seats,
        plan,
        discount: *rng.pick(&[(0.0, 0.5), (0.1, 0.25), (0.2, 0.15), (0.3, 0.10)]),
        annual,
        since,
        csm: rng.between(0, csm_count as i64) as usize,
        fit: 0.75 * rng.normal(),
        usage_bias: 0.35 * rng.normal(),
        stripe_key: *rng.pick(&[
            (StripeKey::Declared, 0.85),
            (StripeKey::EmailDomain, 0.135),
            (StripeKey::FreeMail, 0.010),
            (StripeKey::OtherDomain, 0.005),
        ]),
        zendesk_key: *rng.pick(&[(ZendeskKey::ExternalId, 0.70), (ZendeskKey::Domain, 0.28), (ZendeskKey::NameOnly, 0.02)]),
        mixpanel_key: *rng.pick(&[(MixpanelKey::AccountId, 0.60), (MixpanelKey::Domain, 0.38), (MixpanelKey::OtherDomain, 0.02)]),
    }
}

const INDUSTRIES: [(&str, f64); 8] = [
    ("Technology", 0.22),
    ("Financial Services", 0.14),
    ("Healthcare", 0.13),
    ("Retail", 0.13),
    ("Manufacturing", 0.12),
    ("Education", 0.10),
    ("Media", 0.08),
    ("Transportation", 0.08),
];

const COUNTRIES: [(&str, f64); 8] = [
    ("United States", 0.42),
    ("United Kingdom", 0.14),
    ("Germany", 0.12),
    ("France", 0.08),
    ("Canada", 0.08),
    ("Netherlands", 0.06),
    ("Australia", 0.06),
    ("Japan", 0.04),
];
