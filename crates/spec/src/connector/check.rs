//! The rules of manifests: names that must be there, and settings that must agree.

use super::{
    Auth, Body, Connector, ConnectorStream, Endpoint, JsonTemplate, Paginator, Partitions, Predicate, Read, ResponseFormat, Template,
};
use crate::{At, Loaded};
use cscopilot_diag::{Diagnostics, suggest};

type Manifest = Loaded<Connector>;

pub(super) fn connector(loaded: &Manifest, out: &mut Diagnostics) {
    let manifest = &loaded.value;
    let client = &manifest.client;
    for (name, auth) in client.auth.iter() {
        auth_rules(loaded, name, auth, out);
    }
    let base = &client.base_url;
    open_templates(loaded, base, std::iter::once(&base.value).chain(client.headers.values()).chain(client.params.values()), out);
    for rate in &client.rates {
        if rate.requests.value == 0 || rate.per_secs.value == 0 {
            out.push(
                loaded
                    .error("CON001", &rate.requests, "a rate of no requests, or in no time, lets nothing through")
                    .with_help("write `requests: 100` and `per_secs: 60`"),
            );
        }
    }
    for setting in client.rates.iter().filter_map(|rate| rate.setting.as_ref()) {
        if manifest.settings.get(setting).is_none() {
            out.push(
                loaded
                    .error("CON006", setting, format!("the connector declares no setting `{setting}`"))
                    .with_help_opt(suggest::help(setting, manifest.settings.names())),
            );
        }
    }
    if client.concurrency.value == 0 {
        out.push(loaded.error("CON002", &client.concurrency, "no request could be under way").with_help("write `concurrency: 1` or more"));
    }
    if let Some(quota) = client.budget.as_ref().and_then(|b| b.quota.as_ref()) {
        let groups =
            regex::Regex::new(&quota.pattern).map(|r| ["used", "limit"].iter().all(|g| r.capture_names().flatten().any(|n| n == *g)));
        if groups != Ok(true) {
            out.push(
                loaded
                    .error("CON003", &quota.pattern, "the pattern is no regular expression with the groups `used` and `limit`")
                    .with_help("write for example `api-usage=(?<used>\\d+)/(?<limit>\\d+)`"),
            );
        }
    }
    if let Some(probe) = &client.probe {
        endpoint(loaded, &probe.endpoint, out);
    }
    for (name, stream) in manifest.streams.iter() {
        stream_rules(loaded, name, stream, out);
    }
}

fn auth_rules(loaded: &Manifest, name: &At<String>, auth: &Auth, out: &mut Diagnostics) {
    for template in auth.templates() {
        known_settings(loaded, template, template, out);
    }
    match auth {
        Auth::ApiKey(key) if key.header.is_some() == key.query.is_some() => out.push(
            loaded
                .error("CON004", name, "an API key stands in a header or in the query")
                .with_help("write either `header: X-Api-Key` or `query: api_key`"),
        ),
        Auth::OauthRefresh(refresh) if !loaded.value.settings.get(&refresh.refresh_token).is_some_and(|s| s.secret) => out.push(
            loaded
                .error("CON005", &refresh.refresh_token, format!("`{}` is no secret setting of the connector", refresh.refresh_token))
                .with_help("declare it under `settings:` with `secret: true`"),
        ),
        _ => {}
    }
}

/// Settings that are there.
fn known_settings<T>(loaded: &Manifest, at: &At<T>, template: &Template, out: &mut Diagnostics) {
    for setting in template.used("setting") {
        if loaded.value.settings.get(&setting).is_none() {
            out.push(
                loaded
                    .error("CON006", at, format!("the connector declares no setting `{setting}`"))
                    .with_help_opt(suggest::help(&setting, loaded.value.settings.names())),
            );
        }
    }
}

/// Templates whose text may be shown: without secrets.
fn open_templates<'a, T>(loaded: &Manifest, at: &At<T>, templates: impl Iterator<Item = &'a Template>, out: &mut Diagnostics) {
    for template in templates {
        known_settings(loaded, at, template, out);
        for setting in template.used("setting") {
            if loaded.value.settings.get(&setting).is_some_and(|s| s.secret) {
                out.push(
                    loaded
                        .error("CON007", at, format!("the secret `{setting}` stands where its value could be printed"))
                        .with_help("secrets belong in `client.auth`"),
                );
            }
        }
    }
}

fn endpoint(loaded: &Manifest, endpoint: &Endpoint, out: &mut Diagnostics) {
    let json = endpoint.params.iter().map(|(_, value)| value).chain(match &endpoint.body {
        Some(Body::Json(body)) => Some(body),
        _ => None,
    });
    let mut templates: Vec<&Template> = json.flat_map(JsonTemplate::templates).collect();
    if let Some(Body::Form(fields)) = &endpoint.body {
        templates.extend(fields.iter().map(|(_, value)| value));
    }
    open_templates(loaded, &endpoint.path, std::iter::once(&endpoint.path.value).chain(endpoint.headers.values()).chain(templates), out);
}

fn stream_rules(loaded: &Manifest, name: &At<String>, stream: &ConnectorStream, out: &mut Diagnostics) {
    let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(snake) || name.ends_with("__rejected") {
        out.push(
            loaded
                .error("CON008", name, format!("`{name}` can't be the name of a stream"))
                .with_help("use lower-case letters, digits and `_`"),
        );
    }
    for (column, _) in stream.columns.iter() {
        if !column.chars().all(snake) || column.starts_with('_') {
            out.push(
                loaded
                    .error("CON009", column, format!("`{column}` can't be the name of a column"))
                    .with_help("use lower-case letters, digits and `_`, and say the API's own name with `from:`"),
            );
        }
    }
    if stream.primary_key.is_empty() {
        out.push(
            loaded
                .error("CON010", name, format!("the stream `{name}` has no primary key"))
                .with_help("without one, nobody can tell a changed record from a new one: add `primary_key: [id]`"),
        );
    }
    for key in &stream.primary_key {
        column_there(loaded, stream, key, "the primary key", out);
    }
    if stream.reads.is_empty() {
        out.push(loaded.error("CON011", name, format!("the stream `{name}` is never read")).with_help("add an entry under `reads:`"));
    }
    for (index, read) in stream.reads.iter().enumerate() {
        if stream.reads[..index].iter().any(|other| other.name.value == read.name.value) {
            out.push(loaded.error("CON012", &read.name, format!("two reads are named `{}`", read.name)).with_help("give one another name"));
        }
        read_rules(loaded, stream, read, out);
    }
}

fn column_there(loaded: &Manifest, stream: &ConnectorStream, column: &At<String>, who: &str, out: &mut Diagnostics) {
    let added = stream.reads.iter().any(|read| read.records.add.get(column).is_some());
    if stream.columns.get(column).is_none() && !added {
        out.push(
            loaded
                .error("CON013", column, format!("{who} names `{column}`, which is no column of the stream"))
                .with_help_opt(suggest::help(column, stream.columns.names())),
        );
    }
}

fn read_rules(loaded: &Manifest, stream: &ConnectorStream, read: &Read, out: &mut Diagnostics) {
    endpoint(loaded, &read.endpoint, out);
    for (name, added) in read.records.add.iter() {
        open_templates(loaded, name, std::iter::once(&added.value.value), out);
    }
    if let Some(incremental) = &read.incremental {
        let cursor = &incremental.cursor;
        column_there(loaded, stream, cursor, "the cursor", out);
        if let Some(column) = stream.columns.get(cursor).filter(|c| !super::is_cursor_type(c.r#type.value)) {
            out.push(
                loaded
                    .error("CON014", cursor, format!("a cursor can't follow `{cursor}`, which is {}", column.r#type))
                    .with_help("take a timestamp, date or int column"),
            );
        }
        if incremental.step_days.as_ref().is_some_and(|days| days.value <= 0.0) {
            out.push(loaded.error("CON015", cursor, "a window has no length").with_help("write `step_days: 30`"));
        }
        if read.complete {
            out.push(
                loaded
                    .error("CON016", cursor, "a read of what has changed is not complete")
                    .with_help("remove `complete: true`: keys that are missing from a window were not deleted"),
            );
        }
    }
    for predicate in paginator(loaded, read, out).into_iter().chain(&read.delete_when).chain(&read.records.filter) {
        predicate_rules(loaded, read, predicate, out);
    }
    let errors = read.errors.iter().chain(read.job.iter().flat_map(|job| &job.errors));
    for predicate in errors.filter_map(|rule| rule.when.as_ref()) {
        predicate_rules(loaded, read, predicate, out);
    }
    if let Some(job) = &read.job {
        for request in [&job.create, &job.poll.endpoint, &job.results.endpoint].into_iter().chain(&job.delete) {
            endpoint(loaded, request, out);
        }
    }
    if let Some(Partitions::Parent(parent)) = &read.partitions {
        parent_rules(loaded, parent, out);
    }
    let tabular = matches!(read.response, ResponseFormat::Csv(_));
    for (what, at) in [("explode", &read.records.explode), ("unwrap", &read.records.unwrap)] {
        if let Some(at) = at.as_ref().filter(|_| tabular) {
            out.push(loaded.error("CON017", at, format!("CSV records have nothing to {what}")).with_help("remove it"));
        }
    }
}

fn parent_rules(loaded: &Manifest, parent: &super::ParentPartitions, out: &mut Diagnostics) {
    match loaded.value.streams.get(&parent.stream) {
        None => out.push(
            loaded
                .error("CON018", &parent.stream, format!("the connector has no stream `{}`", parent.stream))
                .with_help_opt(suggest::help(&parent.stream, loaded.value.streams.names())),
        ),
        Some(stream) => {
            for column in &parent.columns {
                column_there(loaded, stream, column, "`columns`", out);
            }
        }
    }
}

/// The predicates of a paginator, after its own rules.
fn paginator<'a>(loaded: &Manifest, read: &'a Read, out: &mut Diagnostics) -> Vec<&'a Predicate> {
    let paginators = read.paginator.iter().chain(read.job.iter().filter_map(|job| job.results.paginator.as_ref()));
    let mut predicates = Vec::new();
    for paginator in paginators {
        match paginator {
            Paginator::NextUrl(p) => predicates.extend(&p.stop_when),
            Paginator::Cursor(p) => {
                if p.path.is_some() == p.header.is_some() {
                    out.push(
                        loaded
                            .error("CON019", &read.name, format!("the paginator of `{}` must know one place of its cursor", read.name))
                            .with_help("write either `path:` (in the body) or `header:`"),
                    );
                }
                predicates.extend(&p.stop_when);
            }
            Paginator::PageNumber(p) => predicates.extend(&p.stop_when),
            Paginator::LastId(p) => predicates.push(&p.stop_when),
            Paginator::LinkHeader {} | Paginator::Offset(_) | Paginator::SessionPage(_) => {}
        }
    }
    predicates
}

fn predicate_rules(loaded: &Manifest, read: &Read, predicate: &Predicate, out: &mut Diagnostics) {
    let compares = predicate.equals.is_some()
        || predicate.one_of.is_some()
        || predicate.contains.is_some()
        || predicate.ends_with.is_some()
        || predicate.present.is_some();
    if predicate.path.is_some() == predicate.header.is_some() || !compares {
        let at = predicate.path.as_ref().or(predicate.header.as_ref()).unwrap_or(&read.name);
        out.push(
            loaded
                .error("CON020", at, "a condition has one place and a comparison")
                .with_help("write for example `{path: has_more, equals: false}` or `{header: x-state, present: true}`"),
        );
    }
}
