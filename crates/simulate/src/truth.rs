//! What no vendor knows: the hazards, who left when and why, and how much of the data was spoiled.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::company::{Company, MixpanelKey, StripeKey, ZendeskKey};
use crate::hazard::{ACTION_WEEKS, EFFECTS};
use crate::simulate::{StreamCount, Summary};
use crate::{Config, Error, output};

pub(crate) fn write(company: &Company, config: &Config, streams: &[StreamCount]) -> Result<Summary, Error> {
    let folder = config.out.join("truth");
    output::folder(&folder)?;
    hazards(company, &folder.join("hazards.csv"))?;
    accounts(company, &folder.join("accounts.csv"))?;
    let effects = json!({
        "on": "logarithm of the weekly hazard of churn; see crates/simulate/src/hazard.rs",
        "effects": EFFECTS,
        "action_weeks": ACTION_WEEKS,
    });
    json_file(&folder.join("effects.json"), &effects)?;
    let summary = summary(company, config, streams);
    let unmatched = |of: &str, count: usize| json!({"key": of, "count": count});
    let count =
        |f: &dyn Fn(&crate::company::Account) -> bool| company.accounts.iter().filter(|a| a.since < company.calendar.days && f(a)).count();
    json_file(
        &folder.join("config.json"),
        &json!({
            "accounts": config.accounts,
            "months": config.months,
            "events_per_day": config.daily_events(),
            "seed": config.seed,
            "as_of": config.as_of,
            "first_day": company.calendar.start,
            "customers_ever": summary.customers,
            "customers_now": summary.active,
            "churned": summary.churned,
            "crm_doubles": company.doubles.len(),
            "crm_prospects": company.prospects,
            "streams": streams,
            "unmatched": {
                "stripe.customers": [
                    unmatched("free-mail address", count(&|a| a.stripe_key == StripeKey::FreeMail)),
                    unmatched("domain that the CRM doesn't know", count(&|a| a.stripe_key == StripeKey::OtherDomain)),
                ],
                "zendesk.organizations": [
                    unmatched("a name only", count(&|a| a.zendesk_key == ZendeskKey::NameOnly)),
                    unmatched("no customer", company.strangers),
                ],
                "mixpanel.events": [
                    unmatched("companies whose domain the CRM doesn't know", count(&|a| a.mixpanel_key == MixpanelKey::OtherDomain)),
                    unmatched("no customer", company.strangers),
                ],
            },
        }),
    )?;
    Ok(summary)
}

fn summary(company: &Company, config: &Config, streams: &[StreamCount]) -> Summary {
    let last = company.calendar.days - 1;
    Summary {
        out: config.out.clone(),
        customers: company.accounts.iter().filter(|a| a.since <= last).count(),
        active: company.customers().filter(|(account, life)| life.is_customer(account, last)).count(),
        churned: company.lives.iter().filter(|life| life.churn.is_some()).count(),
        streams: streams.to_vec(),
    }
}

/// One line per account and month of the calendar in which it was a customer. `hazard` is the probability to leave within
/// the weeks that it stayed (their sum is the expected number of churns); `monthly_hazard` puts everyone on the same
/// footing, a month of 52/12 weeks at the mean hazard of those weeks, and is what a score is to be compared with.
fn hazards(company: &Company, path: &Path) -> Result<(), Error> {
    csv(path, "account_id,month,hazard,monthly_hazard,churned,mean_health", |out| {
        for (account, life) in company.customers() {
            for month in &company.calendar.months {
                let (mut stays, mut health, mut weeks, mut weekly) = (1.0, 0.0, 0.0, 0.0);
                for week in (month.from + 6) / 7..(month.to + 6) / 7 {
                    if let Some(w) = life.week(week) {
                        stays *= 1.0 - f64::from(w.hazard);
                        weekly += f64::from(w.hazard);
                        health += f64::from(w.health);
                        weeks += 1.0;
                    }
                }
                if weeks > 0.0 {
                    let left = life.churn.is_some_and(|c| {
                        let week = life.first_week + life.weeks.len() as i32 - 1;
                        (month.from + 6) / 7 <= week && week < (month.to + 6) / 7 && c < company.calendar.days
                    });
                    let (label, hazard, health) = (month.label(), 1.0 - stays, health / weeks);
                    let monthly = 1.0 - (1.0 - weekly / weeks).powf(52.0 / 12.0);
                    writeln!(out, "{},{label},{hazard:.6},{monthly:.6},{left},{health:.4}", account.crm_id)?;
                }
            }
        }
        Ok(())
    })
}

fn accounts(company: &Company, path: &Path) -> Result<(), Error> {
    let header = "account_id,name,since,churned_on,segment,seats,plan,annual,discount,fit,stripe_key,zendesk_key,mixpanel_key";
    csv(path, header, |out| {
        for (account, life) in company.customers().filter(|(account, _)| account.since < company.calendar.days) {
            let date = |day| company.calendar.date(day).to_string();
            let a = account;
            writeln!(
                out,
                "{},{},{},{},{},{},{},{},{},{:.4},{:?},{:?},{:?}",
                a.crm_id,
                a.name,
                date(a.since),
                life.churn.map(date).unwrap_or_default(),
                a.segment.label(),
                a.seats,
                crate::company::PLANS[a.plan].name,
                a.annual,
                a.discount,
                a.fit,
                a.stripe_key,
                a.zendesk_key,
                a.mixpanel_key
            )?;
        }
        Ok(())
    })
}

fn csv(path: &Path, header: &str, rows: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), Error> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut out = BufWriter::new(file);
    writeln!(out, "{header}").and_then(|()| rows(&mut out)).and_then(|()| out.flush()).map_err(Error::io("write", path))
}

fn json_file(path: &Path, value: &Value) -> Result<(), Error> {
    let text = format!("{value:#}\n");
    std::fs::write(path, text).map_err(Error::io("write", path))
}
