//! Results by segment and by band of tenure, on the test period.

use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::metrics::measure::Measured;
use crate::train::backtest::{Bench, Measurements, Place};
use crate::train::contender::Predicted;

/// Of a column with more segments only the largest are shown: a column of names is no segmentation.
const MOST_SEGMENTS: usize = 50;

/// The figures of one segment.
#[derive(Debug, Clone, Serialize)]
pub struct SegmentFigures {
    /// The column; for bands of tenure, the column of tenure.
    pub column: String,
    /// The segment.
    pub segment: String,
    /// Rows.
    pub rows: usize,
    /// Events.
    pub events: usize,
    /// Different accounts with the event.
    pub event_accounts: usize,
    /// Share of rows with the event.
    pub rate: f64,
    /// Mean probability.
    pub predicted: f64,
    /// Figures with intervals; none where too few accounts have the event, or all rows.
    pub by_rows: Measured,
}

/// Segments on the bench, waiting for their figures.
pub struct Segments(Vec<(SegmentFigures, Option<Place>)>);

impl Segments {
    /// Puts the test period's segments on the bench; those with fewer than `least_events` accounts with the event get no interval.
    pub fn add(bench: &mut Bench<'_>, data: &Dataset, test: &Predicted, least_events: usize) -> Self {
        let mut all = Vec::new();
        for column in &data.segments {
            let mut members: Vec<Vec<usize>> = vec![Vec::new(); column.labels.len()];
            for (position, row) in test.rows.iter().enumerate() {
                members[column.codes[*row] as usize].push(position);
            }
            let mut largest: Vec<usize> = (0..members.len()).filter(|s| !members[*s].is_empty()).collect();
            largest.sort_by_key(|s| std::cmp::Reverse(members[*s].len()));
            largest.truncate(MOST_SEGMENTS);
            largest.sort_unstable();
            for segment in largest {
                let pick = |values: &[f64]| -> Vec<f64> { members[segment].iter().map(|p| values[*p]).collect() };
                let rows: Vec<usize> = members[segment].iter().map(|p| test.rows[*p]).collect();
                let (margins, probabilities) = (pick(&test.margins), pick(&test.probabilities));
                let (events, event_accounts) = (data.count_events(&rows), data.accounts_with_event(&rows));
                let figures = SegmentFigures {
                    column: column.name.clone(),
                    segment: column.labels[segment].clone(),
                    rows: rows.len(),
                    events,
                    event_accounts,
                    rate: events as f64 / rows.len() as f64,
                    predicted: probabilities.iter().sum::<f64>() / rows.len() as f64,
                    by_rows: Measured::new(),
                };
                let place = (event_accounts >= least_events).then(|| bench.add(&rows, &margins, &probabilities, None));
                all.push((figures, place));
            }
        }
        Self(all)
    }

    /// The figures.
    pub fn report(self, found: &Measurements) -> Vec<SegmentFigures> {
        let fill = |(mut figures, place): (SegmentFigures, Option<Place>)| {
            figures.by_rows = place.map(|p| found.measured(p)).unwrap_or_default();
            figures
        };
        self.0.into_iter().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::SegmentColumn;
    use crate::metrics::bootstrap::Draws;
    use crate::metrics::measure::Figure;
    use crate::train::contender::Part;

    #[test]
    fn a_segment_that_the_model_turns_round_shows_and_a_small_one_has_no_interval() {
        let n = 400;
        let events: Vec<bool> = (0..n).map(|i| (i * 7) % 10 < 3).collect();
        // Right in the first half, turned round in the second.
        let margins: Vec<f64> =
            (0..n).map(|i| f64::from((i * 37) as u32 % 5) / 2.0 + if events[i] == (i < n / 2) { 1.0 } else { 0.0 }).collect();
        let data = Dataset {
            dates: vec![chrono::NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            segments: vec![SegmentColumn {
                name: "plan".into(),
                codes: (0..n as u32).map(|i| if i >= 390 { 2 } else { u32::from(i >= 200) }).collect(),
                labels: vec!["old".into(), "new".into(), "rare".into(), "nobody".into()],
            }],
            events,
            ..Dataset::default()
        };
        let rows: Vec<usize> = (0..n).collect();
        let test = Predicted { part: Part::Test, rows: rows.clone(), rows_train: 0, probabilities: vec![0.3; n], margins };
        let mut bench = Bench::new(&data, &rows, None);
        let segments = Segments::add(&mut bench, &data, &test, 20);
        let found = bench.measure(Draws { samples: 200, confidence: 0.95, seed: 1 });
        let report = segments.report(&found);
        assert_eq!(report.iter().map(|s| s.segment.as_str()).collect::<Vec<_>>(), ["old", "new", "rare"]);
        assert!(report[0].by_rows[&Figure::Auc].low > 0.5, "{:?}", report[0]);
        assert!(report[1].by_rows[&Figure::Auc].high < 0.5, "{:?}", report[1]);
        assert!(report[2].by_rows.is_empty() && report[2].events == 3 && report[2].rows == 10, "{:?}", report[2]);
    }
}
