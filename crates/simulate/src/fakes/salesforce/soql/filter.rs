//! The conditions of a query, and whether a record meets them.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::super::objects::{Field, Kind, Object};
use super::super::records::stamp;
use super::tokens::Token;
use super::{Parsed, Reader, Refused, field, unexpected};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// A value to compare with. Instants and days are kept as the records write them, so that their order is that of texts.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// What must hold.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Field, Operator, Literal),
    In(Field, Vec<Literal>),
}

impl Condition {
    /// Does a record meet it?
    pub(in super::super) fn holds(&self, record: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|c| c.holds(record)),
            Self::Any(any) => any.iter().any(|c| c.holds(record)),
            Self::Not(inner) => !inner.holds(record),
            Self::In((name, kind), literals) => literals.iter().any(|l| compare(&record[*name], *kind, l) == Some(Ordering::Equal)),
            Self::Compare((name, _), Operator::Like, Literal::Text(pattern)) => {
                record[*name].as_str().is_some_and(|text| like(&text.to_lowercase(), &pattern.to_lowercase()))
            }
            Self::Compare((name, kind), operator, literal) => {
                let order = compare(&record[*name], *kind, literal);
                match operator {
                    Operator::Equal => order == Some(Ordering::Equal),
                    Operator::NotEqual => order != Some(Ordering::Equal),
                    Operator::Less => order == Some(Ordering::Less),
                    Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                    Operator::Greater => order == Some(Ordering::Greater),
                    Operator::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                    Operator::Like => false,
                }
            }
        }
    }
}

/// How a record's value stands to a literal; nothing can be said if only one of them is null.
fn compare(value: &Value, kind: Kind, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Bool(a), Literal::Boolean(b)) => Some(a.cmp(b)),
        (Value::Number(a), Literal::Number(b)) => a.as_f64()?.partial_cmp(b),
        (Value::String(a), Literal::Text(b)) => Some(match kind {
            // The last three characters of an id only repeat what the others say.
            Kind::Id if b.len() == 15 => a.get(..15)?.cmp(b),
            Kind::Id | Kind::Date | Kind::DateTime => a.cmp(b),
            _ => a.to_lowercase().cmp(&b.to_lowercase()),
        }),
        _ => None,
    }
}

/// `%` stands for any characters, `_` for one.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => text.char_indices().map(|(i, _)| i).chain([text.len()]).any(|i| like(&text[i..], rest.as_str())),
        Some(c) => {
            let mut own = text.chars();
            own.next().is_some_and(|o| c == '_' || c == o) && like(own.as_str(), rest.as_str())
        }
    }
}

pub(super) fn condition(reader: &mut Reader, object: &Object) -> Parsed<Condition> {
    let first = factor(reader, object)?;
    let mut parts = vec![first];
    if reader.take("and") {
        parts.push(factor(reader, object)?);
        while reader.take("and") {
            parts.push(factor(reader, object)?);
        }
        return Ok(Condition::All(parts));
    }
    while reader.take("or") {
        parts.push(factor(reader, object)?);
    }
    Ok(if parts.len() > 1 { Condition::Any(parts) } else { parts.remove(0) })
}

fn factor(reader: &mut Reader, object: &Object) -> Parsed<Condition> {
    if reader.take("not") {
        return Ok(Condition::Not(Box::new(factor(reader, object)?)));
    }
    if reader.take("(") {
        let inner = condition(reader, object)?;
        reader.expect(")")?;
        return Ok(inner);
    }
    let field = field(object, &reader.word()?)?;
    let negated = reader.take("not");
    if reader.take("in") {
        reader.expect("(")?;
        let mut literals = vec![literal(reader, field)?];
        while reader.take(",") {
            literals.push(literal(reader, field)?);
        }
        reader.expect(")")?;
        let condition = Condition::In(field, literals);
        return Ok(if negated { Condition::Not(Box::new(condition)) } else { condition });
    }
    if negated {
        return Err(unexpected(reader.peek()));
    }
    let token = reader.next();
    let operator = match &token {
        Some(Token::Sign("=")) => Operator::Equal,
        Some(Token::Sign("!=" | "<>")) => Operator::NotEqual,
        Some(Token::Sign("<")) => Operator::Less,
        Some(Token::Sign("<=")) => Operator::LessOrEqual,
        Some(Token::Sign(">")) => Operator::Greater,
        Some(Token::Sign(">=")) => Operator::GreaterOrEqual,
        Some(token) if token.is("like") => Operator::Like,
        token => return Err(unexpected(token.as_ref())),
    };
    Ok(Condition::Compare(field, operator, literal(reader, field)?))
}

fn literal(reader: &mut Reader, (name, kind): Field) -> Parsed<Literal> {
    let wrong = |quotes: &str| {
        let message = format!("value of filter criterion for field '{name}' must be of type {} and should {quotes}", type_name(kind));
        Refused("INVALID_FIELD", message)
    };
    let token = reader.next();
    let word = match &token {
        Some(Token::Quoted(text)) if matches!(kind, Kind::Id | Kind::Text(_)) => return Ok(Literal::Text(text.clone())),
        Some(Token::Quoted(_)) => return Err(wrong("not be enclosed in quotes")),
        Some(Token::Word(word)) => word,
        token => return Err(unexpected(token.as_ref())),
    };
    if word.eq_ignore_ascii_case("null") {
        return Ok(Literal::Null);
    }
    match kind {
        Kind::Boolean if word.eq_ignore_ascii_case("true") => Ok(Literal::Boolean(true)),
        Kind::Boolean if word.eq_ignore_ascii_case("false") => Ok(Literal::Boolean(false)),
        Kind::Number(_) => word.parse().map(Literal::Number).map_err(|_| unexpected(token.as_ref())),
        Kind::Date => word.parse::<NaiveDate>().map(|day| Literal::Text(day.to_string())).map_err(|_| unexpected(token.as_ref())),
        Kind::DateTime => {
            let at = DateTime::parse_from_rfc3339(word).or_else(|_| DateTime::parse_from_str(word, "%Y-%m-%dT%H:%M:%S%.f%z"));
            at.map(|at| Literal::Text(stamp(at.timestamp_micros()))).map_err(|_| unexpected(token.as_ref()))
        }
        Kind::Id | Kind::Text(_) => Err(wrong("be enclosed in quotes")),
        Kind::Boolean | Kind::Address => Err(unexpected(token.as_ref())),
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::DateTime => "dateTime",
        other => other.name(),
    }
}
