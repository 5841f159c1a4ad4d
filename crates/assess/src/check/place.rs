//! From a place inside an expression to the place in the YAML file that holds it.

use cscopilot_diag::Place;
use cscopilot_spec::{At, Loaded};

/// The place of line `line`, column `column` of an expression (both from 1). Where the YAML's quoting or folding makes
/// that uncertain, the place where the expression begins.
pub(crate) fn inside<T>(loaded: &Loaded<T>, at: &At<String>, line: u32, column: u32) -> Place {
    let start = loaded.place(at);
    if at.line == 0 || line == 0 || column == 0 {
        return start;
    }
    let wanted: Option<String> = at.value.lines().nth(line as usize - 1).map(|l| l.chars().skip(column as usize - 1).take(3).collect());
    let Some(wanted) = wanted.filter(|w| !w.is_empty()) else { return start };
    let lines: Vec<&str> = loaded.text.lines().collect();
    let holds = |l: u32, c: u32| {
        let text = lines.get(l as usize - 1).map(|text| text.chars().skip(c as usize - 1).collect::<String>());
        text.is_some_and(|text| text.starts_with(wanted.trim_end()))
    };
    let indent = |l: u32| lines.get(l as usize - 1).map_or(0, |text| text.chars().take_while(|c| *c == ' ').count() as u32);
    // Plain, quoted, a block whose place is its mark (`|`), a block whose place is its first line.
    let block = at.line + line;
    let candidates = [
        (at.line + line - 1, if line == 1 { at.column + column - 1 } else { indent(at.line + line - 1) + column }),
        (at.line, at.column + column),
        (block, indent(at.line + 1) + column),
        (block.saturating_sub(1), indent(at.line) + column),
    ];
    match candidates.into_iter().find(|(l, c)| *l > 0 && *c > 0 && holds(*l, *c)) {
        Some((l, c)) => Place::new(loaded.path.clone(), std::sync::Arc::clone(&loaded.text), l, c),
        None => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::sync::Arc;

    #[derive(Deserialize)]
    struct File {
        sql: At<String>,
    }

    fn place(yaml: &str, line: u32, column: u32) -> (u32, u32) {
        let text: Arc<str> = Arc::from(yaml);
        let value: File = cscopilot_spec::parse("a.yaml", &text, &text, 0).unwrap();
        let loaded = Loaded { name: "a".into(), path: "a.yaml".into(), text, value };
        let place = inside(&loaded, &loaded.value.sql, line, column);
        (place.line, place.column)
    }

    #[test]
    fn points_into_plain_quoted_and_block_text() {
        assert_eq!(place("sql: a + bcd\n", 1, 5), (1, 10));
        assert_eq!(place("sql: \"a + bcd\"\n", 1, 5), (1, 11));
        assert_eq!(place("sql: 'a + bcd'\n", 1, 5), (1, 11));
        assert_eq!(place("sql: |\n  a\n  + bcd\n", 2, 3), (3, 5));
        assert_eq!(place("x: 1\nsql: >-\n  a + bcd\n".trim_start_matches("x: 1\n"), 1, 5), (2, 7));
    }

    #[test]
    fn falls_back_to_the_start_where_quoting_hides_the_place() {
        assert_eq!(place("sql: 'it''s + bcd'\n", 1, 8), (1, 6));
        assert_eq!(place("sql: a\n", 9, 9), (1, 6));
    }
}
