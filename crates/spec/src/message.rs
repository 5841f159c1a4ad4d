use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// One piece of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessagePiece {
    /// Plain characters.
    Literal(String),
    /// `{name}` or `{name:format}`: the value of a column, for people.
    Value {
        /// A column of the row, or a name under `evidence:`.
        name: String,
        /// How it is shown.
        format: ValueFormat,
    },
}

/// How a placeholder shows its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFormat {
    /// `{x}`: text as it is, numbers with at most two decimals, dates as YYYY-MM-DD, booleans as yes and no.
    Auto,
    /// `{x:int}`, `{x:1}`, `{x:2}` …: this many decimals, thousands separated.
    Decimals(u8),
    /// `{x:pct}`: a share as a percentage, 0.25 as 25%.
    Pct,
    /// `{x:money}`: no decimals, thousands separated.
    Money,
}

/// A sentence with placeholders: `"{usage_change:pct} less usage than four weeks ago"`.
///
/// `{{` and `}}` stand for braces. A value that is NULL is shown as `unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    raw: String,
    pieces: Vec<MessagePiece>,
}

impl Message {
    /// Parses the placeholders.
    ///
    /// # Errors
    /// A message for an open brace, an empty name or an unknown format.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = raw;
        while let Some(brace) = rest.find(['{', '}']) {
            literal.push_str(&rest[..brace]);
            let open = rest[brace..].starts_with('{');
            let doubled = rest[brace + 1..].starts_with(if open { '{' } else { '}' });
            if doubled {
                literal.push(if open { '{' } else { '}' });
                rest = &rest[brace + 2..];
                continue;
            }
            if !open {
                return Err("a closing brace without an opening one; write `}}` for a brace".to_owned());
            }
            let inner = &rest[brace + 1..];
            let end = inner.find('}').ok_or_else(|| format!("`{{{inner}` is not closed with a brace; write `{{{{` for a brace"))?;
            if !literal.is_empty() {
                pieces.push(MessagePiece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(placeholder(&inner[..end])?);
            rest = &inner[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(MessagePiece::Literal(literal));
        }
        Ok(Self { raw: raw.to_owned(), pieces })
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[MessagePiece] {
        &self.pieces
    }

    /// The text as it was written.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The names of the placeholders, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            MessagePiece::Literal(_) => None,
            MessagePiece::Value { name, .. } => Some(name.as_str()),
        })
    }
}

fn placeholder(inner: &str) -> Result<MessagePiece, String> {
    let (name, format) = inner.split_once(':').map_or((inner, None), |(name, format)| (name, Some(format)));
    let name = name.trim();
    let plain =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain {
        return Err(format!("`{{{inner}}}` doesn't name a column; calculate it under `evidence:` and use that name"));
    }
    let format = match format.map(str::trim) {
        None => ValueFormat::Auto,
        Some("int") => ValueFormat::Decimals(0),
        Some("pct") => ValueFormat::Pct,
        Some("money") => ValueFormat::Money,
        Some(digits) => match digits.parse() {
            Ok(n) if n <= 9 => ValueFormat::Decimals(n),
            _ => return Err(format!("`{digits}` is not a format; known: int, pct, money, or a number of decimals (0 to 9)")),
        },
    };
    Ok(MessagePiece::Value { name: name.to_owned(), format })
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

impl JsonSchema for Message {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Message".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "May hold {column} or {evidence name}; formats: {x:int}, {x:1}, {x:pct}, {x:money}."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_placeholders_from_words() {
        let message = Message::parse("{a} of {b:pct}, {{not}} {c:2}").unwrap();
        let value = |name: &str, format| MessagePiece::Value { name: name.into(), format };
        assert_eq!(
            message.pieces(),
            [
                value("a", ValueFormat::Auto),
                MessagePiece::Literal(" of ".into()),
                value("b", ValueFormat::Pct),
                MessagePiece::Literal(", {not} ".into()),
                value("c", ValueFormat::Decimals(2)),
            ]
        );
        assert_eq!(message.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn refuses_what_it_can_not_show() {
        for (bad, part) in [("{a", "not closed"), ("a}", "closing brace"), ("{}", "column"), ("{a + b}", "evidence"), ("{a:x}", "format")] {
            let message = Message::parse(bad).unwrap_err();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_input_is_an_answer(s in ".*") {
            let _answer = Message::parse(&s);
        }
    }
}
