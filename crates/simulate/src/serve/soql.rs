//! As much of SOQL as an extractor or a sync needs: `SELECT fields FROM Account [WHERE field IN (…) | field = …] [LIMIT n]`.

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) fields: Vec<String>,
    pub(super) object: String,
    /// A field and the values it may have.
    pub(super) filter: Option<(String, Vec<String>)>,
    pub(super) limit: Option<usize>,
}

/// Splits into words, signs and quoted texts (which keep their opening quote).
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            ',' | '(' | ')' | '=' => tokens.push(c.to_string()),
            '\'' => {
                let mut value = String::from("'");
                loop {
                    match chars.next() {
                        Some('\\') => value.extend(chars.next()),
                        Some('\'') => break,
                        Some(c) => value.push(c),
                        None => return Err("line breaks not allowed in string literals".to_string()),
                    }
                }
                tokens.push(value);
            }
            c => {
                let mut word = c.to_string();
                while let Some(next) = chars.next_if(|n| !n.is_whitespace() && !",()='".contains(*n)) {
                    word.push(next);
                }
                tokens.push(word);
            }
        }
    }
    Ok(tokens)
}

/// Parses a query.
pub(super) fn parse(text: &str) -> Result<Query, String> {
    let tokens = tokens(text)?;
    let mut rest = tokens.iter().map(String::as_str).peekable();
    let unexpected = |token: Option<&str>| format!("unexpected token: {}", token.unwrap_or("<EOF>"));
    let is = |token: Option<&str>, word: &str| token.is_some_and(|t| t.eq_ignore_ascii_case(word));
    let first = rest.next();
    if !is(first, "select") {
        return Err(unexpected(first));
    }
    let mut fields = Vec::new();
    loop {
        fields.push(rest.next().ok_or_else(|| unexpected(None))?.to_string());
        match rest.next() {
            Some(",") => {}
            token if is(token, "from") => break,
            token => return Err(unexpected(token)),
        }
    }
    let object = rest.next().ok_or_else(|| unexpected(None))?.to_string();
    let (mut filter, mut limit) = (None, None);
    while let Some(word) = rest.next() {
        if is(Some(word), "where") {
            let field = rest.next().ok_or_else(|| unexpected(None))?.to_string();
            let mut values = Vec::new();
            match rest.next() {
                Some("=") => values.extend(rest.next().map(unquoted)),
                token if is(token, "in") => {
                    if rest.next() != Some("(") {
                        return Err(unexpected(Some("in")));
                    }
                    for token in rest.by_ref() {
                        match token {
                            "," => {}
                            ")" => break,
                            value => values.push(unquoted(value)),
                        }
                    }
                }
                token => return Err(unexpected(token)),
            }
            filter = Some((field, values));
        } else if is(Some(word), "limit") {
            limit = Some(rest.next().and_then(|n| n.parse().ok()).ok_or_else(|| unexpected(None))?);
        } else if is(Some(word), "order") {
            // Everything comes sorted by Id.
            let _ = (rest.next(), rest.next());
        } else {
            return Err(unexpected(Some(word)));
        }
    }
    Ok(Query { fields, object, filter, limit })
}

fn unquoted(token: &str) -> String {
    token.strip_prefix('\'').unwrap_or(token).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_filter_and_limit() {
        let query = parse("SELECT Id, Name FROM Account WHERE Name IN ('O\\'Hara, Inc.','B') ORDER BY Id LIMIT 5").unwrap();
        assert_eq!(query.fields, ["Id", "Name"]);
        assert_eq!(query.filter, Some(("Name".to_string(), vec!["O'Hara, Inc.".to_string(), "B".to_string()])));
        assert_eq!(query.limit, Some(5));
        assert_eq!(parse("select Id from Account where Id = '001'").unwrap().filter.unwrap().1, ["001"]);
    }

    #[test]
    fn says_what_it_did_not_expect() {
        assert_eq!(parse("DELETE Id FROM Account").unwrap_err(), "unexpected token: DELETE");
        assert_eq!(parse("SELECT Id FROM Account HAVING x").unwrap_err(), "unexpected token: HAVING");
        assert!(parse("SELECT Id FROM Account WHERE Id = 'x").is_err());
    }
}
