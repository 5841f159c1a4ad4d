use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// One piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Plain characters.
    Literal(String),
    /// `${env:NAME}`: an environment variable.
    Env(String),
    /// `${secret:NAME}`: a secret, resolved late and never printed.
    Secret(String),
    /// `${param:name}`: a parameter of the project or the command line.
    Param(String),
}

/// A string that may hold `${env:X}`, `${secret:X}` and `${param:x}`.
///
/// YAML is parsed first and interpolated after, so a value can't break the file's structure. `$$` stands for a dollar
/// sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    raw: String,
    pieces: Vec<Piece>,
}

impl Text {
    /// Parses the text's references.
    ///
    /// # Errors
    /// A message for an unclosed or unknown reference.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = raw;
        while let Some(dollar) = rest.find('$') {
            literal.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let end = after.find('}').ok_or_else(|| format!("`${{{after}` is not closed with a brace"))?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(reference(&after[..end])?);
                rest = &after[end + 1..];
            } else {
                literal.push('$');
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { raw: raw.to_owned(), pieces })
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text as it was written, references unresolved: safe to print.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

fn reference(inner: &str) -> Result<Piece, String> {
    let (kind, name) = inner
        .split_once(':')
        .ok_or_else(|| format!("`${{{inner}}}` has no kind; write `${{env:X}}`, `${{secret:X}}` or `${{param:x}}`"))?;
    let valid = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !valid {
        return Err(format!("`${{{inner}}}` doesn't name anything: letters, digits, `_` and `-` are allowed"));
    }
    match kind {
        "env" => Ok(Piece::Env(name.to_owned())),
        "secret" => Ok(Piece::Secret(name.to_owned())),
        "param" => Ok(Piece::Param(name.to_owned())),
        _ => Err(format!("`{kind}` is not a kind of reference; known: env, param, secret")),
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "May hold ${env:X}, ${secret:X} and ${param:x}."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_references_from_plain_characters() {
        let text = Text::parse("${param:data_dir}/x-$$5-${env:HOME}").unwrap();
        assert_eq!(text.pieces(), [Piece::Param("data_dir".into()), Piece::Literal("/x-$5-".into()), Piece::Env("HOME".into())]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (bad, part) in [("${param:a", "not closed"), ("${a}", "no kind"), ("${vault:a}", "not a kind"), ("${env:}", "name")] {
            let message = Text::parse(bad).unwrap_err();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_plain_text(s in "[^$]*") {
            let text = Text::parse(&s).unwrap();
            let joined: String = text.pieces().iter().map(|p| match p { Piece::Literal(l) => l.as_str(), _ => "" }).collect();
            proptest::prop_assert_eq!(joined, s);
        }

        #[test]
        fn any_input_is_an_answer(s in ".*") {
            let _answer = Text::parse(&s);
        }
    }
}
