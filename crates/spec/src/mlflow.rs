use crate::{At, Loaded, Project, Text};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;

/// An MLflow tracking server that gets every version of every model, beside the lake.
///
/// The server must hand artifacts through (`mlflow server --serve-artifacts`, its default). A night doesn't fail with it: what could not be
/// sent is sent the next night.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mlflow {
    /// The server's address, such as `https://mlflow.example.com`.
    pub url: At<Text>,
    /// How requests prove who they are; left out for a server that asks nobody.
    #[serde(default)]
    pub auth: Option<MlflowAuth>,
    /// The experiment that gets the runs; the project's name without it. Its registered models are called `<experiment>.<model>`.
    #[serde(default)]
    pub experiment: Option<At<String>>,
}

/// How requests to MLflow prove who they are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MlflowAuth {
    /// An access token, sent as a bearer token.
    Bearer(At<Text>),
    /// A user of MLflow's own basic authentication.
    Basic(MlflowUser),
}

/// A user of MLflow's own basic authentication.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlflowUser {
    /// The user's name.
    pub user: At<Text>,
    /// The user's password.
    pub password: At<Text>,
}

impl Mlflow {
    /// Checks the references in its texts.
    pub(crate) fn validate<T>(&self, loaded: &Loaded<T>, project: &Project, out: &mut Diagnostics) {
        project.check_text(loaded, &self.url, out);
        match &self.auth {
            Some(MlflowAuth::Bearer(token)) => project.check_text(loaded, token, out),
            Some(MlflowAuth::Basic(user)) => {
                project.check_text(loaded, &user.user, out);
                project.check_text(loaded, &user.password, out);
            }
            None => {}
        }
        if let Some(name) = &self.experiment
            && (name.is_empty() || name.contains(['/', ':']))
        {
            out.push(
                loaded
                    .error("SPC019", name, format!("`{name}` can't be the name of an experiment"))
                    .with_help("its models are named after it, and MLflow allows no `/` and no `:` in their names"),
            );
        }
    }
}

impl Project {
    /// The MLflow server in force: the environment's, else the project's.
    #[must_use]
    pub fn mlflow(&self) -> Option<&Mlflow> {
        let own = self.environment.as_ref().and_then(|e| e.value.mlflow.as_ref());
        own.or(self.config.value.mlflow.as_ref())
    }
}
