use crate::args::{ExplainArgs, Format, Global};
use crate::context::{Failure, lake, project};
use crate::render;
use cscopilot_diag::{Diagnostic, ExitClass};
use cscopilot_lake::{Lake, Params, TableName};

/// The parts of an explanation: title, the table that must be there, the query.
const PARTS: [(&str, &str, &str); 7] = [
    (
        "Scores",
        "marts.account_scores",
        "SELECT account_id, account_name, segment, arr, renewal_date, round(health_score, 1) AS health_score, health_band, \
         round(churn_probability, 4) AS churn_probability, churn_decile FROM marts.account_scores WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of",
    ),
    (
        "Why the models think so",
        "marts.model_scores",
        "SELECT model, r['text'] AS reason, round(r['contribution'], 4) AS contribution FROM \
         (SELECT model, unnest(top_reasons) AS r FROM marts.model_scores WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of) \
         ORDER BY model, abs(r['contribution']) DESC",
    ),
    (
        "What moved the scores since last time, in points of probability",
        "marts.score_movements",
        "SELECT model, from_as_of AS since, cause, feature, round(from_value, 3) AS from_value, round(to_value, 3) AS to_value, \
         round(100 * contribution_delta, 3) AS points, text FROM marts.score_movements WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of \
         ORDER BY model, abs(contribution_delta) DESC, cause, feature",
    ),
    (
        "Health, measure by measure",
        "marts.health_measures",
        "SELECT \"group\", label, round(value, 3) AS value, round(score, 1) AS score, round(weight, 1) AS weight, band FROM marts.health_measures \
         WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of ORDER BY \"group\", measure",
    ),
    (
        "Alerts",
        "ops.alerts",
        "SELECT rule, severity, state, opened_at, evidence FROM ops.alerts WHERE CAST(account_id AS VARCHAR) = $account ORDER BY opened_at DESC, rule",
    ),
    (
        "Opportunities",
        "marts.opportunities",
        "SELECT kind, product, propensity, expected_arr, evidence FROM marts.opportunities WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of ORDER BY kind",
    ),
    (
        "What to do next",
        "marts.next_actions",
        "SELECT rank, play, reason, due_on, owner FROM marts.next_actions WHERE CAST(account_id AS VARCHAR) = $account AND as_of = $as_of ORDER BY rank",
    ),
];

/// `cscopilot explain`
pub(crate) async fn run(args: &ExplainArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    let as_of = match args.as_of.as_of {
        Some(date) => date,
        None => newest(&lake).await?.unwrap_or_else(cscopilot_diag::clock::today),
    };
    let params = Params::new().with("account", args.account.clone()).with("as_of", as_of);
    let mut found = false;
    for (title, table, sql) in PARTS {
        let Ok(name) = table.parse::<TableName>() else { continue };
        if lake.table(&name).await?.is_none() {
            continue;
        }
        let rows = lake.query(sql, &params).await?;
        if rows.iter().all(|b| b.num_rows() == 0) {
            continue;
        }
        found = true;
        if global.format == Format::Text {
            println!("{title}");
        }
        render::rows::print(&rows, None, global)?;
    }
    if found {
        return Ok(ExitClass::Done);
    }
    Err(Failure::failed(Diagnostic::error("CLI030", format!("nothing is known of account `{}` as of {as_of}", args.account)).with_help(
        "see `cscopilot query \"SELECT account_id, account_name FROM marts.accounts\"` for the ids, and `--as-of` for the night",
    )))
}

/// The newest night that has scores.
async fn newest(lake: &Lake) -> Result<Option<chrono::NaiveDate>, Failure> {
    let table = TableName::new("marts", "account_scores");
    if lake.table(&table).await?.is_none() {
        return Ok(None);
    }
    let rows = lake.query("SELECT CAST(max(as_of) AS VARCHAR) AS as_of FROM marts.account_scores", &Params::new()).await?;
    let text = rows.iter().find(|b| b.num_rows() > 0).and_then(|b| arrow::util::display::array_value_to_string(b.column(0), 0).ok());
    Ok(text.and_then(|t| t.parse().ok()))
}
