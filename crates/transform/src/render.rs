//! Templates: only a file named `.sql.j2` is one.
//!
//! A template sees `as_of` and the project's `params`. What it asks for and nobody defined is an error, never an empty
//! text. Values meant as data should be written `$name` also here, so that they are bound and not pasted.
//!
//! `known_on('raw.zendesk__tickets', 'updated_at')` gives SQL for the day on which a row had arrived: see [`crate::arrival`].

use crate::arrival::Embargoes;
use crate::parse::Problem;
use cscopilot_lake::Params;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, UndefinedBehavior};
use std::collections::{BTreeMap, BTreeSet};

/// A rendered template and the parameters it asked for.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) sql: String,
    pub(crate) params: BTreeSet<String>,
}

/// The function of templates that says when a row had arrived.
const KNOWN_ON: &str = "known_on";

/// Renders the text of a `.sql.j2` file. `driver` is the table whose new rows alone an incremental model sees.
pub(crate) fn render(name: &str, text: &str, params: &Params, embargoes: &Embargoes, driver: Option<&str>) -> Result<Rendered, Problem> {
    let mut environment = Environment::new();
    // Without it release builds don't say which value is undefined.
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let (embargoes, of_the_driver) = (embargoes.clone(), driver.map(str::to_owned));
    environment.add_function(KNOWN_ON, move |table: String, event_time: String, more: Kwargs| {
        let wrong = |detail: String| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, format!("{KNOWN_ON}: {detail}"));
        let row: Option<String> = more.get("row")?;
        more.assert_all_used()?;
        if of_the_driver.as_ref() == Some(&table) {
            return Err(wrong(format!("it needs all rows of `{table}`, of which an incremental table sees the new ones only")));
        }
        embargoes.known_on(&table, &event_time, row.as_deref()).map_err(wrong)
    });
    let template = environment.template_from_named_str(name, text).map_err(|e| problem(&e))?;
    let used = template
        .undeclared_variables(true)
        .into_iter()
        .filter_map(|v| match v.strip_prefix("params.") {
            Some(param) => Some(param.split('.').next().unwrap_or(param).to_owned()),
            None => (v == "as_of").then(|| "as_of".to_owned()),
        })
        .collect();
    let values: BTreeMap<&str, Value> = params.iter().filter(|(n, _)| *n != "as_of").map(|(n, v)| (n, to_value(v))).collect();
    let as_of = params.get("as_of").map(ToString::to_string);
    let sql = template.render(minijinja::context! { params => values, as_of => as_of }).map_err(|e| problem(&e))?;
    Ok(Rendered { sql, params: used })
}

fn to_value(value: &cscopilot_lake::Value) -> Value {
    use cscopilot_lake::Value as V;
    match value {
        V::Str(v) => Value::from(v.as_str()),
        V::Int(v) => Value::from(*v),
        V::Float(v) => Value::from(*v),
        V::Bool(v) => Value::from(*v),
        V::Date(_) | V::Timestamp(_) => Value::from(value.to_string()),
    }
}

fn problem(error: &minijinja::Error) -> Problem {
    let message = match error.detail() {
        Some(detail) => format!("the template can't be rendered: {}: {detail}", error.kind()),
        None => format!("the template can't be rendered: {}", error.kind()),
    };
    let help = match error.kind() {
        minijinja::ErrorKind::UndefinedError => "a template sees `as_of` and `params.<name>` of cscopilot.yaml",
        _ if error.detail().is_some_and(|d| d.starts_with(KNOWN_ON)) => {
            "write it as `known_on('raw.zendesk__tickets', 'updated_at')`, in a table that is not incremental on those rows"
        }
        _ => "see the syntax of minijinja templates; only files named `.sql.j2` are templates",
    };
    Problem {
        code: "TRF004",
        message,
        line: error.line().and_then(|l| u32::try_from(l).ok()).unwrap_or(0),
        column: 0,
        help: Some(help.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_parameters_and_says_which_were_used() {
        let params = Params::new().with("windows", 3_i64).with("other", "x").with("as_of", "2023-10-01");
        let rendered = render(
            "a.sql.j2",
            "SELECT {% for w in range(params.windows) %}{{ w }}, {% endfor %}'{{ as_of }}'",
            &params,
            &Embargoes::default(),
            None,
        )
        .unwrap();
        assert_eq!(rendered.sql, "SELECT 0, 1, 2, '2023-10-01'");
        assert_eq!(rendered.params.into_iter().collect::<Vec<_>>(), ["as_of", "windows"]);
    }

    #[test]
    fn what_nobody_defined_is_an_error_with_its_line() {
        let problem = render("a.sql.j2", "SELECT\n  {{ params.windos }}", &Params::new(), &Embargoes::default(), None).unwrap_err();
        assert_eq!((problem.code, problem.line), ("TRF004", 2));
        let problem = render("a.sql.j2", "SELECT 1\n{% if %}", &Params::new(), &Embargoes::default(), None).unwrap_err();
        assert_eq!(problem.line, 2);
    }
}
