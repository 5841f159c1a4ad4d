//! Where each table, and each column, comes from.
//!
//! Columns are followed through the logical plan, so a column counts as a source where its value goes into the result:
//! columns that are only filtered or joined by don't.

use crate::arrival::Embargoes;
use crate::check::{Schemas, check_models};
use crate::compile::compile;
use crate::error::Result;
use cscopilot_diag::Diagnostics;
use cscopilot_lake::{Lake, LakeOptions, Params, TableName};
use cscopilot_spec::Project;
use cscopilot_spec::sql::Materialization;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Column {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
}

/// A table in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub table: TableName,
    /// `view`, `table`, `incremental`, or `source` for tables that SQL doesn't make.
    pub kind: &'static str,
    /// What its header says one row is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Which tables and columns go into which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// All tables that models make or read, sorted.
    pub tables: Vec<Node>,
    /// Pairs of tables: the first is read by the second's SQL.
    pub edges: Vec<(TableName, TableName)>,
    /// Pairs of columns: the first goes into the second.
    pub columns: Vec<(Column, Column)>,
}

/// The lineage of all models. Models that don't compile have no columns; `check` says why.
///
/// # Errors
/// When no session can be had.
pub async fn lineage(project: &Project, base_schemas: &Schemas, params: &Params) -> Result<Graph> {
    let models = compile(project.sql.values(), params, &Embargoes::of(project), &mut Diagnostics::new());
    let mut known = check_models(&models, base_schemas, params, &mut Diagnostics::new());
    known.extend(base_schemas.iter().map(|(t, s)| (t.clone(), s.clone())));
    let mut nodes: BTreeMap<TableName, Node> = BTreeMap::new();
    let mut graph = Graph::default();
    let lake = Lake::open("memory://lineage", LakeOptions::default()).await?;
    for model in models.models.values() {
        let kind = match model.materialization() {
            Materialization::View => "view",
            Materialization::Table => "table",
            Materialization::Incremental => "incremental",
        };
        let description = model.file.value.header.description.clone();
        nodes.insert(model.table.clone(), Node { table: model.table.clone(), kind, description });
        let session = lake.session();
        for read in model.reads() {
            graph.edges.push((read.clone(), model.table.clone()));
            nodes.entry(read.clone()).or_insert_with(|| Node { table: read.clone(), kind: "source", description: None });
            if let Some(schema) = known.get(&read) {
                session.register_batches(&read, schema.clone(), vec![])?;
            }
        }
        let Ok(frame) = session.sql(&model.sql, params).await else { continue };
        let plan = frame.into_unoptimized_plan();
        for (field, sources) in plan.schema().fields().iter().zip(sources(&plan)) {
            let to = Column { table: model.table.clone(), column: field.name().clone() };
            graph.columns.extend(sources.into_iter().map(|from| (from, to.clone())));
        }
    }
    // Models come first in the map, so a table that is read before its own entry was made still has its kind.
    for model in models.models.values() {
        if let Some(node) = nodes.get_mut(&model.table) {
            node.description.clone_from(&model.file.value.header.description);
        }
    }
    graph.tables = nodes.into_values().collect();
    graph.edges.sort();
    graph.columns.sort();
    Ok(graph)
}

type Sources = BTreeSet<Column>;

/// For each output column of a plan, the table columns whose values go into it.
fn sources(plan: &LogicalPlan) -> Vec<Sources> {
    let width = plan.schema().fields().len();
    let found = match plan {
        LogicalPlan::TableScan(scan) => {
            let table = scan.table_name.schema().map(|schema| TableName::new(schema, scan.table_name.table()));
            scan.projected_schema
                .fields()
                .iter()
                .map(|field| table.iter().map(|t| Column { table: t.clone(), column: field.name().clone() }).collect())
                .collect()
        }
        LogicalPlan::Projection(p) => of_expressions(&p.expr, &p.input),
        LogicalPlan::Aggregate(a) => {
            let mut found = of_expressions(&a.group_expr, &a.input);
            found.extend(of_expressions(&a.aggr_expr, &a.input));
            found
        }
        LogicalPlan::Window(w) => {
            let mut found = sources(&w.input);
            found.extend(of_expressions(&w.window_expr, &w.input));
            found
        }
        LogicalPlan::Join(j) => {
            let mut found = sources(&j.left);
            found.extend(sources(&j.right));
            found.truncate(width);
            found
        }
        LogicalPlan::Union(u) => {
            let mut found = vec![Sources::new(); width];
            for input in &u.inputs {
                for (all, one) in found.iter_mut().zip(sources(input)) {
                    all.extend(one);
                }
            }
            found
        }
        LogicalPlan::Distinct(Distinct::On(on)) => of_expressions(&on.select_expr, &on.input),
        LogicalPlan::RecursiveQuery(r) => sources(&r.static_term),
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => plan.inputs().first().map(|input| sources(input)).unwrap_or_default(),
        _ => vec![],
    };
    if found.len() == width {
        return found;
    }
    // A node that is not known here: everything may come from everything.
    let all: Sources = plan.inputs().into_iter().flat_map(sources).flatten().collect();
    vec![all; width]
}

fn of_expressions(expressions: &[Expr], input: &LogicalPlan) -> Vec<Sources> {
    let below = sources(input);
    expressions.iter().map(|e| of_expression(e, input.schema(), &below)).collect()
}

fn of_expression(expression: &Expr, schema: &DFSchema, below: &[Sources]) -> Sources {
    let mut found = Sources::new();
    let walked = expression.apply(|e| {
        match e {
            Expr::Column(column) => {
                if let Some(sources) = schema.maybe_index_of_column(column).and_then(|i| below.get(i)) {
                    found.extend(sources.iter().cloned());
                }
            }
            Expr::ScalarSubquery(subquery) => found.extend(sources(&subquery.subquery).into_iter().flatten()),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // The closure never fails.
    drop(walked);
    found
}
