use crate::args::{Format, Global};
use crate::context::{Failure, lake, project};
use crate::render::thousands;
use cscopilot_diag::ExitClass;
use cscopilot_extract::StreamStatus;

/// `cscopilot sources`
pub(crate) async fn run(global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    let all = cscopilot_extract::status(&project, &lake).await?;
    match global.format {
        Format::Json => println!("{}", serde_json::json!(all)),
        Format::Text => print!("{}", table(&all)),
    }
    Ok(ExitClass::Done)
}

/// One line a stream.
fn table(all: &[StreamStatus]) -> String {
    let name = |s: &StreamStatus| format!("{}.{}", s.source, s.stream);
    let rows = |s: &StreamStatus| s.rows.map_or_else(|| "–".to_owned(), thousands);
    let width =
        |title: &str, of: &dyn Fn(&StreamStatus) -> String| all.iter().map(|s| of(s).chars().count()).max().unwrap_or(0).max(title.len());
    let (names, kinds, counts) = (width("stream", &name), width("kind", &|s| s.kind.clone()), width("rows", &rows));
    let line = |name: &str, kind: &str, rows: &str, progress: &str| format!("{name:names$}  {kind:kinds$}  {rows:>counts$}  {progress}\n");
    let mut text = line("stream", "kind", "rows", "how far it was read");
    for status in all {
        text.push_str(&line(&name(status), &status.kind, &rows(status), &status.progress));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_says_in_words_how_far_it_was_read() {
        let status = |stream: &str, kind: &str, rows: Option<u64>, progress: &str| StreamStatus {
            source: "crm".to_owned(),
            stream: stream.to_owned(),
            kind: kind.to_owned(),
            rows,
            progress: progress.to_owned(),
            whole_at: None,
            upto: None,
            cursor: None,
            lag_secs: None,
        };
        let all = [
            status(
                "companies",
                "hubspot",
                Some(5_000),
                "read whole on 2026-06-29 13:37 UTC, changes up to 2026-06-30 12:00 UTC, 2 h behind",
            ),
            status("deal_companies", "hubspot", None, "not read yet"),
        ];
        insta::assert_snapshot!(table(&all), @"
        stream              kind      rows  how far it was read
        crm.companies       hubspot  5,000  read whole on 2026-06-29 13:37 UTC, changes up to 2026-06-30 12:00 UTC, 2 h behind
        crm.deal_companies  hubspot      –  not read yet
        ");
    }
}
