//! Parameters become typed literals of the parsed statement: never text that is spliced into SQL, and with their type from the start.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, plan_datafusion_err};
use datafusion::common::{Diagnostic, Span};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, TimezoneInfo, Value as SqlValue, ValueWithSpan, VisitMut, VisitorMut};

use crate::{Params, Value};

/// Replaces every `$name`; one that has no value is an error.
pub(crate) fn bind(statement: &mut Statement, params: &Params) -> Result<(), DataFusionError> {
    match statement {
        Statement::Statement(inner) => {
            let mut binder = Binder { params };
            match inner.visit(&mut binder) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(missing) => Err(missing.into_error(params)),
            }
        }
        Statement::Explain(explain) => bind(&mut explain.statement, params),
        _ => Ok(()),
    }
}

struct Binder<'a> {
    params: &'a Params,
}

struct Missing {
    name: String,
    span: Option<Span>,
}

impl Missing {
    fn into_error(self, params: &Params) -> DataFusionError {
        let message = format!("there is no parameter `${}`", self.name);
        let known: Vec<&str> = params.iter().map(|(name, _)| name).collect();
        let mut diagnostic = Diagnostic::new_error(message.clone(), self.span);
        if let Some(help) = cscopilot_diag::suggest::help(&self.name, known) {
            diagnostic.add_help(help, None);
        }
        plan_datafusion_err!("{message}").with_diagnostic(diagnostic)
    }
}

impl VisitorMut for Binder<'_> {
    type Break = Missing;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Missing> {
        let Expr::Value(ValueWithSpan { value: SqlValue::Placeholder(placeholder), span }) = expr else { return ControlFlow::Continue(()) };
        let name = placeholder.trim_start_matches(['$', ':', '?']);
        match self.params.get(name) {
            Some(value) => {
                *expr = literal(value, *span);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Missing { name: name.to_owned(), span: Span::try_from_sqlparser_span(*span) }),
        }
    }
}

fn literal(value: &Value, span: datafusion::sql::sqlparser::tokenizer::Span) -> Expr {
    let plain = |value| Expr::Value(ValueWithSpan { value, span });
    let cast = |text: String, data_type| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(plain(SqlValue::SingleQuotedString(text))),
        data_type,
        array: false,
        format: None,
    };
    match value {
        Value::Str(v) => plain(SqlValue::SingleQuotedString(v.clone())),
        Value::Bool(v) => plain(SqlValue::Boolean(*v)),
        Value::Int(v) => cast(v.to_string(), DataType::BigInt(None)),
        Value::Float(v) => cast(v.to_string(), DataType::Double(datafusion::sql::sqlparser::ast::ExactNumberInfo::None)),
        Value::Date(v) => cast(v.to_string(), DataType::Date),
        Value::Timestamp(_) => cast(value.to_string(), DataType::Timestamp(Some(6), TimezoneInfo::WithTimeZone)),
    }
}
