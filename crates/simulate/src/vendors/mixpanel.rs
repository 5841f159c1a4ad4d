//! Mixpanel's raw export: one line per event, written by hand because there are twenty million of them.
//!
//! `mp_processing_time_ms` stands only on the lines that came late; that keeps the demo's files a fifth smaller.

use std::fmt::Write as _;

use rand::RngCore;

use crate::Error;
use crate::calendar::Month;
use crate::company::{Account, Company, MixpanelKey};
use crate::life::Week;
use crate::names;
use crate::output::{Lines, Spoil};
use crate::rng::{Purpose, Rng};

pub(crate) const SPOIL: Spoil = Spoil { malformed: 4e-5, wrong_type: 4e-5, duplicated: 5e-3, wrong: ("time", "\"yesterday\"") };

/// Share of the events that arrive 1 to 4 days late.
const LATE: f64 = 0.004;
const MAX_LATE_DAYS: i32 = 4;

/// Simple things that everyone does, and what only those do who have made the product their own.
const SIMPLE: [(&str, f64); 4] = [("login", 0.42), ("report_viewed", 0.38), ("export", 0.12), ("search", 0.08)];
const ADVANCED: [(&str, f64); 4] = [("automation_run", 0.40), ("api_call", 0.28), ("dashboard_edited", 0.24), ("invite_sent", 0.08)];

/// Number that strangers' random streams begin at.
const STRANGERS: u64 = 1 << 40;

/// What one company does on one day, before it is known which file it lands in.
struct Actor<'a> {
    number: u64,
    company: &'a str,
    users: u32,
    advanced: f64,
    mean: f64,
}

pub(crate) fn events(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    let keys: Vec<String> = company.accounts.iter().map(key).collect();
    let strangers: Vec<String> = (0..company.strangers).map(|i| names::company(3 * i + 2).1).collect();
    // Lines that happened on an earlier day and arrive on a day of this month, by day of arrival.
    let days = (month.to - month.from) as usize;
    let mut waiting: Vec<Vec<String>> = vec![Vec::new(); days];
    let mut line = String::with_capacity(256);
    for day in (month.from - MAX_LATE_DAYS).max(0)..month.to {
        let here = day >= month.from;
        let mut emit = |actor: &Actor<'_>, out: &mut Lines| -> Result<(), Error> {
            let mut rng = Rng::new(company.seed, Purpose::Usage, actor.number, day as u64);
            for _ in 0..rng.poisson(actor.mean) {
                let late = event(company, actor, day, &mut rng, &mut line);
                match late {
                    0 if here => out.record(&line)?,
                    0 => {}
                    _ => {
                        if let Ok(arrival) = usize::try_from(day + late - month.from)
                            && let Some(lines) = waiting.get_mut(arrival)
                        {
                            lines.push(line.clone());
                        }
                    }
                }
            }
            Ok(())
        };
        let weekday = if company.calendar.is_weekend(day) { 0.30 } else { 1.28 };
        for ((account, life), key) in company.customers().zip(&keys) {
            if !life.is_customer(account, day) {
                continue;
            }
            let Some(week) = life.week(day / 7) else { continue };
            emit(&actor(company, account, week, key, weekday), out)?;
        }
        for (i, key) in strangers.iter().enumerate() {
            let number = STRANGERS + i as u64;
            emit(&Actor { number, company: key, users: 3, advanced: 0.2, mean: 0.5 * weekday }, out)?;
        }
        if here {
            for late in std::mem::take(&mut waiting[(day - month.from) as usize]) {
                out.count_late();
                out.record(&late)?;
            }
        }
    }
    Ok(())
}

/// How an account is called in Mixpanel.
fn key(account: &Account) -> String {
    match account.mixpanel_key {
        MixpanelKey::AccountId => account.crm_id.clone(),
        MixpanelKey::Domain => account.domain.clone(),
        MixpanelKey::OtherDomain => format!("app-{}", account.domain.replace('.', "-app.")),
    }
}

fn actor<'a>(company: &Company, account: &Account, week: &Week, key: &'a str, weekday: f64) -> Actor<'a> {
    Actor {
        number: account.index as u64,
        company: key,
        users: week.users,
        advanced: 1.0 / (1.0 + (0.9 - 0.6 * f64::from(week.health)).exp()),
        mean: f64::from(week.usage) * weekday * company.usage_scale,
    }
}

/// Writes one event into `line`; the days that it comes late.
fn event(company: &Company, actor: &Actor<'_>, day: i32, rng: &mut Rng, line: &mut String) -> i32 {
    let name = if rng.chance(actor.advanced) { rng.pick(&ADVANCED) } else { rng.pick(&SIMPLE) };
    // Some people use it much more than others.
    let user = (rng.uniform().powf(1.6) * f64::from(actor.users)) as u32;
    let second = 21_600 + (57_600.0 * rng.uniform()) as i64;
    let time = company.calendar.unix(day, second);
    let insert_id = rng.next_u64();
    let late = if rng.chance(LATE) { rng.between(1, i64::from(MAX_LATE_DAYS) + 1) as i32 } else { 0 };
    line.clear();
    let _ = write!(
        line,
        r#"{{"event":"{name}","properties":{{"time":{time},"distinct_id":"u{number}-{user}","$insert_id":"{insert_id:016x}","company":"{key}""#,
        number = actor.number % STRANGERS,
        key = actor.company,
    );
    if late > 0 {
        let _ = write!(line, r#","mp_processing_time_ms":{}"#, company.calendar.unix(day + late, 3_600) * 1_000);
    }
    line.push_str("}}");
    late
}
