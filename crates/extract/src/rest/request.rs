//! From an endpoint of the manifest to a request.

use super::connection::Connection;
use super::error::RestError;
use super::pager::Pager;
use cscopilot_http::{Method as HttpMethod, Request, Url};
use cscopilot_spec::connector::{Body, ClientSpec, Endpoint, JsonTemplate, Method, TemplateError};
use serde_json::{Map, Value};

/// What templates see, besides settings and auth.
pub(crate) type Context = Map<String, Value>;

/// A context in which every root that a template may name is there.
pub(crate) async fn context(connection: &Connection) -> Result<Context, RestError> {
    let mut context = connection.context().await?;
    for root in ["window", "page", "restart", "partition", "parent", "job", "stream"] {
        context.insert(root.to_owned(), Value::Object(Map::new()));
    }
    Ok(context)
}

/// The request of an endpoint at a page.
pub(crate) fn build(client: &ClientSpec, endpoint: &Endpoint, context: &Context, pager: Option<&Pager<'_>>) -> Result<Request, RestError> {
    let mut context = context.clone();
    if let Some(pager) = pager {
        let (page, restart) = pager.context();
        context.insert("page".to_owned(), page);
        context.insert("restart".to_owned(), restart);
    }
    let context = Value::Object(context);
    let method = match endpoint.method {
        Method::Get => HttpMethod::GET,
        Method::Post => HttpMethod::POST,
        Method::Delete => HttpMethod::DELETE,
    };
    // A URL that the API gave is whole: it is asked for as it is.
    let given = pager.and_then(Pager::url);
    let (mut url, mut params) = match given {
        Some(url) => (url.clone(), Vec::new()),
        None => (address(client, endpoint, &context)?, params(client, endpoint, &context)?),
    };
    let mut body = match &endpoint.body {
        Some(Body::Json(template)) => template.value(&context)?,
        _ => None,
    };
    if let Some(pager) = pager.filter(|_| given.is_none()) {
        pager.place(&mut params, &mut body);
    }
    if !params.is_empty() {
        url.query_pairs_mut().extend_pairs(&params);
    }
    let mut request = Request::new(method, url).repeatable();
    for (name, value) in client.headers.iter().chain(&endpoint.headers) {
        request = request.header(name, value.render(&context)?);
    }
    if let Some(Body::Form(fields)) = &endpoint.body {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| Ok((name.value.clone(), value.render(&context)?))).collect::<Result<_, TemplateError>>()?;
        return Ok(request.form(&fields));
    }
    match body {
        Some(body) => Ok(request.json(&body)?),
        None => Ok(request),
    }
}

fn address(client: &ClientSpec, endpoint: &Endpoint, context: &Value) -> Result<Url, RestError> {
    let path = endpoint.path.render(context)?;
    let text = if path.contains("://") {
        path
    } else {
        let base = client.base_url.render(context)?;
        if path.is_empty() { base } else { format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')) }
    };
    Url::parse(&text).map_err(|e| RestError::BadNextUrl { url: text, reason: e.to_string() })
}

fn params(client: &ClientSpec, endpoint: &Endpoint, context: &Value) -> Result<Vec<(String, String)>, RestError> {
    let mut all = Vec::new();
    for (name, template) in &client.params {
        let value = template.render(context)?;
        if !value.is_empty() {
            all.push((name.clone(), value));
        }
    }
    for (name, template) in endpoint.params.iter() {
        for value in values(template, context)? {
            all.push((name.value.clone(), value));
        }
    }
    Ok(all)
}

/// A parameter's values: none where its expression gives nothing, several where it is a list.
fn values(template: &JsonTemplate, context: &Value) -> Result<Vec<String>, RestError> {
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    Ok(match template.value(context)? {
        None => Vec::new(),
        Some(Value::Array(items)) => items.into_iter().filter_map(text).collect(),
        Some(Value::String(empty)) if empty.is_empty() => Vec::new(),
        Some(value) => text(value).into_iter().collect(),
    })
}

/// `GET /v1/customers`, for messages and the log's `_file`.
pub(crate) fn shown(request: &Request) -> String {
    format!("{} {}", request.method(), request.url().path())
}
