//! One page (or several) per customer success manager: their accounts, those that need attention first.

use super::row::row;
use super::sums::Sums;
use super::{Page, View, iso, link, pager};
use crate::error::Error;
use crate::format::clip;
use crate::night::Account;
use crate::slug::slug;
use minijinja::{Value, context};
use std::collections::BTreeMap;

/// A customer success manager and the accounts, in the order of the night (attention first).
pub(super) struct Csm<'a> {
    pub(super) name: String,
    pub(super) id: Option<&'a str>,
    pub(super) accounts: Vec<&'a Account>,
}

/// All managers by name; accounts without one come last.
pub(super) fn managers<'a>(view: &View<'a>) -> Vec<Csm<'a>> {
    let mut by_id: BTreeMap<Option<&str>, Vec<&Account>> = BTreeMap::new();
    for account in &view.night.accounts {
        by_id.entry(account.csm_id.as_deref()).or_default().push(account);
    }
    let mut all: Vec<Csm<'_>> = by_id
        .into_iter()
        .map(|(id, accounts)| {
            let name = accounts.iter().find_map(|a| a.csm_name.clone()).or_else(|| id.map(str::to_owned));
            Csm { name: clip(&name.unwrap_or_else(|| "No manager".to_owned()), 40), id, accounts }
        })
        .collect();
    all.sort_by(|a, b| (a.id.is_none(), &a.name, a.id).cmp(&(b.id.is_none(), &b.name, b.id)));
    all
}

/// The path of a manager's first page below the site's root.
pub(super) fn href(id: Option<&str>) -> String {
    path(id, 1)
}

fn path(id: Option<&str>, number: usize) -> String {
    let name = id.map_or_else(|| "_none".to_owned(), slug);
    if number == 1 { format!("csm/{name}.html") } else { format!("csm/{name}.{number}.html") }
}

/// The file name of a path: managers' pages link to each other within their folder.
fn file(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// The pages of all managers.
pub(super) fn pages<'a>(view: &'a View<'a>) -> Vec<Page<'a>> {
    let mut pages = Vec::new();
    for csm in managers(view) {
        let csm = std::sync::Arc::new(csm);
        let count = csm.accounts.len().div_ceil(view.rows_per_page).max(1);
        for number in 1..=count {
            let csm = std::sync::Arc::clone(&csm);
            pages.push(Page {
                path: path(csm.id, number),
                template: "csm.html",
                context: Box::new(move || context(view, &csm, number, count)),
            });
        }
    }
    pages
}

fn context(view: &View<'_>, csm: &Csm<'_>, number: usize, count: usize) -> Result<Value, Error> {
    let sums = Sums::of(csm.accounts.iter().copied(), view.bands, view.night.as_of);
    let first = (number - 1) * view.rows_per_page;
    let shown: Vec<Value> =
        csm.accounts.iter().skip(first).take(view.rows_per_page).map(|a| row(view, a, true)).collect::<Result<_, _>>()?;
    let due = if number == 1 { due_soon(view, csm) } else { Vec::new() };
    Ok(context! {
        root => link("../".to_owned()),
        page => "managers",
        name => csm.name.as_str(),
        sums => sums.value(view.bands),
        split => super::overview::split(view, &sums, "Accounts by health band")?,
        accounts => shown,
        from => first + 1,
        number => number,
        count => count,
        pager => pager(&|n| file(&path(csm.id, n)), number, count),
        due => due,
        changes => super::overview::changes(view, &csm.accounts),
        compared_with => super::iso_opt(view.night.compared_with),
    })
}

/// Next actions that fall due first: at most six.
fn due_soon(view: &View<'_>, csm: &Csm<'_>) -> Vec<Value> {
    let mut all: Vec<_> =
        csm.accounts.iter().flat_map(|a| a.actions.iter().filter_map(move |action| Some((action.due?, *a, action)))).collect();
    all.sort_by(|a, b| (a.0, std::cmp::Reverse(a.1.attention), &a.1.id).cmp(&(b.0, std::cmp::Reverse(b.1.attention), &b.1.id)));
    all.iter()
        .take(6)
        .map(|(due, account, action)| {
            context! {
                due => iso(*due),
                account => clip(&account.name, super::row::NAME),
                href => link(super::row::href(account)),
                title => clip(&action.title.clone().unwrap_or_else(|| super::title(&view.titles.plays, &action.play)), 80),
            }
        })
        .collect()
}
