//! Any number of rules over tonight's row as one query.

use super::cells::{Cell, cell, columns};
use crate::error::{Error, Result};
use crate::sql::{bracket, ident};
use cscopilot_lake::{Lake, Params};
use cscopilot_spec::Message;
use futures::StreamExt;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A condition over the row, and what is wanted of the rows it holds for.
#[derive(Debug, Clone)]
pub struct Rule<'a> {
    /// The rule's name.
    pub name: &'a str,
    /// The file it stands in.
    pub path: &'a str,
    /// SQL condition; none means always.
    pub when: Option<Cow<'a, str>>,
    /// Wanted values: names and SQL expressions.
    pub values: BTreeMap<String, String>,
    /// Wanted values that are also needed where the condition is not known.
    pub keys: BTreeMap<String, String>,
}

impl<'a> Rule<'a> {
    /// A rule without wanted values.
    #[must_use]
    pub fn new(name: &'a str, path: &'a str, when: Option<&'a str>) -> Self {
        Self { name, path, when: when.map(Cow::Borrowed), values: BTreeMap::new(), keys: BTreeMap::new() }
    }

    /// Wants what a message's placeholders name: evidence, else a column of the row.
    #[must_use]
    pub fn with_message(mut self, message: &Message) -> Self {
        for name in message.names() {
            self.values.entry(name.to_owned()).or_insert_with(|| ident(name));
        }
        self
    }

    /// Wants a value.
    #[must_use]
    pub fn with(mut self, name: &str, expression: &str) -> Self {
        self.values.insert(name.to_owned(), expression.to_owned());
        self
    }
}

/// A row for which a rule's condition holds, or is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The index of the rule.
    pub rule: usize,
    /// The account.
    pub account_id: String,
    /// Whether the condition holds; not known where it is NULL.
    pub holds: Option<bool>,
    /// The wanted values.
    pub values: BTreeMap<String, Cell>,
}

/// The rows for which each rule's condition is true or NULL, ordered by account and rule.
///
/// # Errors
/// Where an expression fails on data (the error names its rule), or the lake fails.
pub async fn evaluate(lake: &Lake, params: &Params, row: &str, rules: &[Rule<'_>]) -> Result<Vec<Hit>> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    match evaluate_all(lake, params, row, rules).await {
        Err(Error::Lake(error)) => {
            // Alone, each rule tells whether it is the one that fails.
            for rule in rules {
                if let Err(Error::Lake(source)) = evaluate_all(lake, params, row, std::slice::from_ref(rule)).await {
                    return Err(Error::Expression { name: rule.name.to_owned(), path: rule.path.to_owned(), source: Box::new(source) });
                }
            }
            Err(error.into())
        }
        other => other,
    }
}

async fn evaluate_all(lake: &Lake, params: &Params, row: &str, rules: &[Rule<'_>]) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut stream = lake.stream(&query(row, rules), params).await?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))?;
        let columns = columns(&batch)?;
        let get = |name: &str, at: usize| columns.get(name).map_or(Cell::Null, |c| cell(c, at));
        for at in 0..batch.num_rows() {
            let Cell::Text(account_id) = get("account_id", at) else { continue };
            for (i, rule) in rules.iter().enumerate() {
                let holds = match get(&format!("__w{i}"), at) {
                    Cell::Bool(false) => continue,
                    Cell::Bool(true) => Some(true),
                    _ => None,
                };
                let keys = rule.keys.keys().enumerate().map(|(n, name)| (name.clone(), get(&format!("__k{i}_{n}"), at)));
                let values = rule.values.keys().enumerate().map(|(n, name)| (name.clone(), get(&format!("__v{i}_{n}"), at)));
                hits.push(Hit { rule: i, account_id: account_id.clone(), holds, values: values.chain(keys).collect() });
            }
        }
    }
    hits.sort_by(|a, b| (&a.account_id, a.rule).cmp(&(&b.account_id, b.rule)));
    Ok(hits)
}

/// The conditions first, each once; then the values, only where they are wanted, so that a value may rely on its
/// condition (`seats > 0` guards a division).
fn query(row: &str, rules: &[Rule<'_>]) -> String {
    let mut conditions = String::new();
    let mut values = String::new();
    let mut wanted = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let when = rule.when.as_deref().map_or_else(|| "TRUE".to_owned(), bracket);
        let _infallible = write!(conditions, ",\n CAST({when} AS BOOLEAN) AS __w{i}");
        let _infallible = write!(values, ",\n __w{i}");
        for (n, expression) in rule.keys.values().enumerate() {
            let _infallible = write!(values, ",\n CASE WHEN __w{i} IS NOT FALSE THEN {} END AS __k{i}_{n}", bracket(expression));
        }
        for (n, expression) in rule.values.values().enumerate() {
            let _infallible = write!(values, ",\n CASE WHEN __w{i} THEN {} END AS __v{i}_{n}", bracket(expression));
        }
        wanted.push(format!("__w{i} IS NOT FALSE"));
    }
    format!(
        "WITH row_ AS (\n{row}\n), judged AS (SELECT *{conditions}\nFROM row_)\nSELECT account_id{values}\nFROM judged WHERE {}",
        wanted.join(" OR ")
    )
}
