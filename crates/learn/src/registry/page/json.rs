//! Parts of a training's `detail` that the card has no words for, as tables: what a new measure writes is on the card at once.

use serde_json::Value;

use super::html::{Table, escape, number};

/// A value of any shape; nothing for an empty one.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Array(items) if items.iter().all(Value::is_object) => list(items),
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Object(fields) if interval(value).is_none() => {
            let (nested, flat): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, v)| is_table(v));
            let mut out = String::new();
            if !flat.is_empty() {
                let mut table = Table::new(&["", ">"]);
                for (key, v) in flat {
                    for (name, cell) in cells(&words(key), v) {
                        table.row(&[&name, &cell]);
                    }
                }
                out.push_str(&table.end());
            }
            for (key, v) in nested {
                out.push_str(&format!("<h3>{}</h3>\n{}", escape(&words(key)), shown(v)));
            }
            out
        }
        Value::Null => String::new(),
        other => format!("<p>{}</p>\n", escape(&cell(other))),
    }
}

fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

/// Objects as rows, whose fields are the columns.
fn list(items: &[Value]) -> String {
    let rows: Vec<Vec<(String, String)>> =
        items.iter().map(|item| item.as_object().into_iter().flatten().flat_map(|(key, v)| cells(&words(key), v)).collect()).collect();
    let mut heads: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !heads.contains(name) {
            heads.push(name.clone());
        }
    }
    // Columns of words come first: they say what the row is about.
    let is_text = |head: &String| {
        let first = rows.iter().flatten().find(|(name, cell)| name == head && !cell.is_empty());
        first.is_some_and(|(_, cell)| !cell.starts_with(|c: char| c.is_ascii_digit() || c == '−'))
    };
    heads.sort_by_key(|head| !is_text(head));
    let shown: Vec<String> = heads.iter().map(|h| if is_text(h) { h.clone() } else { format!(">{h}") }).collect();
    let mut table = Table::new(&shown);
    for row in &rows {
        let cells: Vec<&str> =
            heads.iter().map(|head| row.iter().find(|(name, _)| name == head).map_or("", |(_, cell)| cell.as_str())).collect();
        table.row(&cells);
    }
    table.end()
}

/// A field as named cells: objects within become several.
fn cells(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) if interval(value).is_none() => {
            fields.iter().flat_map(|(key, v)| cells(&format!("{name}, {}", words(key)), v)).collect()
        }
        other => vec![(name.to_owned(), cell(other))],
    }
}

/// A value without fields of its own as one text.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::String(text) => text.clone(),
        // Pairs such as a name and its figure belong together.
        Value::Array(items) => {
            let one = |item: &Value| item.as_array().map_or_else(|| cell(item), |pair| pair.iter().map(cell).collect::<Vec<_>>().join(" "));
            items.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Value::Object(_) => interval(value).unwrap_or_else(|| value.to_string()),
    }
}

/// `{value, low, high}` as one text, the interval below the value.
fn interval(value: &Value) -> Option<String> {
    let of = |name: &str| value[name].as_f64();
    Some(format!("{}\n({} to {})", number(of("value")?), number(of("low")?), number(of("high")?)))
}

fn words(key: &str) -> String {
    key.replace('_', " ")
}
