//! Diagnostics on stderr (as JSON on stdout with `--format json`).

use crate::args::{Format, Global};
use cscopilot_diag::{Diagnostic, Diagnostics, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceSpan};
use std::fmt;

/// Prints all of them, and how many there are.
pub(crate) fn print(all: &Diagnostics, global: &Global) {
    if global.format == Format::Json {
        println!("{}", serde_json::json!({ "diagnostics": all }));
        return;
    }
    if super::lively() {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_links(false);
        for diagnostic in all {
            let mut text = String::new();
            if handler.render_report(&mut text, &Graphical::of(diagnostic)).is_ok() {
                eprintln!("{text}");
            } else {
                eprintln!("{diagnostic}\n");
            }
        }
    } else {
        eprintln!("{all}");
    }
    let errors = all.iter().filter(|d| d.severity == Severity::Error).count();
    if errors > 1 {
        eprintln!("\n{errors} errors");
    }
}

/// A diagnostic in miette's shape.
#[derive(Debug)]
struct Graphical<'a> {
    inner: &'a Diagnostic,
    source: Option<NamedSource<String>>,
    span: Option<SourceSpan>,
}

impl<'a> Graphical<'a> {
    fn of(inner: &'a Diagnostic) -> Self {
        let place = inner.place.as_ref().filter(|p| p.line > 0 && !p.text.is_empty());
        let span = place.map(|p| {
            let before: usize = p.text.split_inclusive('\n').take(p.line as usize - 1).map(str::len).sum();
            let line = p.source_line().unwrap_or("");
            let column: usize = line.chars().take((p.column as usize).saturating_sub(1)).map(char::len_utf8).sum();
            SourceSpan::from((before + column, p.len as usize))
        });
        let source = place.map(|p| NamedSource::new(&p.path, p.text.to_string()));
        Self { inner, source, span }
    }
}

impl fmt::Display for Graphical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match (&self.inner.place, &self.source) {
            (Some(place), None) => write!(f, " ({place})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Graphical<'_> {}

impl miette::Diagnostic for Graphical<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.inner.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.inner.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.inner.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display + 'b>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.span.map(|span| {
            Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), span))) as Box<dyn Iterator<Item = LabeledSpan>>
        })
    }
}
