//! Functions of our own, registered in every session.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// Adds all functions to a context.
pub(crate) fn register(context: &SessionContext) {
    context.register_udf(ScalarUDF::from(NormalizeDomain::new()));
}

/// `normalize_domain(text)`: the domain of a URL, a host or an e-mail address, for matching accounts of different vendors.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NormalizeDomain {
    signature: Signature,
}

impl NormalizeDomain {
    fn new() -> Self {
        Self { signature: Signature::string(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for NormalizeDomain {
    fn name(&self) -> &str {
        "normalize_domain"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let input = args.args[0].to_array(if scalar { 1 } else { rows })?;
        let input = arrow::compute::cast(&input, &DataType::Utf8)?;
        let mut output = StringBuilder::new();
        for text in input.as_string::<i32>() {
            output.append_option(text.and_then(normalize_domain));
        }
        let output: ArrayRef = Arc::new(output.finish());
        if scalar {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&output, 0)?));
        }
        Ok(ColumnarValue::Array(output))
    }
}

/// Domains of mail providers: they say nothing about the company.
const FREE_MAIL: &[&str] = &[
    "aol.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

/// The domain in a text, in lower case: no scheme, user, `www.`, port or path. `None` for free mail providers and for what is no domain.
fn normalize_domain(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = text.split(['/', '?', '#']).next()?;
    let host = host.rsplit('@').next()?;
    let host = host.split(':').next()?.trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let well_formed =
        host.contains('.') && host.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-'));
    (well_formed && FREE_MAIL.binary_search(&host).is_err()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_free_mail_is_sorted() {
        assert!(FREE_MAIL.is_sorted());
    }

    #[test]
    fn urls_hosts_and_addresses_give_the_same_domain() {
        for text in [
            "https://www.Acme.com/about?x",
            "acme.com",
            " WWW.ACME.COM. ",
            "jane@acme.com",
            "http://acme.com:8080/",
            "mailto://jane@acme.com",
        ] {
            assert_eq!(normalize_domain(text).as_deref(), Some("acme.com"), "{text}");
        }
        for text in ["jane@gmail.com", "n/a", "", "acme", "acme..com", "a b.com"] {
            assert_eq!(normalize_domain(text), None, "{text}");
        }
    }
}
