//! The project's templates: loaded once, compiled once, errors as diagnostics with file and line.

use crate::error::Error;
use crate::format::{Format, NOTHING};
use chrono::NaiveDate;
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use std::path::Path;
use std::sync::Arc;

/// Templates that a site needs.
pub(crate) const PAGES: [&str; 7] =
    ["overview.html", "managers.html", "csm.html", "accounts.html", "account.html", "models.html", "quality.html"];

/// Filters that the site adds to those of minijinja.
const FILTERS: [&str; 9] = ["clip", "date", "money", "money_short", "num", "pct", "plain", "plural", "signed"];

/// One template file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Name within the templates folder, with forward slashes.
    pub(crate) name: String,
    /// Path below the project's root.
    pub(crate) path: String,
    pub(crate) text: Arc<str>,
}

/// Reads all files below a folder, sorted by name.
pub(crate) fn read_folder(root: &Path, folder: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if path.is_dir() && !hidden {
                open.push(path);
            } else if !hidden && let Ok(below) = path.strip_prefix(root.join(folder)) {
                let name = below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
                files.push((name, std::fs::read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the templates of a project; what is missing or not text is a diagnostic.
pub(crate) fn sources(root: &Path, reports: &str) -> Result<Vec<Source>, Diagnostics> {
    let folder = format!("{}/templates", reports.trim_end_matches('/'));
    let files = read_folder(root, &folder).map_err(|cause| {
        Diagnostics::from(
            Diagnostic::error("RPT011", format!("the templates can't be read: {cause}"))
                .at(Place::file(folder.clone()))
                .with_help("`cscopilot init` writes a project with templates; copy its `reports` folder"),
        )
    })?;
    let mut problems = Diagnostics::new();
    let mut sources = Vec::new();
    for (name, bytes) in files.into_iter().filter(|(name, _)| name.ends_with(".html") || name.ends_with(".svg")) {
        let path = format!("{folder}/{name}");
        match String::from_utf8(bytes) {
            Ok(text) => sources.push(Source { name, path, text: Arc::from(text) }),
            Err(_) => problems
                .push(Diagnostic::error("RPT012", "this template is not UTF-8 text").at(Place::file(path)).with_help("save it as UTF-8")),
        }
    }
    for page in PAGES {
        if !sources.iter().any(|s| s.name == page) {
            problems.push(
                Diagnostic::error("RPT013", format!("the template of {page} is missing"))
                    .at(Place::file(format!("{folder}/{page}")))
                    .with_help("copy it from a new project that `cscopilot init` writes"),
            );
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(sources) }
}

/// Compiles all templates; every file's error is reported.
pub(crate) fn compile(
    sources: &[Source],
    format: &Format,
    globals: Vec<(&'static str, Value)>,
) -> Result<Environment<'static>, Diagnostics> {
    let mut env = Environment::new();
    // Without it release builds don't say which value is undefined.
    env.set_debug(true);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    add_filters(&mut env, format);
    for (name, value) in globals {
        env.add_global(name, value);
    }
    let mut problems = Diagnostics::new();
    for source in sources {
        if let Err(error) = env.add_template_owned(source.name.clone(), source.text.to_string()) {
            problems.push(diagnostic(&error, sources));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(env) }
}

/// A template error as a diagnostic at its file and line.
pub(crate) fn diagnostic(error: &minijinja::Error, sources: &[Source]) -> Diagnostic {
    let code = if error.kind() == ErrorKind::SyntaxError { "RPT014" } else { "RPT015" };
    let mut message = error.kind().to_string();
    if let Some(detail) = error.detail() {
        message = format!("{message}: {detail}");
    }
    let diagnostic = Diagnostic::error(code, message);
    let help = match error.kind() {
        ErrorKind::UndefinedError => "reports/README.md lists what each page has; test optional values with `is none`",
        _ => "templates are written in minijinja, which follows Jinja2",
    };
    let help = match error.kind() {
        ErrorKind::UnknownFilter => unknown_filter(error.detail().unwrap_or_default()),
        _ => help.to_owned(),
    };
    let source = error.name().and_then(|name| sources.iter().find(|s| s.name == name));
    match source {
        Some(s) => {
            let line = error.line().and_then(|l| u32::try_from(l).ok()).unwrap_or(0);
            diagnostic.at(Place::new(s.path.clone(), Arc::clone(&s.text), line, 0)).with_help(help)
        }
        None => diagnostic.with_help(help),
    }
}

/// Help for a filter that doesn't exist: the message names it as its second word.
fn unknown_filter(detail: &str) -> String {
    let name = detail.split_whitespace().nth(1).unwrap_or_default();
    let known = FILTERS.iter().copied().chain(["join", "length", "default", "upper", "lower", "title", "int", "round", "sort", "first"]);
    suggest::help(name, known).unwrap_or_else(|| format!("filters of the site: {}", FILTERS.join(", ")))
}

/// A template error as an error of the report.
pub(crate) fn failed(error: &minijinja::Error, sources: &[Source]) -> Error {
    // The cause of an error in an included template names the file that is to be mended.
    let mut cause = error;
    while let Some(next) = std::error::Error::source(cause).and_then(|s| s.downcast_ref::<minijinja::Error>()) {
        cause = next;
    }
    Error::Templates(Diagnostics::from(diagnostic(cause, sources)))
}

/// A number, or nothing where the value is none.
fn float(value: &Value) -> Result<Option<f64>, minijinja::Error> {
    match value.kind() {
        ValueKind::None => Ok(None),
        ValueKind::Undefined => Err(ErrorKind::UndefinedError.into()),
        _ => f64::try_from(value.clone()).map(Some),
    }
}

fn cents(value: &Value) -> Result<Option<i64>, minijinja::Error> {
    match value.kind() {
        ValueKind::None => Ok(None),
        ValueKind::Undefined => Err(ErrorKind::UndefinedError.into()),
        _ => i64::try_from(value.clone()).map(Some),
    }
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

fn add_filters(env: &mut Environment<'static>, format: &Format) {
    env.add_filter("clip", |text: &str, most: usize| crate::format::clip(text, most));
    let own = |f: &Format| Arc::new(f.clone());
    let f = own(format);
    env.add_filter("money", move |v: &Value| Ok::<_, minijinja::Error>(or_nothing(cents(v)?.map(|c| f.money(c)))));
    let f = own(format);
    env.add_filter("money_short", move |v: &Value| Ok::<_, minijinja::Error>(or_nothing(cents(v)?.map(|c| f.money_short(c)))));
    let f = own(format);
    env.add_filter("num", move |v: &Value, decimals: Option<usize>| {
        Ok::<_, minijinja::Error>(or_nothing(float(v)?.map(|x| f.number(x, decimals.unwrap_or(0)))))
    });
    let f = own(format);
    env.add_filter("plain", move |v: &Value| Ok::<_, minijinja::Error>(or_nothing(float(v)?.map(|x| f.plain(x)))));
    let f = own(format);
    env.add_filter("pct", move |v: &Value, decimals: Option<usize>| {
        Ok::<_, minijinja::Error>(or_nothing(float(v)?.map(|x| f.percent(x, decimals.unwrap_or(usize::from(x.abs() < 0.095))))))
    });
    let f = own(format);
    env.add_filter("signed", move |v: &Value, decimals: Option<usize>| {
        Ok::<_, minijinja::Error>(or_nothing(float(v)?.map(|x| f.signed(x, decimals.unwrap_or(0)))))
    });
    let f = own(format);
    env.add_filter("date", move |v: &Value| {
        let date = v.as_str().and_then(|s| s.parse::<NaiveDate>().ok());
        or_nothing(date.map(|d| f.date(d)))
    });
    let f = own(format);
    env.add_filter("plural", move |v: &Value, one: String, many: Option<String>| {
        let n = float(v)?.unwrap_or(0.0);
        let word = if (n - 1.0).abs() < f64::EPSILON { one } else { many.unwrap_or_else(|| format!("{one}s")) };
        Ok::<_, minijinja::Error>(format!("{} {word}", f.number(n, 0)))
    });
}
