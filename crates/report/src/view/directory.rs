//! The lists by name: all accounts, and all customer success managers.

use super::csm::{href, managers};
use super::sums::Sums;
use super::{Page, View, link, pager};
use crate::error::Error;
use crate::format::{clip, humanise};
use crate::night::Account;
use minijinja::{Value, context};
use std::sync::Arc;

/// Accounts on one page of the directory.
const ACCOUNTS: usize = 100;
/// Managers on one page.
const MANAGERS: usize = 60;

/// The pages of both lists.
pub(super) fn pages<'a>(view: &'a View<'a>) -> Vec<Page<'a>> {
    let mut by_name: Vec<&Account> = view.night.accounts.iter().collect();
    by_name.sort_by_cached_key(|a| (a.name.to_lowercase(), a.id.clone()));
    let letters = Arc::new(letters(&by_name));
    let by_name = Arc::new(by_name);
    let count = by_name.len().div_ceil(ACCOUNTS).max(1);
    let mut pages = Vec::new();
    for number in 1..=count {
        let (list, letters) = (Arc::clone(&by_name), Arc::clone(&letters));
        pages.push(Page {
            path: path("accounts", number),
            template: "accounts.html",
            context: Box::new(move || accounts(view, &list, &letters, number, count)),
        });
    }
    let count = managers(view).len().div_ceil(MANAGERS).max(1);
    for number in 1..=count {
        pages.push(Page {
            path: path("managers", number),
            template: "managers.html",
            context: Box::new(move || list_managers(view, number, count)),
        });
    }
    pages
}

fn path(list: &str, number: usize) -> String {
    if number == 1 { format!("{list}.html") } else { format!("{list}.{number}.html") }
}

/// Where each initial letter begins.
fn letters(by_name: &[&Account]) -> Vec<Value> {
    let mut letters: Vec<Value> = Vec::new();
    let mut last = String::new();
    for (i, account) in by_name.iter().enumerate() {
        let letter: String = account.name.chars().take(1).flat_map(char::to_uppercase).collect();
        if letter != last {
            letters.push(context! { letter => letter.as_str(), href => link(path("accounts", i / ACCOUNTS + 1)) });
            last = letter;
        }
    }
    letters.truncate(60);
    letters
}

fn accounts(view: &View<'_>, by_name: &[&Account], letters: &[Value], number: usize, count: usize) -> Result<Value, Error> {
    let shown: Vec<Value> = by_name
        .iter()
        .skip((number - 1) * ACCOUNTS)
        .take(ACCOUNTS)
        .map(|a| {
            context! {
                name => clip(&a.name, super::row::NAME),
                href => link(super::row::href(a)),
                csm => a.csm_name.as_deref().map(|n| clip(n, 40)),
                segment => a.segment.as_deref().map(|s| clip(s, 30)),
                arr => a.arr,
                score => a.health.as_ref().map(|h| h.score),
                band => a.health.as_ref().map(|h| humanise(&h.band)),
                tone => a.health.as_ref().map(|h| view.bands.tone(&h.band).class()),
                risk => a.risk.as_ref().map(|r| r.probability),
            }
        })
        .collect();
    Ok(context! {
        root => "",
        page => "accounts",
        total => by_name.len(),
        accounts => shown,
        letters => if count > 1 { letters } else { &[] },
        number => number,
        count => count,
        pager => pager(&|n| path("accounts", n), number, count),
    })
}

fn list_managers(view: &View<'_>, number: usize, count: usize) -> Result<Value, Error> {
    let all = managers(view);
    let shown = all
        .iter()
        .skip((number - 1) * MANAGERS)
        .take(MANAGERS)
        .map(|csm| {
            let sums = Sums::of(csm.accounts.iter().copied(), view.bands, view.night.as_of);
            Ok(context! {
                name => csm.name.as_str(),
                href => link(href(csm.id)),
                split => super::overview::split(view, &sums, "Accounts by health band")?,
                ..sums.value(view.bands)
            })
        })
        .collect::<Result<Vec<Value>, Error>>()?;
    Ok(context! {
        root => "",
        page => "managers",
        total => all.len(),
        managers => shown,
        number => number,
        count => count,
        pager => pager(&|n| path("managers", n), number, count),
    })
}
