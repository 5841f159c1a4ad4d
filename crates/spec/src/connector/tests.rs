//! The manifests that come with the program: that they are sound, and ask for what their vendors understand.

use super::*;
use crate::{LoadOptions, Project};
use serde_json::{Value, json};
use std::path::Path;

fn example() -> Project {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/connectors");
    Project::load(&root, &LoadOptions::default()).unwrap_or_else(|out| panic!("{out}"))
}

fn manifest<'a>(project: &'a Project, name: &str) -> &'a Connector {
    &project.connectors[name].value
}

fn read<'a>(connector: &'a Connector, stream: &str, name: &str) -> &'a Read {
    let stream = connector.streams.get(stream).unwrap();
    stream.reads.iter().find(|read| read.name.value == name).unwrap()
}

fn json_body(read: &Read, context: &Value) -> Value {
    let Some(Body::Json(body)) = &read.endpoint.body else { panic!("no JSON body") };
    body.value(context).unwrap().unwrap()
}

fn param(read: &Read, name: &str, context: &Value) -> Option<Value> {
    read.endpoint.params.get(name).unwrap().value(context).unwrap()
}

#[test]
fn the_manifests_that_come_along_are_sound_and_serve_the_example() {
    let project = example();
    let names: Vec<&str> = project.connectors.keys().map(String::as_str).collect();
    assert_eq!(names, ["amplitude", "chargebee", "hubspot", "intercom", "mixpanel", "salesforce", "stripe", "zendesk"]);
    for (name, source) in &project.sources {
        let connector = project.connector_of(&source.value).unwrap();
        assert!(!source.value.stream_names(Some(connector)).is_empty(), "{name}");
    }
    let hubspot = &project.sources["hubspot"].value;
    assert!(hubspot.stream_names(project.connector_of(hubspot)).contains(&"task_companies"), "what is to be asked for can be asked for");
}

#[test]
fn the_instance_of_salesforce_is_what_the_token_answer_says() {
    let project = example();
    let salesforce = manifest(&project, "salesforce");
    let base = |settings: Value| salesforce.client.base_url.render(&json!({"setting": settings, "auth": {"instance_url": "https://na1"}}));
    assert_eq!(base(json!({"base_url": ""})).unwrap(), "https://na1");
    assert_eq!(base(json!({"base_url": "https://own"})).unwrap(), "https://own");
    let context = json!({
        "stream": {"fields": "Id,Name", "object": "Account", "query": "queryAll"},
        "window": {"start": "2024-01-01T00:00:00.000Z", "end": "2024-02-01T00:00:00.000Z"},
    });
    let query = param(read(salesforce, "users", "query"), "q", &context).unwrap();
    let expected =
        "SELECT Id,Name FROM Account WHERE SystemModstamp >= 2024-01-01T00:00:00.000Z AND SystemModstamp < 2024-02-01T00:00:00.000Z";
    assert_eq!(query, expected);
}

#[test]
fn a_search_in_hubspot_goes_on_behind_the_last_id() {
    let project = example();
    let search = read(manifest(&project, "hubspot"), "contacts", "search");
    let body = |key: Value| {
        let stream = json!({"fields": "email,firstname", "object": "contacts", "modified": "lastmodifieddate"});
        json_body(
            search,
            &json!({"stream": stream, "window": {"start": 1_700_000_000_000_i64, "end": 1_700_000_999_999_i64}, "restart": {"key": key}}),
        )
    };
    let filters = |body: &Value| body["filterGroups"][0]["filters"].clone();
    assert_eq!(
        filters(&body(Value::Null)),
        json!([
            {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1700000000000"},
            {"propertyName": "lastmodifieddate", "operator": "LTE", "value": "1700000999999"},
            {"propertyName": "hs_object_id", "operator": "GT", "value": "0"},
        ])
    );
    assert_eq!(filters(&body(json!("512")))[2]["value"], "512");
    assert_eq!(body(Value::Null)["properties"], json!(["email", "firstname"]));
}

#[test]
fn a_zendesk_export_names_its_start_only_without_a_cursor() {
    let project = example();
    let zendesk = manifest(&project, "zendesk");
    let export = read(zendesk, "tickets", "export");
    let start = |token: Value| param(export, "start_time", &json!({"page": {"token": token}, "window": {"start": 1_700_000_000}}));
    assert_eq!(start(Value::Null), Some(json!(1_700_000_000)));
    assert_eq!(start(json!("abc")), None);
    let base = |settings: Value| zendesk.client.base_url.render(&json!({"setting": settings})).unwrap();
    assert_eq!(base(json!({"base_url": "", "subdomain": "acme"})), "https://acme.zendesk.com");
    assert_eq!(base(json!({"base_url": "http://127.0.0.1:1/zendesk", "subdomain": "acme"})), "http://127.0.0.1:1/zendesk");
}

#[test]
fn contacts_of_intercom_are_searched_from_the_first_moment_of_a_day() {
    let project = example();
    let search = read(manifest(&project, "intercom"), "contacts", "search");
    let body = json_body(search, &json!({"window": {"start": 1_700_000_000, "end": 1_700_500_000}}));
    assert_eq!(body["query"]["value"][0], json!({"field": "updated_at", "operator": ">", "value": 1_699_920_000}));
}

#[test]
fn stripe_asks_for_the_events_of_each_kind_of_object() {
    let project = example();
    let stripe = manifest(&project, "stripe");
    let window = json!({"window": {"start": 10, "end": 19}});
    for (stream, prefix) in [("customers", "customer."), ("subscriptions", "customer.subscription."), ("invoices", "invoice.")] {
        let events = read(stripe, stream, "events");
        assert_eq!((param(events, "created[gte]", &window), param(events, "created[lte]", &window)), (Some(json!(10)), Some(json!(19))));
        let types = param(events, "types[]", &window).unwrap();
        let types = types.as_array().unwrap();
        // Stripe takes no more than twenty.
        assert!((3..=20).contains(&types.len()) && types.iter().all(|kind| kind.as_str().unwrap().starts_with(prefix)), "{types:?}");
    }
}

#[test]
fn chargebee_is_asked_for_a_second_more_on_both_ends() {
    let project = example();
    let list = read(manifest(&project, "chargebee"), "invoices", "list");
    let between = param(list, "updated_at[between]", &json!({"window": {"start": 100, "end": 200}}));
    assert_eq!(between, Some(json!("[99,201]")));
}

#[test]
fn what_a_plan_allows_can_be_said_by_a_setting_that_is_declared() {
    let project = example();
    for (name, connector) in &project.connectors {
        for rate in &connector.value.client.rates {
            let declared = rate.setting.as_ref().is_none_or(|setting| connector.value.settings.get(setting).is_some());
            assert!(declared, "{name}: {rate:?}");
        }
    }
}
