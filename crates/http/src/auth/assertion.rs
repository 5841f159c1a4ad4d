use crate::{Error, Result};
use cscopilot_diag::{Secret, clock};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// A signed statement of who asks, which holds for so long (RFC 7523, RS256).
pub(super) fn sign(issuer: &str, subject: &str, audience: &str, private_key_pem: &Secret, lifetime: Duration) -> Result<Secret> {
    let bad = |e: jsonwebtoken::errors::Error| Error::BadKey { reason: e.to_string() };
    let iat = u64::try_from(clock::now().timestamp()).unwrap_or(0);
    let claims = Claims { iss: issuer, sub: subject, aud: audience, iat, exp: iat.saturating_add(lifetime.as_secs()) };
    // Environment variables often hold a key on one line, its line breaks written as `\n`.
    let pem = private_key_pem.expose().replace("\\n", "\n");
    let key = EncodingKey::from_rsa_pem(pem.trim().as_bytes()).map_err(bad)?;
    encode(&Header::new(Algorithm::RS256), &claims, &key).map(Secret::new).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use std::collections::BTreeMap;

    const PRIVATE: &str = include_str!("testdata/private.pem");
    const PUBLIC: &str = include_str!("testdata/public.pem");

    fn claims(token: &Secret, audience: &str) -> jsonwebtoken::errors::Result<BTreeMap<String, serde_json::Value>> {
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&[audience]);
        let key = DecodingKey::from_rsa_pem(PUBLIC.as_bytes()).unwrap();
        decode(token.expose(), &key, &rules).map(|data| data.claims)
    }

    #[test]
    fn an_assertion_verifies_with_the_public_key_and_says_who_asks() {
        let token =
            sign("client", "user@example.com", "https://login.example.com", &Secret::new(PRIVATE), Duration::from_secs(180)).unwrap();
        let claims = claims(&token, "https://login.example.com").unwrap();
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        assert_eq!((text("iss"), text("sub")), ("client".to_owned(), "user@example.com".to_owned()));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 180);
    }

    #[test]
    fn an_assertion_that_was_changed_or_is_meant_for_another_does_not_verify() {
        let token = sign("client", "user", "here", &Secret::new(PRIVATE), Duration::from_secs(180)).unwrap();
        assert!(claims(&token, "elsewhere").is_err());
        let mut parts: Vec<String> = token.expose().split('.').map(str::to_owned).collect();
        let other = sign("client", "somebody else", "here", &Secret::new(PRIVATE), Duration::from_secs(180)).unwrap();
        parts[1] = other.expose().split('.').nth(1).unwrap().to_owned();
        assert!(claims(&Secret::new(parts.join(".")), "here").is_err());
    }

    #[test]
    fn a_key_on_one_line_is_a_key_too() {
        let line = Secret::new(PRIVATE.replace('\n', "\\n"));
        assert!(claims(&sign("c", "u", "a", &line, Duration::from_secs(60)).unwrap(), "a").is_ok());
    }

    #[test]
    fn a_broken_key_is_an_error_that_does_not_quote_it() {
        let halved: String = PRIVATE.lines().enumerate().filter(|(n, _)| n % 2 == 0).map(|(_, line)| format!("{line}\n")).collect();
        for bad in ["", "not a key", PUBLIC, &halved] {
            let error = sign("c", "u", "a", &Secret::new(bad), Duration::from_secs(60)).unwrap_err();
            let Error::BadKey { reason } = &error else { panic!("{error:?}") };
            assert!(bad.lines().filter(|line| line.len() > 20).all(|line| !reason.contains(line)), "{reason}");
        }
    }
}
