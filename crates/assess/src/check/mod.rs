//! Type-checks every SQL expression of scorecards, alerts, opportunities and plays, without data.

mod place;
#[cfg(test)]
mod tests;

use crate::actions::{ANSWERED, extend};
use crate::health::{scorecard, timeless};
use crate::rules::Row;
use crate::rules::cells::{is_scalar, is_text};
use crate::sql::bracket;
use arrow::datatypes::{DataType, SchemaRef};
use chrono::NaiveDate;
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use cscopilot_lake::{Params, TableName, Value, check_sql};
use cscopilot_spec::{At, Loaded, Message, ParamValue, Project};
use std::collections::{BTreeMap, BTreeSet};

/// What an expression has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// True or false.
    Condition,
    /// A number.
    Number,
    /// Anything that can be shown: no list, no struct.
    Value,
}

/// One expression, what it is called, and what it has to be.
struct Expression<'a> {
    name: String,
    at: &'a At<String>,
    wanted: Wanted,
}

/// Adds an error for each expression that can't be planned over the tables with these columns or has the wrong type, and
/// for each placeholder that names nothing.
pub fn check(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    let params = params(project);
    check_scorecards(project, schemas, &timeless(params.clone()), out);
    if project.alerts.is_empty() && project.opportunities.is_empty() && project.plays.is_empty() {
        return;
    }
    match Row::new(project, schemas) {
        Ok(row) => check_rules(project, row, &params, out),
        Err(error) => {
            let diagnostic = cscopilot_diag::Coded::to_diagnostic(&error);
            let files = project.alerts.values().map(|f| &f.path).chain(project.opportunities.values().map(|f| &f.path));
            match files.chain(project.plays.values().map(|f| &f.path)).next() {
                Some(path) => out.push(diagnostic.at(Place::file(path.clone()))),
                None => out.push(diagnostic),
            }
        }
    }
}

fn check_scorecards(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>, params: &Params, out: &mut Diagnostics) {
    for card in project.scorecards.values() {
        let from = &card.value.from;
        let Some(schema) = from.parse::<TableName>().ok().and_then(|table| schemas.get(&table)) else {
            let known: Vec<String> = schemas.keys().map(ToString::to_string).collect();
            let error = card.error("ASM020", from, format!("there is no table `{from}`"));
            out.push(error.with_help_opt(suggest::help(from, known.iter().map(String::as_str))));
            continue;
        };
        let mut keys = true;
        for (key, right, expected) in [
            ("account_id", is_text as fn(&DataType) -> bool, "text"),
            ("as_of", (|t| matches!(t, DataType::Date32)) as fn(&DataType) -> bool, "a date"),
        ] {
            if !schema.column_with_name(key).is_some_and(|(_, f)| right(f.data_type())) {
                out.push(card.error("ASM024", from, format!("`{from}` has no column `{key}` that is {expected}")).with_help(
                    "a scorecard reads one row per account and date: `account_id` is text, `as_of` a date; cast them in the SQL model",
                ));
                keys = false;
            }
        }
        if !keys {
            continue;
        }
        let mut expressions = Vec::new();
        expressions.extend(card.value.segment.iter().map(|at| Expression { name: "segment".into(), at, wanted: Wanted::Value }));
        expressions.extend(card.value.tenure_days.iter().map(|at| Expression { name: "tenure_days".into(), at, wanted: Wanted::Number }));
        for (_, _, name, measure) in card.value.measures() {
            expressions.push(Expression { name: format!("{name}: value"), at: &measure.value, wanted: Wanted::Number });
        }
        check_expressions(card, &expressions, schema, params, out);
    }
    if let Some(card) = scorecard(project) {
        // The query as a whole: what no expression shows alone, such as names that clash.
        let sql = crate::health::whole(&card.value, NaiveDate::default());
        if !out.has_errors()
            && let Err(error) = check_sql(&sql, schemas, params)
        {
            out.push(
                Diagnostic::error("ASM021", format!("the scorecard's query can't be planned: {}", error.message))
                    .at(Place::file(card.path.clone())),
            );
        }
    }
}

fn check_rules(project: &Project, row: Row, params: &Params, out: &mut Diagnostics) {
    let condition = |name: &str, at| Expression { name: format!("{name}: when"), at, wanted: Wanted::Condition };
    for file in project.alerts.values() {
        let mut expressions = Vec::new();
        for (name, rule) in &file.value.rules {
            expressions.push(condition(name, &rule.when));
            expressions.extend(rule.until.iter().map(|at| Expression { name: format!("{name}: until"), at, wanted: Wanted::Condition }));
            expressions.push(Expression { name: format!("{name}: owner"), at: &rule.owner, wanted: Wanted::Value });
            expressions.extend(rule.dedupe_key.iter().map(|at| Expression {
                name: format!("{name}: dedupe_key"),
                at,
                wanted: Wanted::Value,
            }));
            expressions.extend(evidence(name, &rule.evidence));
            check_placeholders(file, &[Some(&rule.title), Some(&rule.message)], Some(&rule.evidence), &[], row.schema(), out);
        }
        check_expressions(file, &expressions, row.schema(), params, out);
    }
    for file in project.opportunities.values() {
        let mut expressions = Vec::new();
        for (name, kind) in &file.value.kinds {
            expressions.push(condition(name, &kind.when));
            expressions.push(Expression { name: format!("{name}: propensity"), at: &kind.propensity, wanted: Wanted::Number });
            expressions.extend(kind.expected_arr.iter().map(|at| Expression {
                name: format!("{name}: expected_arr"),
                at,
                wanted: Wanted::Number,
            }));
            expressions.extend(evidence(name, &kind.evidence));
            check_placeholders(file, &[Some(&kind.title), Some(&kind.message)], Some(&kind.evidence), &[], row.schema(), out);
        }
        check_expressions(file, &expressions, row.schema(), params, out);
    }
    let mut row = row;
    extend(&mut row, NaiveDate::default(), true, true);
    for file in project.plays.values() {
        let mut expressions = Vec::new();
        for (name, play) in &file.value.plays {
            expressions.extend(play.when.iter().map(|at| condition(name, at)));
            expressions.push(Expression { name: format!("{name}: owner"), at: &play.owner, wanted: Wanted::Value });
            expressions.extend(play.rank_by.iter().map(|at| Expression { name: format!("{name}: rank_by"), at, wanted: Wanted::Number }));
            let answered: Vec<&str> = ANSWERED
                .into_iter()
                .filter(|n| {
                    (n.starts_with("alert") && !play.alerts.is_empty()) || (n.starts_with("opportunity") && !play.opportunities.is_empty())
                })
                .collect();
            let messages = [Some(&play.title), Some(&play.reason), play.expected_effect.as_ref()];
            check_placeholders(file, &messages, None, &answered, row.schema(), out);
        }
        check_expressions(file, &expressions, row.schema(), params, out);
    }
}

fn evidence<'a>(rule: &str, all: &'a BTreeMap<String, At<String>>) -> impl Iterator<Item = Expression<'a>> {
    all.iter().map(move |(name, at)| Expression { name: format!("{rule}: evidence {name}"), at, wanted: Wanted::Value })
}

/// Checks expressions over one table: all in one query first, one by one where that fails.
fn check_expressions<T>(file: &Loaded<T>, all: &[Expression<'_>], schema: &SchemaRef, params: &Params, out: &mut Diagnostics) {
    let table = TableName::new("assess", "account_row");
    let tables = BTreeMap::from([(table.clone(), SchemaRef::clone(schema))]);
    let columns: String = all.iter().enumerate().map(|(i, e)| format!(",\n{} AS x{i}", bracket(e.at))).collect();
    // `account_id` beside the expression makes an aggregate an error.
    if let Ok(result) = check_sql(&format!("SELECT account_id{columns}\nFROM {table}"), &tables, params)
        && result.fields().len() == all.len() + 1
    {
        for (expression, field) in all.iter().zip(result.fields().iter().skip(1)) {
            check_type(file, expression, field.data_type(), out);
        }
    } else {
        for expression in all {
            let sql = format!("SELECT account_id, {} AS x\nFROM {table}", bracket(expression.at));
            match check_sql(&sql, &tables, params) {
                Ok(result) if result.fields().len() == 2 => check_type(file, expression, result.field(1).data_type(), out),
                Ok(_) => out.push(at(file, expression, 0, 0, "ASM021", "it is more than one expression".to_owned())),
                Err(error) => {
                    // The expression begins on the second line of the query.
                    let line = error.line.saturating_sub(1);
                    let (message, help) = match error.message.contains("GROUP BY") {
                        true => (
                            "an aggregate has no place here".to_owned(),
                            Some("an expression sees one row; aggregate in the SQL model and use its column".to_owned()),
                        ),
                        false => (error.message, error.help),
                    };
                    out.push(at(file, expression, line, error.column, "ASM021", message).with_help_opt(help));
                }
            }
        }
    }
    for expression in all {
        if let Some(function) = volatile(expression.at) {
            let message = format!("`{function}` gives another result each time");
            out.push(at(file, expression, 0, 0, "ASM025", message).with_help("use the column `as_of`, the date of the row"));
        }
    }
}

fn check_type<T>(file: &Loaded<T>, expression: &Expression<'_>, found: &DataType, out: &mut Diagnostics) {
    let (right, what) = match expression.wanted {
        Wanted::Condition => (matches!(found, DataType::Boolean), "true or false"),
        Wanted::Number => (found.is_numeric() || matches!(found, DataType::Null), "a number"),
        Wanted::Value => (is_scalar(found), "text, a number, a date or a boolean"),
    };
    if !right {
        let message = format!("it is {found}, it has to be {what}");
        let help = match expression.wanted {
            Wanted::Condition => "compare it with something, for example `x > 0`",
            Wanted::Number => "cast it, or pick another column",
            Wanted::Value => "take one element of it",
        };
        out.push(at(file, expression, 0, 0, "ASM022", message).with_help(help));
    } else if found.is_integer() && expression.at.contains('/') {
        let mut warning =
            at(file, expression, 0, 0, "ASM026", "both sides of the division are whole numbers, so the fraction is dropped".to_owned());
        warning.severity = cscopilot_diag::Severity::Warning;
        out.push(warning.with_help("write `1.0 * x / y` for the exact ratio"));
    }
}

/// An error at a place inside an expression; a default that the file doesn't show is named instead.
fn at<T>(file: &Loaded<T>, expression: &Expression<'_>, line: u32, column: u32, code: &'static str, message: String) -> Diagnostic {
    if expression.at.line == 0 {
        let message = format!("{}: the default `{}` doesn't work: {message}", expression.name, expression.at.value);
        return Diagnostic::error(code, message).at(Place::file(file.path.clone()));
    }
    Diagnostic::error(code, format!("{}: {message}", expression.name)).at(place::inside(file, expression.at, line, column))
}

/// The first function in an expression whose result depends on the clock or on chance.
fn volatile(expression: &str) -> Option<&'static str> {
    const VOLATILE: [&str; 7] = ["now", "random", "uuid", "current_date", "current_time", "current_timestamp", "today"];
    let lower = expression.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    words
        .find_map(|word| VOLATILE.into_iter().find(|v| *v == word))
        .filter(|v| v.starts_with("current_") || lower.contains(&format!("{v}(")))
}

fn check_placeholders<T>(
    file: &Loaded<T>,
    messages: &[Option<&At<Message>>],
    evidence: Option<&BTreeMap<String, At<String>>>,
    answered: &[&str],
    row: &SchemaRef,
    out: &mut Diagnostics,
) {
    for message in messages.iter().flatten() {
        let names: BTreeSet<&str> = message.names().collect();
        for name in names {
            if evidence.is_some_and(|e| e.contains_key(name)) || answered.contains(&name) {
                continue;
            }
            match row.column_with_name(name) {
                Some((_, field)) if is_scalar(field.data_type()) => {}
                Some((_, field)) => {
                    let text = format!("`{{{name}}}` is {}, which can't be shown", field.data_type());
                    out.push(file.error("ASM023", *message, text).with_help("take one element of it under `evidence:` and use that name"));
                }
                None => {
                    let known =
                        row.fields().iter().map(|f| f.name().as_str()).chain(evidence.iter().flat_map(|e| e.keys().map(String::as_str)));
                    let error = file.error("ASM023", *message, format!("`{{{name}}}` names neither a column nor evidence"));
                    let help = suggest::help(name, known.chain(answered.iter().copied()));
                    out.push(error.with_help_opt(help));
                }
            }
        }
    }
}

/// The parameters that expressions may use, with a date for `$as_of`.
fn params(project: &Project) -> Params {
    let mut params = Params::new().with("as_of", NaiveDate::default());
    for (name, value) in &project.params {
        let value = match value {
            ParamValue::Str(v) => Value::Str(v.clone()),
            ParamValue::Int(v) => Value::Int(*v),
            ParamValue::Float(v) => Value::Float(*v),
            ParamValue::Bool(v) => Value::Bool(*v),
        };
        params.set(name.clone(), value);
    }
    params
}
