//! Expected rows against rows that came out, as a table for people.

use crate::rows::Cell;
use std::collections::BTreeMap;

type Rows = [Vec<Cell>];

/// How one line of the table is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Same,
    Missing,
    Unexpected,
}

/// `None` where both hold the same rows (in the same order, if that matters), else what differs.
pub(crate) fn diff(columns: &[String], expected: &Rows, got: &Rows, ordered: bool) -> Option<String> {
    let key = |row: &Vec<Cell>| row.iter().map(|c| c.key.clone()).collect::<Vec<_>>();
    let keys = |rows: &Rows| {
        let mut keys: Vec<_> = rows.iter().map(key).collect();
        if !ordered {
            keys.sort();
        }
        keys
    };
    if keys(expected) == keys(got) {
        return None;
    }
    let mut lines = Vec::new();
    let differing = if ordered { by_position(expected, got, &mut lines) } else { by_likeness(expected, got, &mut lines) };
    let count = |n: usize| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
    let mut text =
        format!("expected {}, got {}, {differing} differ{}\n", count(expected.len()), got.len(), if differing == 1 { "s" } else { "" });
    render(columns, &lines, &mut text);
    Some(text)
}

type Line<'a> = (Mark, &'a [Cell], Vec<usize>);

fn by_position<'a>(expected: &'a Rows, got: &'a Rows, lines: &mut Vec<Line<'a>>) -> usize {
    let mut differing = 0;
    for i in 0..expected.len().max(got.len()) {
        match (expected.get(i), got.get(i)) {
            (Some(e), Some(g)) if same(e, g) => lines.push((Mark::Same, e, vec![])),
            (e, g) => {
                differing += 1;
                pair(e, g, lines);
            }
        }
    }
    differing
}

/// Equal rows cancel out; each missing row is then shown beside the unexpected one that shares the most cells with it.
fn by_likeness<'a>(expected: &'a Rows, got: &'a Rows, lines: &mut Vec<Line<'a>>) -> usize {
    let mut spare: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    for (i, row) in got.iter().enumerate().rev() {
        spare.entry(row.iter().map(|c| c.key.as_str()).collect()).or_default().push(i);
    }
    let mut used = vec![false; got.len()];
    let mut missing = vec![false; expected.len()];
    for (i, row) in expected.iter().enumerate() {
        match spare.get_mut(&row.iter().map(|c| c.key.as_str()).collect::<Vec<_>>()).and_then(Vec::pop) {
            Some(at) => used[at] = true,
            None => missing[i] = true,
        }
    }
    let mut differing = 0;
    for (i, row) in expected.iter().enumerate() {
        if !missing[i] {
            lines.push((Mark::Same, row, vec![]));
            continue;
        }
        differing += 1;
        let shared = |at: usize| row.iter().zip(&got[at]).filter(|(a, b)| a.key == b.key).count();
        let best = (0..got.len()).filter(|at| !used[*at] && shared(*at) > 0).max_by_key(|at| (shared(*at), std::cmp::Reverse(*at)));
        if let Some(at) = best {
            used[at] = true;
        }
        pair(Some(row), best.map(|at| &got[at]), lines);
    }
    for (row, _) in got.iter().zip(&used).filter(|(_, used)| !**used) {
        differing += 1;
        pair(None, Some(row), lines);
    }
    differing
}

fn pair<'a>(expected: Option<&'a Vec<Cell>>, got: Option<&'a Vec<Cell>>, lines: &mut Vec<Line<'a>>) {
    let unlike = match (expected, got) {
        (Some(e), Some(g)) => (0..e.len()).filter(|i| e[*i].key != g[*i].key).collect(),
        _ => vec![],
    };
    if let Some(row) = expected {
        lines.push((Mark::Missing, row, vec![]));
    }
    if let Some(row) = got {
        lines.push((Mark::Unexpected, row, unlike));
    }
}

fn same(a: &[Cell], b: &[Cell]) -> bool {
    a.iter().map(|c| &c.key).eq(b.iter().map(|c| &c.key))
}

fn render(columns: &[String], lines: &[Line<'_>], out: &mut String) {
    let width = |s: &str| s.chars().count();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, name)| lines.iter().map(|(_, row, _)| width(&row[i].text)).max().unwrap_or(0).max(width(name)))
        .collect();
    let mut line = |mark: char, cells: &mut dyn Iterator<Item = &str>, fill: &str| {
        let cells: Vec<String> = cells.zip(&widths).map(|(cell, w)| format!("{cell}{}", " ".repeat(w - width(cell)))).collect();
        out.push_str(format!("  {mark} {}", cells.join(fill)).trim_end());
        out.push('\n');
    };
    line(' ', &mut columns.iter().map(String::as_str), " | ");
    for (mark, row, unlike) in lines {
        let sign = match mark {
            Mark::Same => ' ',
            Mark::Missing => '-',
            Mark::Unexpected => '+',
        };
        line(sign, &mut row.iter().map(|c| c.text.as_str()), " | ");
        if !unlike.is_empty() {
            let arrows: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(i, c)| if unlike.contains(&i) { "^".repeat(width(&c.text).max(1)) } else { String::new() })
                .collect();
            line(' ', &mut arrows.iter().map(String::as_str), "   ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[&[&str]]) -> Vec<Vec<Cell>> {
        text.iter().map(|r| r.iter().map(|c| Cell { key: (*c).to_owned(), text: (*c).to_owned() }).collect()).collect()
    }

    fn columns() -> Vec<String> {
        ["account_id", "as_of", "logins"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_same_rows_in_another_order_are_the_same() {
        let a = rows(&[&["a", "x", "1"], &["b", "x", "2"]]);
        let b = rows(&[&["b", "x", "2"], &["a", "x", "1"]]);
        assert_eq!(diff(&columns(), &a, &b, false), None);
        assert!(diff(&columns(), &a, &b, true).is_some());
    }

    #[test]
    fn a_differing_cell_is_underlined_beside_its_row() {
        let expected = rows(&[&["a1", "2023-10-01", "3"], &["a2", "2023-10-01", "4"], &["a3", "2023-10-01", "5"]]);
        let got = rows(&[&["a1", "2023-10-01", "3"], &["a9", "2023-11-01", "77"], &["a2", "2023-10-01", "14"]]);
        insta::assert_snapshot!(diff(&columns(), &expected, &got, false).unwrap(), @r"
        expected 3 rows, got 3, 3 differ
            account_id | as_of      | logins
            a1         | 2023-10-01 | 3
          - a2         | 2023-10-01 | 4
          + a2         | 2023-10-01 | 14
                                      ^^
          - a3         | 2023-10-01 | 5
          + a9         | 2023-11-01 | 77
        ");
    }

    #[test]
    fn repeated_rows_are_counted() {
        let expected = rows(&[&["a", "x", "1"]]);
        let got = rows(&[&["a", "x", "1"], &["a", "x", "1"]]);
        insta::assert_snapshot!(diff(&columns(), &expected, &got, false).unwrap(), @r"
        expected 1 row, got 2, 1 differs
            account_id | as_of | logins
            a          | x     | 1
          + a          | x     | 1
        ");
    }

    #[test]
    fn order_counts_where_it_is_asked_for() {
        let expected = rows(&[&["a", "x", "1"], &["b", "x", "2"]]);
        let got = rows(&[&["b", "x", "2"], &["a", "x", "1"]]);
        insta::assert_snapshot!(diff(&columns(), &expected, &got, true).unwrap(), @r"
        expected 2 rows, got 2, 2 differ
            account_id | as_of | logins
          - a          | x     | 1
          + b          | x     | 2
            ^                    ^
          - b          | x     | 2
          + a          | x     | 1
            ^                    ^
        ");
    }
}
