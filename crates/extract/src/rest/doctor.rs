//! Whether a source can be read at all: credentials, permissions, reachability, what is left of the quota.

use super::connection::Connections;
use super::fetch::Counters;
use super::{connector_of, job};
use crate::error::{Error, Result};
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
    /// What the API or the database told, or what is wrong.
    pub message: String,
    /// The error's code, where there is one.
    pub code: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Requests that are left before the API refuses more, where it says so.
    pub requests_left: Option<u64>,
}

/// Tries every source, or the named one. Sends the one request that a connector names as its probe, and asks a database for the columns of
/// its streams; reads no data.
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
                database(project, name, &mut finding).await
            }
            None => continue,
        };
        if let Err(error) = result {
            finding.fails(&error);
        }
        findings.push(finding);
    }
    findings
}

impl Finding {
    fn fails(&mut self, error: &Error) {
        self.ok = false;
        self.message = error.to_string();
        self.code = Some(error.code().to_owned());
        self.help = error.help();
    }
}

/// Whether a database can be reached, and has the tables and columns of all streams.
async fn database(project: &Project, name: &str, finding: &mut Finding) -> Result<()> {
    let Some(source) = project.sources.get(name) else { return Ok(()) };
    let errors = crate::database::look(project, &source.value, name).await?;
    match errors.split_first() {
        Some((first, others)) => {
            finding.fails(first);
            finding.message.extend(others.iter().map(|error| format!("; {error}")));
        }
        None => {
            let streams = source.value.streams.len();
            finding.message = format!("{streams} {} there with all columns", if streams == 1 { "stream is" } else { "streams are" });
        }
    }
    Ok(())
}

async fn api(project: &Project, lake: &Lake, connections: &Connections, name: &str, finding: &mut Finding) -> Result<()> {
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
