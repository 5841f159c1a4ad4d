//! Words, signs and texts of a query.

use super::Refused;

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, keyword, number, date or instant.
    Word(String),
    /// A comma, parenthesis or comparison.
    Sign(&'static str),
    /// A text between quotes, without them.
    Quoted(String),
}

impl Token {
    /// Is it this keyword or sign?
    pub(super) fn is(&self, word: &str) -> bool {
        match self {
            Self::Word(own) => own.eq_ignore_ascii_case(word),
            Self::Sign(own) => *own == word,
            Self::Quoted(_) => false,
        }
    }

    /// As it was written, about.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Sign(sign) => (*sign).to_string(),
            Self::Quoted(text) => format!("'{text}'"),
        }
    }
}

/// Longer signs first, so that `<=` isn't read as `<`.
const SIGNS: [&str; 10] = ["<=", ">=", "!=", "<>", "<", ">", "=", ",", "(", ")"];

/// Splits a query.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            tokens.push(Token::Quoted(value));
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "<>=!,()'".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(Refused("MALFORMED_QUERY", format!("unexpected token: '{first}'")));
            }
            tokens.push(Token::Word(rest[..end].to_string()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str) -> Result<(String, &str), Refused> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
            '\'' => return Ok((value, &text[i + 1..])),
            c => value.push(c),
        }
    }
    Err(Refused("MALFORMED_QUERY", "line breaks not allowed in string literals".to_string()))
}
