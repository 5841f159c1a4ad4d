//! Whether a source can be read at all: credentials, permissions, reachability, what is left of the quota.

use super::connection::Connections;
use super::fetch::Counters;
use super::{connector_of, job};
use cscopilot_diag::Coded;
use cscopilot_lake::Lake;
use cscopilot_spec::{Project, SourceKind};
use serde::Serialize;

/// What was found about one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The source.
    pub source: String,
    /// What it is: the connector's name, `files` or `database`.
    pub kind: String,
    /// Whether it can be read.
    pub ok: bool,
    /// What the API told, or what is wrong.
    pub message: String,
    /// The error's code, where there is one.
    pub code: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Requests that are left before the API refuses more, where it says so.
    pub requests_left: Option<u64>,
}

/// Tries every source, or the named one. Sends the one request a connector names as its probe; reads no data.
pub async fn doctor(project: &Project, lake: &Lake, connections: &Connections, only: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, loaded) in project.sources.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let mut finding = Finding {
            source: name.clone(),
            kind: String::new(),
            ok: true,
            message: "ready".to_owned(),
            code: None,
            help: None,
            requests_left: None,
        };
        let result = match loaded.value.kind() {
            Some(SourceKind::Connector(connector)) => {
                finding.kind.clone_from(&connector.value);
                api(project, lake, connections, name, &mut finding).await
            }
            Some(SourceKind::Files(root)) => {
                "files".clone_into(&mut finding.kind);
                crate::files::Root::open(project, root).map(|root| finding.message = format!("files in {}", root.shown()))
            }
            Some(SourceKind::Database(_)) => {
                "database".clone_into(&mut finding.kind);
                "not tried: databases are tried by reading them".clone_into(&mut finding.message);
                Ok(())
            }
            None => continue,
        };
        if let Err(error) = result {
            finding.ok = false;
            finding.message = error.to_string();
            finding.code = Some(error.code().to_owned());
            finding.help = error.help();
        }
        findings.push(finding);
    }
    findings
}

async fn api(project: &Project, lake: &Lake, connections: &Connections, name: &str, finding: &mut Finding) -> crate::Result<()> {
    let Some((source, connector)) = connector_of(project, name) else { return Ok(()) };
    let connection = connections.get(project, lake, name, source, connector).await?;
    let shown = job::probe(&connection, &connector.client, &Counters::default()).await?;
    connection.save_spent(lake).await?;
    finding.requests_left = connection.limits.left();
    finding.message = match (shown, connection.limits.quota_spent()) {
        (Some(shown), _) => shown,
        (None, Some((used, limit, _))) => format!("{used} of {limit} requests of the quota are spent"),
        (None, None) if connector.client.probe.is_none() => "not tried: the connector has no probe".to_owned(),
        (None, None) => "ready".to_owned(),
    };
    Ok(())
}
