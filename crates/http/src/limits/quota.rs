use regex::Regex;

/// A header such as `api-usage=18/5000`, and when to stop.
#[derive(Debug, Clone)]
pub struct QuotaRule {
    /// The header's name.
    pub header: String,
    /// A regular expression with the groups `used` and `limit`. One that is none never finds anything, and the log says so: whoever reads
    /// it from a file checks it there, where the line can be shown.
    pub pattern: String,
    /// It is time to stop when so many percent are spent.
    pub stop_at_pct: f64,
}

/// What a rule's header says.
#[derive(Debug)]
pub(super) struct Quota {
    header: String,
    pattern: Regex,
    stop_at_pct: f64,
    /// Used, and limit.
    spent: Option<(u64, u64)>,
}

impl Quota {
    pub(super) fn new(rule: QuotaRule) -> Option<Self> {
        match Regex::new(&rule.pattern) {
            Ok(pattern) => Some(Self { header: rule.header.to_ascii_lowercase(), pattern, stop_at_pct: rule.stop_at_pct, spent: None }),
            Err(error) => {
                tracing::error!(header = rule.header, %error, "the quota is not watched");
                None
            }
        }
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// Takes in a value of the header; one that looks otherwise says nothing.
    pub(super) fn observe(&mut self, value: &str) {
        let found = self.pattern.captures(value);
        let group = |name| found.as_ref()?.name(name)?.as_str().parse().ok();
        if let (Some(used), Some(limit)) = (group("used"), group("limit")) {
            self.spent = Some((used, limit));
        }
    }

    /// Used, limit, and whether it is time to stop.
    pub(super) fn spent(&self) -> Option<(u64, u64, bool)> {
        let (used, limit) = self.spent?;
        Some((used, limit, used as f64 * 100.0 >= self.stop_at_pct * limit as f64))
    }
}
