//! A scorecard as one SQL query over the features table.
//!
//! Each measure is one column, so every figure of an account is computed within its row, in the order of the file:
//! no aggregate, no dependence on how the engine splits the work.

use crate::sql::{bracket, date, number, text, texts};
use chrono::NaiveDate;
use cscopilot_spec::{At, Better, Linear, Measure, Scorecard, Scoring, Steps, UNKNOWN_BAND};
use std::fmt::Write as _;

/// The largest finite double; what is not within it (NaN, infinite) is missing.
const LARGEST: &str = "1.7976931348623157e308";

/// The query's text up to the relation `total`: one row per account and date with `account_id`, `as_of`, `segment`,
/// `tenure_band`, `coverage`, `health_score`, and per measure `vN` (value) and `sN` (score).
fn relations(card: &Scorecard, as_ofs: &[NaiveDate]) -> String {
    let measures = card.measures();
    let mut input = String::new();
    let mut finite = String::new();
    let mut scored = String::new();
    for (i, (_, _, _, measure)) in measures.iter().enumerate() {
        let _infallible = write!(input, ",\n  CAST({} AS DOUBLE) AS x{i}", bracket(&measure.value));
        let _infallible = write!(finite, ",\n  CASE WHEN abs(x{i}) <= {LARGEST} THEN x{i} END AS v{i}");
        let _infallible = write!(scored, ",\n  v{i}, round({}, 2) AS s{i}", score(measure, i));
    }
    let expression = |e: &Option<At<String>>, sql_type: &str| match e {
        Some(e) => format!("CAST({} AS {sql_type})", bracket(e)),
        None => format!("CAST(NULL AS {sql_type})"),
    };
    let weights: Vec<f64> = measures.iter().map(|(_, _, _, m)| m.weight.value).collect();
    let covered = sum(weights.iter().enumerate().map(|(i, w)| format!("CASE WHEN s{i} IS NULL THEN 0.0 ELSE {} END", number(*w))));
    let points = sum(weights.iter().enumerate().map(|(i, w)| format!("coalesce(s{i}, 0.0) * {}", number(*w))));
    let columns: String = (0..measures.len()).map(|i| format!(", v{i}, s{i}")).collect();
    format!(
        "WITH input AS (\n SELECT CAST(account_id AS VARCHAR) AS account_id, as_of,\n  {} AS segment,\n  {} AS tenure_days{input}\n \
         FROM {} WHERE as_of IN ({})\n), finite AS (\n SELECT account_id, as_of, segment,\n  {} AS tenure_band{finite}\n FROM input\n), \
         scored AS (\n SELECT account_id, as_of, segment, tenure_band{scored}\n FROM finite\n), weighed AS (\n \
         SELECT account_id, as_of, segment, tenure_band{columns},\n  {covered} AS covered,\n  {points} AS points\n FROM scored\n), \
         total AS (\n SELECT account_id, as_of, segment, tenure_band{columns}, round(covered, 2) AS coverage,\n  \
         CASE WHEN covered > 0.0 THEN round(points / covered, 2) END AS health_score\n FROM weighed\n)\n",
        expression(&card.segment, "VARCHAR"),
        expression(&card.tenure_days, "DOUBLE"),
        card.from.value,
        as_ofs.iter().map(|d| date(*d)).collect::<Vec<_>>().join(", "),
        tenure_band(card),
    )
}

fn sum(terms: impl Iterator<Item = String>) -> String {
    let terms: Vec<String> = terms.collect();
    if terms.is_empty() { "0.0".to_owned() } else { terms.join(" + ") }
}

/// The query behind `marts.health_scores`, ordered.
pub(crate) fn scores(card: &Scorecard, as_ofs: &[NaiveDate]) -> String {
    format!(
        "{}SELECT account_id, as_of, health_score,\n {} AS health_band,\n coverage AS health_coverage_pct, segment, tenure_band\n\
         FROM total ORDER BY as_of, account_id",
        relations(card, as_ofs),
        account_band(card),
    )
}

/// The query behind `marts.health_measures`, ordered, one row per account and date: `vN`, `sN` and `bN` per measure.
pub(crate) fn measures(card: &Scorecard, as_ofs: &[NaiveDate]) -> String {
    let mut columns = String::new();
    for i in 0..card.measures().len() {
        let band = band_of(card, &format!("s{i}"));
        let _infallible = write!(columns, ",\n v{i}, s{i}, CASE WHEN s{i} IS NULL THEN {} ELSE {band} END AS b{i}", text(UNKNOWN_BAND));
    }
    format!("{}SELECT account_id, as_of{columns}\nFROM total ORDER BY as_of, account_id", relations(card, as_ofs))
}

/// One expression of the scorecard on its own, to find the one that fails on data.
pub(crate) fn alone(card: &Scorecard, expression: &str, as_ofs: &[NaiveDate]) -> String {
    let dates = as_ofs.iter().map(|d| date(*d)).collect::<Vec<_>>().join(", ");
    format!("SELECT count(CAST({} AS VARCHAR)) AS n FROM {} WHERE as_of IN ({dates})", bracket(expression), card.from.value)
}

/// The score of measure `i`, with overrides; NULL where its value is missing.
fn score(measure: &Measure, i: usize) -> String {
    let usual = scoring(&measure.score, measure.better, i);
    let mut sql = format!("CASE WHEN v{i} IS NULL THEN NULL");
    for entry in &measure.overrides {
        let fits = fits(&entry.segments, &entry.tenures);
        let _infallible = write!(sql, " WHEN {fits} THEN {}", scoring(&entry.score, measure.better, i));
    }
    let _infallible = write!(sql, " ELSE {usual} END");
    sql
}

fn scoring(scoring: &Scoring, better: Better, i: usize) -> String {
    let v = format!("v{i}");
    let reaches = match better {
        Better::Higher => ">=",
        Better::Lower => "<=",
    };
    match scoring {
        Scoring::Linear(Linear { red, green }) => {
            let worse = match better {
                Better::Higher => "<=",
                Better::Lower => ">=",
            };
            let (red_sql, green_sql) = (number(*red), number(*green));
            format!(
                "CASE WHEN {v} {reaches} {green_sql} THEN 100.0 WHEN {v} {worse} {red_sql} THEN 0.0 \
                 ELSE ({v} - {red_sql}) / ({green_sql} - {red_sql}) * 100.0 END"
            )
        }
        Scoring::Points(points) => {
            let (Some(first), Some(last)) = (points.first(), points.last()) else { return "CAST(NULL AS DOUBLE)".to_owned() };
            let mut sql = format!("CASE WHEN {v} <= {} THEN {}", number(first.value), number(first.score));
            for pair in points.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                let _infallible = write!(
                    sql,
                    " WHEN {v} < {} THEN {} + ({v} - {}) / ({} - {}) * {}",
                    number(b.value),
                    number(a.score),
                    number(a.value),
                    number(b.value),
                    number(a.value),
                    number(b.score - a.score)
                );
            }
            let _infallible = write!(sql, " ELSE {} END", number(last.score));
            sql
        }
        Scoring::Steps(Steps { steps, otherwise }) => {
            let mut sql = "CASE".to_owned();
            for step in steps {
                let _infallible = write!(sql, " WHEN {v} {reaches} {} THEN {}", number(step.limit), number(step.score));
            }
            let _infallible = write!(sql, " ELSE {} END", number(*otherwise));
            sql
        }
    }
}

/// Whether an override fits the row. An unknown segment or tenure fits none.
fn fits(segments: &[At<String>], tenures: &[At<String>]) -> String {
    let part = |column: &str, values: &[At<String>]| {
        (!values.is_empty()).then(|| format!("{column} IN ({})", texts(values.iter().map(|v| v.value.as_str()))))
    };
    let parts: Vec<String> = [part("segment", segments), part("tenure_band", tenures)].into_iter().flatten().collect();
    if parts.is_empty() { "TRUE".to_owned() } else { format!("({})", parts.join(" AND ")) }
}

fn tenure_band(card: &Scorecard) -> String {
    if card.tenure_bands.is_empty() {
        return "CAST(NULL AS VARCHAR)".to_owned();
    }
    let mut sql = "CASE".to_owned();
    for (name, bound) in card.tenures_oldest_first() {
        let _infallible = write!(sql, " WHEN tenure_days >= {} THEN {}", number(bound), text(name));
    }
    sql.push_str(" END");
    sql
}

/// The band of an account: `unknown` below the coverage asked for.
fn account_band(card: &Scorecard) -> String {
    format!(
        "CASE WHEN coverage < {} OR health_score IS NULL THEN {} ELSE {} END",
        number(card.min_coverage_pct.value),
        text(UNKNOWN_BAND),
        band_of(card, "health_score")
    )
}

/// The band of a score that is not NULL, with the overrides.
fn band_of(card: &Scorecard, score: &str) -> String {
    let ladder = |bands: &[(&str, f64)]| {
        let mut sql = "CASE".to_owned();
        for (name, bound) in bands {
            let _infallible = write!(sql, " WHEN {score} >= {} THEN {}", number(*bound), text(name));
        }
        sql.push_str(" END");
        sql
    };
    let usual = ladder(&card.bands_best_first());
    if card.band_overrides.is_empty() {
        return usual;
    }
    let mut sql = "CASE".to_owned();
    for entry in &card.band_overrides {
        let _infallible = write!(sql, " WHEN {} THEN {}", fits(&entry.segments, &entry.tenures), ladder(&card.overridden_bands(entry)));
    }
    let _infallible = write!(sql, " ELSE {usual} END");
    sql
}
