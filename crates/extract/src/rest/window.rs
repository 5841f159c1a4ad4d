//! Windows of time: which part of a stream one request run covers.
//!
//! A window is `[start, end)` in microseconds since 1970. APIs know bounds of their own (inclusive or not, in seconds or in days), so the
//! bounds that are sent are derived from the window here, and nowhere else.

use chrono::{DateTime, SecondsFormat, Utc};
use cscopilot_spec::connector::{CursorFormat, Edge, Incremental};
use serde_json::{Value, json};

/// A part of time, `[start, end)`, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

const SECOND: i64 = 1_000_000;

/// The smallest step of the API's bounds, in microseconds.
pub(crate) fn resolution(incremental: &Incremental) -> i64 {
    let secs = incremental.resolution_secs.unwrap_or_else(|| incremental.format.resolution_secs());
    i64::try_from(secs).unwrap_or(i64::MAX / SECOND).saturating_mul(SECOND).max(1_000)
}

/// Down to a multiple of the step.
pub(crate) fn floor(at: i64, step: i64) -> i64 {
    at.div_euclid(step) * step
}

/// The windows from `start` to `end`, in order; none where there is nothing in between. The last one may be short; all borders are
/// multiples of the resolution, so `end` is taken down to one.
pub(crate) fn windows(incremental: &Incremental, start: i64, end: i64) -> Vec<Window> {
    let unit = resolution(incremental);
    let (start, end) = (floor(start, unit), floor(end, unit));
    #[allow(clippy::cast_possible_truncation)]
    let step = incremental.step_days.as_ref().map_or(i64::MAX, |days| (days.value * 86_400.0) as i64 * SECOND);
    let step = if step == i64::MAX { step } else { floor(step, unit).max(unit) };
    let mut all = Vec::new();
    let mut at = start;
    while at < end {
        let next = at.saturating_add(step).min(end);
        all.push(Window { start: at, end: next });
        at = next;
    }
    all
}

impl Window {
    /// The two halves; nothing where a half would be smaller than the API can tell.
    pub(crate) fn halves(self, unit: i64) -> Option<(Self, Self)> {
        let middle = floor(self.start + (self.end - self.start) / 2, unit);
        (middle > self.start && middle < self.end)
            .then_some((Self { start: self.start, end: middle }, Self { start: middle, end: self.end }))
    }

    /// The bounds as the API wants them: `window.start` and `window.end` of templates.
    pub(crate) fn bounds(self, incremental: &Incremental) -> Value {
        let unit = resolution(incremental);
        let lower = if incremental.lower == Edge::Exclusive { self.start - unit } else { self.start };
        let upper = if incremental.upper == Edge::Inclusive { self.end - unit } else { self.end };
        json!({"start": written(lower, &incremental.format), "end": written(upper, &incremental.format)})
    }

    /// `2024-01-01T00:00:00Z to 2024-02-01T00:00:00Z`, for messages.
    pub(crate) fn shown(self) -> String {
        format!("{} to {}", iso(self.start), iso(self.end))
    }
}

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

fn iso(micros: i64) -> String {
    instant(micros).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn written(micros: i64, format: &CursorFormat) -> Value {
    match format {
        CursorFormat::Iso => json!(instant(micros).to_rfc3339_opts(SecondsFormat::Millis, true)),
        CursorFormat::UnixSecs => json!(micros.div_euclid(SECOND)),
        CursorFormat::UnixMillis => json!(micros.div_euclid(1_000)),
        CursorFormat::Date => json!(instant(micros).format("%Y-%m-%d").to_string()),
        CursorFormat::Pattern(pattern) => json!(instant(micros).format(pattern).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400 * SECOND;

    fn incremental(yaml: &str) -> Incremental {
        cscopilot_spec::parse("x.yaml", &std::sync::Arc::from(yaml), yaml, 0).unwrap()
    }

    #[test]
    fn inclusive_day_bounds_name_first_and_last_day() {
        let spec = incremental("cursor: time\nformat: date\nupper: inclusive\nstep_days: 2\n");
        let all = windows(&spec, 0, 5 * DAY + 7);
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].bounds(&spec), json!({"start": "1970-01-01", "end": "1970-01-02"}));
        assert_eq!(all[2].bounds(&spec), json!({"start": "1970-01-05", "end": "1970-01-05"}));
    }

    #[test]
    fn exclusive_lower_bounds_are_sent_one_step_earlier() {
        let spec = incremental("cursor: t\nformat: unix_secs\nlower: exclusive\n");
        assert_eq!(Window { start: 5 * SECOND, end: 9 * SECOND }.bounds(&spec), json!({"start": 4, "end": 9}));
        let hours = incremental("cursor: t\nformat: \"%Y%m%dT%H\"\nupper: inclusive\n");
        assert_eq!(Window { start: 0, end: DAY }.bounds(&hours), json!({"start": "19700101T00", "end": "19700101T23"}));
    }

    #[test]
    fn the_smallest_window_has_no_halves() {
        assert_eq!(Window { start: 0, end: DAY }.halves(DAY), None);
        assert_eq!(
            Window { start: 0, end: 3 * DAY }.halves(DAY),
            Some((Window { start: 0, end: DAY }, Window { start: DAY, end: 3 * DAY }))
        );
    }

    proptest! {
        #[test]
        fn windows_cover_time_without_gap_or_overlap(start in 0_i64..100 * DAY, length in 0_i64..50 * DAY, step in 1_u32..90) {
            let spec = incremental(&format!("cursor: t\nformat: unix_secs\nstep_days: {}\n", f64::from(step) / 8.0));
            let all = windows(&spec, start, start + length);
            for pair in all.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            if let (Some(first), Some(last)) = (all.first(), all.last()) {
                prop_assert_eq!((first.start, last.end), (floor(start, SECOND), floor(start + length, SECOND)));
                prop_assert!(all.iter().all(|w| w.start < w.end));
            } else {
                prop_assert_eq!(floor(start, SECOND), floor(start + length, SECOND));
            }
        }
    }
}
