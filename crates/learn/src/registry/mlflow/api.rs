//! The calls of MLflow's REST API that a registry needs.

use std::collections::BTreeMap;

use cscopilot_http::{Client, ClientOptions, Method, Request, Url};
use cscopilot_spec::{Mlflow, MlflowAuth, Project, Text};
use serde_json::{Value, json};

use super::key_values;
use crate::error::{Error, Result};

/// A tracking server.
pub(super) struct Api {
    client: Client,
    /// Without a slash at its end.
    base: String,
    auth: Option<Auth>,
}

enum Auth {
    Bearer(cscopilot_diag::Secret),
    Basic(cscopilot_diag::Secret, cscopilot_diag::Secret),
}

/// A run that was begun, or that had been finished by an earlier night.
pub(super) struct Begun {
    /// Its id.
    pub(super) id: String,
    /// Where its artifacts are: `mlflow-artifacts:/1/<id>/artifacts`.
    pub(super) artifacts: String,
    /// Whether everything of it is there.
    pub(super) finished: bool,
}

impl Api {
    /// A client for the server.
    ///
    /// # Errors
    /// [`Error::MlflowSettings`] for references that can't be resolved and addresses that are none.
    pub(super) fn new(project: &Project, server: &Mlflow) -> Result<Self> {
        let settings = |d: cscopilot_diag::Diagnostic| Error::MlflowSettings { reason: d.message, help: d.help };
        let address = project.resolve(&server.url).map_err(settings)?;
        let base = address.trim_end_matches('/').to_owned();
        let usable = Url::parse(&base).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        if !usable {
            return Err(Error::MlflowSettings { reason: format!("`{address}` is not the address of a server"), help: None });
        }
        let secret = |text: &Text| project.secret(text).map_err(settings);
        let auth = match &server.auth {
            None => None,
            Some(MlflowAuth::Bearer(token)) => Some(Auth::Bearer(secret(token)?)),
            Some(MlflowAuth::Basic(user)) => Some(Auth::Basic(secret(&user.user)?, secret(&user.password)?)),
        };
        // A night waits for this: better late in the registry than late with the scores.
        let options = ClientOptions { attempts: 3, ..ClientOptions::default() };
        Ok(Self { client: Client::new(options)?, base, auth })
    }

    fn url(&self, path: &str) -> Result<Url> {
        let text = format!("{}/api/2.0/{path}", self.base);
        Url::parse(&text).map_err(|e| Error::MlflowSettings { reason: format!("`{text}`: {e}"), help: None })
    }

    async fn call(&self, request: Request) -> Result<Value> {
        let request = match &self.auth {
            None => request,
            Some(Auth::Bearer(token)) => request.bearer(token.clone()),
            Some(Auth::Basic(user, password)) => request.basic(user.clone(), password.clone()),
        };
        let answer = self.client.send(&request).await?;
        // An upload is answered with nothing.
        if answer.body.is_empty() { Ok(Value::Null) } else { Ok(answer.json()?) }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let mut url = self.url(&format!("mlflow/{path}"))?;
        url.query_pairs_mut().extend_pairs(query);
        self.call(Request::get(url)).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        self.call(Request::new(method, self.url(&format!("mlflow/{path}"))?).json(body)?).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, body).await
    }

    /// The experiment of a name, made where it is not there.
    pub(super) async fn experiment(&self, name: &str) -> Result<String> {
        let found = absent_is_none(self.get("experiments/get-by-name", &[("experiment_name", name)]).await)?;
        match found {
            Some(answer) => text(&answer["experiment"], "experiment_id"),
            None => text(&self.post("experiments/create", &json!({"name": name})).await?, "experiment_id"),
        }
    }

    /// Makes the registered model where it is not there.
    pub(super) async fn ensure_model(&self, name: &str, description: &str) -> Result<()> {
        if absent_is_none(self.get("registered-models/get", &[("name", name)]).await)?.is_none() {
            self.post("registered-models/create", &json!({"name": name, "description": description})).await?;
        }
        Ok(())
    }

    /// The registered versions of a model: digest → MLflow's own number of it.
    pub(super) async fn versions(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let filter = format!("name='{}'", name.replace('\'', "\\'"));
        let mut versions = BTreeMap::new();
        let mut page = String::new();
        loop {
            let answer = self.get("model-versions/search", &[("filter", &filter), ("max_results", "1000"), ("page_token", &page)]).await?;
            for version in answer["model_versions"].as_array().into_iter().flatten() {
                let tags = version["tags"].as_array().into_iter().flatten();
                let digest = tags.filter(|t| t["key"] == "cscopilot.digest").find_map(|t| t["value"].as_str());
                if let (Some(digest), Some(number)) = (digest, version["version"].as_str()) {
                    versions.insert(digest.to_owned(), number.to_owned());
                }
            }
            match answer["next_page_token"].as_str().filter(|token| !token.is_empty() && *token != page) {
                Some(next) => page = next.to_owned(),
                None => return Ok(versions),
            }
        }
    }

    /// The run of a version: the one that was finished, else a new one in place of any that was not.
    pub(super) async fn begin_run(
        &self,
        experiment: &str,
        title: &str,
        at: i64,
        digest: &str,
        tags: &BTreeMap<&'static str, String>,
    ) -> Result<Begun> {
        let filter = format!("tags.`cscopilot.digest` = '{digest}' AND tags.`cscopilot.model` = '{}'", tags["cscopilot.model"]);
        let search = json!({"experiment_ids": [experiment], "filter": filter, "max_results": 100});
        let request = Request::post(self.url("mlflow/runs/search")?).json(&search)?.repeatable();
        let found = self.call(request).await?;
        for run in found["runs"].as_array().into_iter().flatten() {
            if run["info"]["status"] == "FINISHED" {
                return begun(&run["info"], true);
            }
            self.post("runs/delete", &json!({"run_id": text(&run["info"], "run_id")?})).await?;
        }
        let tags = key_values(tags.iter().map(|(k, v)| (*k, v.as_str())).chain([("mlflow.source.name", "cscopilot")]));
        let body = json!({"experiment_id": experiment, "run_name": title, "start_time": at, "tags": tags});
        begun(&self.post("runs/create", &body).await?["run"]["info"], false)
    }

    /// Uploads one file.
    pub(super) async fn upload(&self, artifacts: &str, path: &str, content: Vec<u8>) -> Result<()> {
        // `mlflow-artifacts:/1/abc/artifacts`, or with the server's host in it.
        let root = Url::parse(artifacts).ok().filter(|url| url.scheme() == "mlflow-artifacts");
        let root = root.ok_or_else(|| Error::MlflowSettings {
            reason: format!("the server keeps artifacts at {artifacts} and does not hand them through"),
            help: Some("start it with `--serve-artifacts` and `--artifacts-destination`, and use a new experiment".to_owned()),
        })?;
        let url = self.url(&format!("mlflow-artifacts/artifacts/{}/{path}", root.path().trim_matches('/')))?;
        self.call(Request::new(Method::PUT, url).bytes(content, "application/octet-stream")).await?;
        Ok(())
    }

    /// Logs figures and parameters, at most 100 parameters and 1,000 of all a call.
    pub(super) async fn log(&self, run: &str, at: i64, metrics: &[(String, f64)], params: &[(String, String)]) -> Result<()> {
        for chunk in metrics.chunks(500) {
            let metrics: Vec<Value> =
                chunk.iter().map(|(key, value)| json!({"key": key, "value": value, "timestamp": at, "step": 0})).collect();
            self.post("runs/log-batch", &json!({"run_id": run, "metrics": metrics})).await?;
        }
        for chunk in params.chunks(100) {
            let params = key_values(chunk.iter().map(|(k, v)| (k, v)));
            self.post("runs/log-batch", &json!({"run_id": run, "params": params})).await?;
        }
        Ok(())
    }

    /// Ends a run.
    pub(super) async fn end_run(&self, run: &str, at: i64) -> Result<()> {
        self.post("runs/update", &json!({"run_id": run, "status": "FINISHED", "end_time": at})).await.map(drop)
    }

    /// Registers a version; gives MLflow's number of it.
    pub(super) async fn create_version(
        &self,
        name: &str,
        source: &str,
        run: &str,
        description: &str,
        tags: &BTreeMap<&'static str, String>,
    ) -> Result<String> {
        let tags = key_values(tags.iter().map(|(k, v)| (*k, v.as_str())));
        let body = json!({"name": name, "source": source, "run_id": run, "description": description, "tags": tags});
        text(&self.post("model-versions/create", &body).await?["model_version"], "version")
    }

    /// Sets aliases to versions, or takes them away; gives how many had to be changed.
    pub(super) async fn aliases<const N: usize>(&self, name: &str, wanted: [(&str, Option<String>); N]) -> Result<usize> {
        let Some(model) = absent_is_none(self.get("registered-models/get", &[("name", name)]).await)? else { return Ok(0) };
        let mut changed = 0;
        for (alias, version) in wanted {
            let set = model["registered_model"]["aliases"].as_array().into_iter().flatten().find(|a| a["alias"] == alias);
            let is = set.and_then(|a| a["version"].as_str());
            match version {
                Some(version) if is != Some(&version) => {
                    let body = json!({"name": name, "alias": alias, "version": version});
                    self.post("registered-models/alias", &body).await?;
                }
                None if is.is_some() => {
                    self.send(Method::DELETE, "registered-models/alias", &json!({"name": name, "alias": alias})).await?;
                }
                _ => continue,
            }
            changed += 1;
        }
        Ok(changed)
    }
}

fn begun(info: &Value, finished: bool) -> Result<Begun> {
    Ok(Begun { id: text(info, "run_id")?, artifacts: text(info, "artifact_uri")?, finished })
}

/// A text in an answer; numbers count, as some servers write ids so.
fn text(answer: &Value, field: &'static str) -> Result<String> {
    match &answer[field] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Error::MlflowAnswer(field)),
    }
}

/// What the server does not have is no failure of a look-up.
fn absent_is_none(answer: Result<Value>) -> Result<Option<Value>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Mlflow(error)) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
