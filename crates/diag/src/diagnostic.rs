use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The project can't be used.
    Error,
    /// Worth mending; work goes on.
    Warning,
}

/// A place in a file of the project. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Path relative to the project, with forward slashes.
    pub path: String,
    /// Line, from 1; 0 where only the file is known.
    pub line: u32,
    /// Column, from 1; 0 where only the line is known.
    pub column: u32,
    /// How many characters to underline.
    pub len: u32,
    /// The whole text of the file, so that the line can be shown.
    #[serde(skip)]
    pub text: Arc<str>,
}

impl Place {
    /// A place in a file whose text is at hand.
    #[must_use]
    pub fn new(path: impl Into<String>, text: Arc<str>, line: u32, column: u32) -> Self {
        let mut place = Self { path: path.into(), line, column, len: 1, text };
        place.len = place.word_len();
        place
    }

    /// A place that is a whole file.
    #[must_use]
    pub fn file(path: impl Into<String>) -> Self {
        Self { path: path.into(), line: 0, column: 0, len: 0, text: Arc::from("") }
    }

    /// The line of text at this place.
    #[must_use]
    pub fn source_line(&self) -> Option<&str> {
        let index = usize::try_from(self.line.checked_sub(1)?).ok()?;
        self.text.lines().nth(index)
    }

    /// The length of the word that starts here, so that the underline covers it.
    fn word_len(&self) -> u32 {
        let Some(line) = self.source_line() else { return 1 };
        let start = self.column.saturating_sub(1) as usize;
        let word = line.chars().skip(start).take_while(|c| c.is_alphanumeric() || "_-.$".contains(*c)).count();
        u32::try_from(word.max(1)).unwrap_or(1)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.path),
            (line, 0) => write!(f, "{}:{line}", self.path),
            (line, column) => write!(f, "{}:{line}:{column}", self.path),
        }
    }
}

/// One thing that is wrong: code, place, cause and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// A stable code such as `SPC003`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in lower case and without a period.
    pub message: String,
    /// Where it is.
    pub place: Option<Place>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error with a code and a message.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), place: None, help: None }
    }

    /// A warning with a code and a message.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do, where there is something to say.
    #[must_use]
    pub fn with_help_opt(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// Plain text as a terminal without colour shows it:
///
/// ```text
/// error[SPC002]: unknown field `strem`
///   --> configs/sources/crm.yaml:4:3
///    |
///  4 |   strem: accounts
///    |   ^^^^^
///    = help: did you mean `stream`?
/// ```
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}[{}]: {}", self.code, self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  --> {place}")?;
            if let Some(line) = place.source_line() {
                let number = place.line.to_string();
                let pad = " ".repeat(number.len());
                write!(f, "\n {pad} |\n {number} | {}", line.replace('\t', " "))?;
                if place.column > 0 {
                    let before = " ".repeat(place.column as usize - 1);
                    write!(f, "\n {pad} | {before}{}", "^".repeat(place.len.max(1) as usize))?;
                }
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

/// All that is wrong, collected over all files, in a stable order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(other);
    }

    /// Whether there is an error among them (warnings alone are fine).
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Sorts by file, line, column and code, and drops exact repetitions.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (&a.place, a.code, &a.message).cmp(&(&b.place, b.code, &b.message)));
        self.0.dedup();
    }

    /// Looks at them one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_file_line_column_and_underlines_the_word() {
        let text: Arc<str> = Arc::from("version: 1\n  strem: accounts\n");
        let d = Diagnostic::error("SPC002", "unknown field `strem`")
            .at(Place::new("configs/sources/crm.yaml", text, 2, 3))
            .with_help("did you mean `stream`?");
        insta::assert_snapshot!(d, @r"
        error[SPC002]: unknown field `strem`
          --> configs/sources/crm.yaml:2:3
           |
         2 |   strem: accounts
           |   ^^^^^
          = help: did you mean `stream`?
        ");
    }

    #[test]
    fn sorts_by_place_and_drops_repetitions() {
        let place = |line| Place::new("a.yaml", Arc::from("x\ny\n"), line, 1);
        let mut all = Diagnostics::new();
        all.push(Diagnostic::error("B", "b").at(place(2)));
        all.push(Diagnostic::error("A", "a").at(place(1)));
        all.push(Diagnostic::error("A", "a").at(place(1)));
        all.sort();
        let codes: Vec<_> = all.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["A", "B"]);
    }
}
