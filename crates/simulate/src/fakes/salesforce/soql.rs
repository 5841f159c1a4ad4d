//! SOQL, as far as extractors go: one object, conditions with AND, OR and NOT, an order, a limit.

use super::objects::Object;

mod filter;
mod tokens;

pub(super) use filter::Condition;
use tokens::{Token, tokens};

/// What is selected.
#[derive(Debug, PartialEq)]
pub(super) enum Select {
    /// `COUNT()`.
    Count,
    /// Fields, named as the object names them.
    Fields(Vec<&'static str>),
}

/// A parsed query, its names checked.
#[derive(Debug)]
pub(super) struct Soql {
    pub(super) select: Select,
    pub(super) object: &'static Object,
    pub(super) filter: Option<Condition>,
    /// Fields, and whether each is descending.
    pub(super) order: Vec<(&'static str, bool)>,
    pub(super) limit: Option<usize>,
}

/// Why a query can't be run: Salesforce's code and message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str, pub(super) String);

type Parsed<T> = Result<T, Refused>;

fn unexpected(token: Option<&Token>) -> Refused {
    Refused("MALFORMED_QUERY", format!("unexpected token: '{}'", token.map_or_else(|| "<EOF>".to_string(), Token::text)))
}

/// The field of that name, or Salesforce's complaint.
fn field(object: &Object, name: &str) -> Parsed<super::objects::Field> {
    object.field(name).ok_or_else(|| {
        Refused(
            "INVALID_FIELD",
            format!(
                "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after \
                 the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
                object.name
            ),
        )
    })
}

/// The tokens that are left.
struct Reader {
    tokens: Vec<Token>,
    next: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn next(&mut self) -> Option<Token> {
        self.next += 1;
        self.tokens.get(self.next - 1).cloned()
    }

    /// Takes this word or sign if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let comes = self.peek().is_some_and(|token| token.is(word));
        self.next += usize::from(comes);
        comes
    }

    fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.take(word) { Ok(()) } else { Err(unexpected(self.peek())) }
    }

    fn word(&mut self) -> Parsed<String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            token => Err(unexpected(token.as_ref())),
        }
    }

    fn number(&mut self) -> Parsed<usize> {
        let token = self.next();
        match &token {
            Some(Token::Word(word)) => word.parse().map_err(|_| unexpected(token.as_ref())),
            _ => Err(unexpected(token.as_ref())),
        }
    }
}

/// Parses a query and checks its names.
pub(super) fn parse(text: &str) -> Parsed<Soql> {
    let mut reader = Reader { tokens: tokens(text)?, next: 0 };
    reader.expect("select")?;
    let mut names = vec![reader.word()?];
    let count = names[0].eq_ignore_ascii_case("count") && reader.take("(");
    if count {
        reader.expect(")")?;
    }
    while reader.take(",") {
        names.push(reader.word()?);
    }
    reader.expect("from")?;
    let name = reader.word()?;
    let object = Object::find(&name).ok_or_else(|| {
        let hint = "If you are attempting to use a custom object, be sure to append the '__c' after the entity name.";
        Refused("INVALID_TYPE", format!("sObject type '{name}' is not supported. {hint}"))
    })?;
    let select =
        if count { Select::Count } else { Select::Fields(names.iter().map(|name| Ok(field(object, name)?.0)).collect::<Parsed<_>>()?) };
    let filter = if reader.take("where") { Some(filter::condition(&mut reader, object)?) } else { None };
    let mut order = Vec::new();
    if reader.take("order") {
        reader.expect("by")?;
        loop {
            let (name, _) = field(object, &reader.word()?)?;
            let descending = reader.take("desc");
            let _ = descending || reader.take("asc");
            if reader.take("nulls") {
                let _ = reader.word()?;
            }
            order.push((name, descending));
            if !reader.take(",") {
                break;
            }
        }
    }
    let limit = if reader.take("limit") { Some(reader.number()?) } else { None };
    match reader.peek() {
        None => Ok(Soql { select, object, filter, order, limit }),
        token => Err(unexpected(token)),
    }
}

#[cfg(test)]
mod tests;
