//! Templates: only a file named `.sql.j2` is one.
//!
//! A template sees `as_of` and the project's `params`. What it asks for and nobody defined is an error, never an empty
//! text. Values meant as data should be written `$name` also here, so that they are bound and not pasted.

use crate::parse::Problem;
use cscopilot_lake::Params;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};
use std::collections::{BTreeMap, BTreeSet};

/// A rendered template and the parameters it asked for.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) sql: String,
    pub(crate) params: BTreeSet<String>,
}

/// Renders the text of a `.sql.j2` file.
pub(crate) fn render(name: &str, text: &str, params: &Params) -> Result<Rendered, Problem> {
    let mut environment = Environment::new();
    // Without it release builds don't say which value is undefined.
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
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
        let rendered =
            render("a.sql.j2", "SELECT {% for w in range(params.windows) %}{{ w }}, {% endfor %}'{{ as_of }}'", &params).unwrap();
        assert_eq!(rendered.sql, "SELECT 0, 1, 2, '2023-10-01'");
        assert_eq!(rendered.params.into_iter().collect::<Vec<_>>(), ["as_of", "windows"]);
    }

    #[test]
    fn what_nobody_defined_is_an_error_with_its_line() {
        let problem = render("a.sql.j2", "SELECT\n  {{ params.windos }}", &Params::new()).unwrap_err();
        assert_eq!((problem.code, problem.line), ("TRF004", 2));
        let problem = render("a.sql.j2", "SELECT 1\n{% if %}", &Params::new()).unwrap_err();
        assert_eq!(problem.line, 2);
    }
}
