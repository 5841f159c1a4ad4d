//! Where in the SQL a planning error is, when the planner doesn't say.
//!
//! Type errors come without a position: types are worked out after the text has become a plan. So the expressions of the
//! query are replaced by NULL, one after the other and the innermost first, until the error is gone: it was there.

use crate::check::Schemas;
use cscopilot_lake::{Params, check_sql};
use datafusion::sql::sqlparser::ast::{Expr, Query, Spanned, Statement, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// So many expressions are tried; planning takes milliseconds.
const MAX_TRIES: usize = 400;

/// The place of the expression that makes the query fail with this message.
pub(crate) fn locate(sql: &str, message: &str, tables: &Schemas, params: &Params) -> Option<(u32, u32)> {
    let mut statements = Parser::parse_sql(&GenericDialect {}, sql).ok()?;
    let Some(Statement::Query(query)) = statements.pop() else { return None };
    for index in 0..MAX_TRIES {
        let mut changed = query.clone();
        let mut replacer = Replacer { left: index, replaced: None };
        let _ = VisitMut::visit(&mut *changed, &mut replacer);
        let place = replacer.replaced?;
        let same = |q: &Query| matches!(check_sql(&q.to_string(), tables, params), Err(error) if error.message == message);
        if place.0 > 0 && !same(&changed) {
            return Some(place);
        }
    }
    None
}

struct Replacer {
    left: usize,
    replaced: Option<(u32, u32)>,
}

impl VisitorMut for Replacer {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.left > 0 {
            self.left -= 1;
            return ControlFlow::Continue(());
        }
        let start = expr.span().start;
        self.replaced = Some((u32::try_from(start.line).unwrap_or(0), u32::try_from(start.column).unwrap_or(0)));
        *expr = Expr::value(Value::Null);
        ControlFlow::Break(())
    }
}
