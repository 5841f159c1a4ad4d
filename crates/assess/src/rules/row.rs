//! The row that rules see: one per account of tonight, gathered from several tables.

use crate::error::{Error, Result};
use crate::health::scorecard;
use crate::outputs::health_scores;
use crate::rules::cells::as_date;
use crate::sql::{date, ident};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{Days, NaiveDate};
use cscopilot_lake::TableName;
use cscopilot_lake::step::StepContext;
use cscopilot_spec::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far back the earlier health score of the row lies at least, in days.
const BACK_DAYS: u64 = 28;

/// The tables of the row, the first that has a column gives it.
#[derive(Debug, Clone)]
pub struct Row {
    schema: SchemaRef,
    select: Vec<String>,
    joins: Vec<String>,
}

/// `marts.account_scores`, whose accounts and date the row has.
pub(crate) fn account_scores() -> TableName {
    TableName::new("marts", "account_scores")
}

/// `marts.accounts`, tonight's customers.
pub(crate) fn accounts() -> TableName {
    TableName::new("marts", "accounts")
}

/// The features table: that of the scorecard.
pub(crate) fn features(project: &Project) -> TableName {
    let named = scorecard(project).and_then(|card| card.value.from.parse().ok());
    named.unwrap_or_else(|| TableName::new("features", "account_features"))
}

/// The tables that the row is made of, as far as the project makes them.
pub(crate) fn tables(project: &Project) -> Vec<TableName> {
    let mut all = vec![account_scores(), accounts(), features(project)];
    if !project.scorecards.is_empty() {
        all.push(health_scores());
    }
    all.retain(|t| *t == account_scores() || *t == health_scores() || project.sql.contains_key(&t.to_string()));
    all
}

impl Row {
    /// The row over tables with these columns. Tables that are not there contribute nothing.
    ///
    /// # Errors
    /// Where `marts.account_scores` lacks its key columns or they have other types.
    pub fn new(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>) -> Result<Self> {
        let scores = schemas
            .get(&account_scores())
            .ok_or(Error::NoTable { table: account_scores(), needed_by: "alerts, opportunities and plays read" })?;
        for (key, expected) in [("account_id", "text"), ("as_of", "a date")] {
            let problem = match scores.column_with_name(key).map(|(_, f)| f.data_type()) {
                None => Some(format!("there is no column `{key}`")),
                Some(DataType::Date32) if key == "as_of" => None,
                Some(t) if key == "account_id" && super::cells::is_text(t) => None,
                Some(t) => Some(format!("`{key}` is {t}, not {expected}")),
            };
            if let Some(problem) = problem {
                return Err(Error::Columns { table: account_scores().to_string(), problem });
            }
        }
        let mut row = Self { schema: Arc::new(Schema::empty()), select: vec![], joins: vec![] };
        let mut fields: Vec<Field> = Vec::new();
        let mut seen = BTreeSet::new();
        row.take("s", scores, &mut fields, &mut seen);
        if let Some(schema) = schemas.get(&accounts()).filter(|s| s.column_with_name("account_id").is_some()) {
            row.take("a", schema, &mut fields, &mut seen);
            row.joins.push(format!("LEFT JOIN {} a ON a.account_id = s.account_id", accounts()));
        }
        let features = features(project);
        if let Some(schema) =
            schemas.get(&features).filter(|s| s.column_with_name("account_id").is_some() && s.column_with_name("as_of").is_some())
        {
            row.take("f", schema, &mut fields, &mut seen);
            // The condition on the date stands in a subquery, so that only that partition is read.
            row.joins.push(format!("LEFT JOIN (SELECT * FROM {features} WHERE as_of = {{as_of}}) f ON f.account_id = s.account_id"));
        }
        row.derive(schemas.contains_key(&health_scores()), &mut fields, &mut seen);
        row.schema = Arc::new(Schema::new(fields));
        Ok(row)
    }

    /// Takes the columns of a table that no earlier one has.
    fn take(&mut self, alias: &str, schema: &SchemaRef, fields: &mut Vec<Field>, seen: &mut BTreeSet<String>) {
        for field in schema.fields() {
            if seen.insert(field.name().clone()) {
                let name = ident(field.name());
                self.select.push(format!("{alias}.{name} AS {name}"));
                fields.push(field.as_ref().clone().with_nullable(true));
            }
        }
    }

    /// Adds what follows from other columns, unless a table has a column of that name.
    fn derive(&mut self, has_health: bool, fields: &mut Vec<Field>, seen: &mut BTreeSet<String>) {
        let source = |fields: &[Field], name: &str| {
            let at = fields.iter().position(|f| f.name() == name)?;
            Some((at, fields[at].data_type().clone()))
        };
        if let Some((at, t)) = source(fields, "renewal_date")
            && t.is_temporal()
            && seen.insert("days_to_renewal".to_owned())
        {
            let date = self.select[at].split(" AS ").next().unwrap_or_default().to_owned();
            self.select.push(format!("CAST(CAST({date} AS DATE) AS INT) - CAST(s.as_of AS INT) AS days_to_renewal"));
            fields.push(Field::new("days_to_renewal", DataType::Int32, true));
        }
        if let Some((at, DataType::List(item) | DataType::LargeList(item))) = source(fields, "top_reasons")
            && let DataType::Struct(parts) = item.data_type()
            && parts.iter().any(|p| p.name() == "text" && super::cells::is_text(p.data_type()))
            && seen.insert("main_reason".to_owned())
        {
            let reasons = self.select[at].split(" AS ").next().unwrap_or_default().to_owned();
            self.select.push(format!("{reasons}[1]['text'] AS main_reason"));
            fields.push(Field::new("main_reason", DataType::Utf8, true));
        }
        if has_health && seen.insert("health_score_28d_ago".to_owned()) {
            self.select.push("h.health_score AS health_score_28d_ago".to_owned());
            fields.push(Field::new("health_score_28d_ago", DataType::Float64, true));
            self.joins.push(format!(
                "LEFT JOIN (SELECT account_id, health_score FROM {} WHERE as_of = {{before}}) h ON h.account_id = s.account_id",
                health_scores()
            ));
        }
    }

    /// Adds a column that comes from a subquery with `account_id`, for plays.
    pub(crate) fn join(&mut self, alias: &str, subquery: &str, columns: &[(&str, DataType, &str)]) {
        let mut fields: Vec<Field> = self.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        for (name, data_type, sql) in columns {
            if self.schema.column_with_name(name).is_none() {
                self.select.push(format!("{sql} AS {name}"));
                fields.push(Field::new(*name, data_type.clone(), true));
            }
        }
        self.joins.push(format!("LEFT JOIN ({subquery}) {alias} ON {alias}.account_id = s.account_id"));
        self.schema = Arc::new(Schema::new(fields));
    }

    /// The columns of the row.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The relation of tonight's rows. `before` is the date of the earlier health scores.
    #[must_use]
    pub fn sql(&self, as_of: NaiveDate, before: Option<NaiveDate>) -> String {
        let before = before.map_or_else(|| "CAST(NULL AS DATE)".to_owned(), date);
        let joins = self.joins.join("\n").replace("{as_of}", &date(as_of)).replace("{before}", &before);
        format!("SELECT {}\nFROM (SELECT * FROM {} WHERE as_of = {}) s\n{joins}", self.select.join(", "), account_scores(), date(as_of))
    }

    /// The row over what is in the lake now, and the date of its earlier health scores: what [`Row::sql`] needs.
    ///
    /// # Errors
    /// Where `marts.account_scores` or its rows of tonight are missing, or the lake fails.
    pub async fn tonight(ctx: &StepContext) -> Result<(Self, Option<NaiveDate>)> {
        let mut schemas = BTreeMap::new();
        for table in tables(&ctx.project) {
            if let Some(info) = ctx.lake.table(&table).await? {
                schemas.insert(table, info.schema);
            }
        }
        let row = Self::new(&ctx.project, &schemas)?;
        let sql = format!("SELECT count(*) AS n FROM {} WHERE as_of = {}", account_scores(), date(ctx.as_of));
        let batches = ctx.lake.query(&sql, &ctx.params).await?;
        let rows = batches.first().map_or(Ok(None), |b| super::cells::integer(b.column(0), 0))?;
        if rows.unwrap_or(0) == 0 {
            return Err(Error::NoRows { table: account_scores(), as_of: ctx.as_of });
        }
        let before = if schemas.contains_key(&health_scores()) { earlier(ctx).await? } else { None };
        Ok((row, before))
    }
}

/// The newest date of health scores that lies far enough back.
async fn earlier(ctx: &StepContext) -> Result<Option<NaiveDate>> {
    let latest = ctx.as_of.checked_sub_days(Days::new(BACK_DAYS)).unwrap_or(ctx.as_of);
    let sql = format!("SELECT max(as_of) AS d FROM {} WHERE as_of <= {}", health_scores(), date(latest));
    let batches = ctx.lake.query(&sql, &ctx.params).await?;
    batches.first().map_or(Ok(None), |b| as_date(b.column(0), 0))
}
