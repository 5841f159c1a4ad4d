//! The rules of sources that are accounts at a vendor: that the connector is there, and that it is told what it wants to know.

use super::{Source, rules};
use crate::connector::Connector;
use crate::{At, Loaded, Project};
use cscopilot_diag::{Diagnostics, suggest};
use std::collections::BTreeSet;

pub(super) fn check(loaded: &Loaded<Source>, name: &At<String>, project: &Project, out: &mut Diagnostics) {
    let source = &loaded.value;
    let Some(connector) = project.connectors.get(&name.value) else {
        if !project.is_broken("configs/connectors", Some(name)) {
            out.push(
                loaded
                    .error("SRC022", name, format!("there is no connector `{name}`"))
                    .with_help_opt(suggest::help(name, project.connectors.keys().map(String::as_str)))
                    .with_help("a file `configs/connectors/NAME.yaml` makes one"),
            );
        }
        return;
    };
    let connector = &connector.value;
    if let Some(auth) = &source.auth
        && connector.client.auth.get(auth).is_none()
    {
        out.push(
            loaded
                .error("SRC023", auth, format!("the connector `{name}` has no auth named `{auth}`"))
                .with_help_opt(suggest::help(auth, connector.client.auth.names())),
        );
    }
    settings(loaded, name, connector, out);
    for (stream_name, stream) in source.streams.iter() {
        if connector.streams.get(stream_name).is_none() {
            out.push(
                loaded
                    .error("SRC024", stream_name, format!("the connector `{name}` has no stream `{stream_name}`"))
                    .with_help_opt(suggest::help(stream_name, connector.streams.names())),
            );
        }
        for (what, at) in [("files", &stream.files), ("table", &stream.table), ("query", &stream.query), ("cursor", &stream.cursor)] {
            if let Some(at) = at {
                out.push(
                    loaded
                        .error("SRC025", at, format!("`{what}` has no meaning for a stream of a connector"))
                        .with_help("the connector says how its streams are read; here stand only further columns and limits"),
                );
            }
        }
        if let Some(pct) = &stream.max_rejected_pct {
            rules::percent(loaded, pct, out);
        }
        for (column_name, column) in stream.columns.iter() {
            rules::name(loaded, column_name, "column", out);
            rules::column_rules(loaded, column_name, column, out);
            if connector.streams.get(stream_name).is_some_and(|s| s.columns.get(column_name).is_some()) {
                out.push(
                    loaded
                        .error("SRC026", column_name, format!("the connector's stream has a column `{column_name}` already"))
                        .with_help("give the further column another name; `from:` says the field"),
                );
            }
        }
    }
}

fn settings(loaded: &Loaded<Source>, name: &At<String>, connector: &Connector, out: &mut Diagnostics) {
    let source = &loaded.value;
    for (setting, text) in &source.settings {
        if connector.settings.get(setting).is_none() {
            out.push(
                loaded
                    .error("SRC027", text, format!("the connector `{name}` has no setting `{setting}`"))
                    .with_help_opt(suggest::help(setting, connector.settings.names())),
            );
        }
    }
    let missing: Vec<String> = needed(connector, source.auth.as_ref().map(|a| a.value.as_str()))
        .into_iter()
        .filter(|setting| !source.settings.contains_key(setting))
        .filter(|setting| connector.settings.get(setting).is_some_and(|s| s.default.is_none()))
        .collect();
    if !missing.is_empty() {
        let lines: Vec<String> = missing
            .iter()
            .map(|setting| {
                let secret = connector.settings.get(setting).is_some_and(|s| s.secret);
                if secret { format!("{setting}: \"${{secret:{}}}\"", setting.to_uppercase()) } else { format!("{setting}: …") }
            })
            .collect();
        out.push(
            loaded
                .error("SRC028", name, format!("the connector `{name}` has to be told: {}", missing.join(", ")))
                .with_help(format!("add `settings: {{{}}}`", lines.join(", "))),
        );
    }
}

/// The settings that a way to authenticate and the client use.
fn needed(connector: &Connector, auth: Option<&str>) -> BTreeSet<String> {
    let client = &connector.client;
    let chosen = match auth {
        Some(name) => client.auth.get(name),
        None => client.auth.iter().next().map(|(_, auth)| auth),
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    if let Some(auth) = chosen {
        for template in auth.templates() {
            names.extend(template.used("setting"));
        }
        if let crate::connector::Auth::OauthRefresh(refresh) = auth {
            names.insert(refresh.refresh_token.value.clone());
        }
    }
    for template in std::iter::once(&client.base_url.value).chain(client.headers.values()).chain(client.params.values()) {
        names.extend(template.used("setting"));
    }
    names
}

/// What only connectors understand says nothing elsewhere.
pub(super) fn nothing_of_connectors(loaded: &Loaded<Source>, out: &mut Diagnostics) {
    let source = &loaded.value;
    let auth = source.auth.as_ref().map(|at| ("auth", at.clone().map(|_| ())));
    let start = source.start.as_ref().map(|at| ("start", (*at).map(|_| ())));
    let settings = source.settings.values().next().map(|at| ("settings", at.clone().map(|_| ())));
    for (what, at) in auth.into_iter().chain(start).chain(settings) {
        out.push(
            loaded
                .error("SRC029", &at, format!("`{what}` has a meaning only for connectors"))
                .with_help("remove it, or say `connector: NAME` in place of `files` or `database`"),
        );
    }
}
