//! What `${…}` in a [`Text`] stands for.

use crate::secrets::find_secret;
use crate::{At, Loaded, Piece, Project, Text};
use cscopilot_diag::{Diagnostic, Diagnostics, Secret, suggest};
use std::path::PathBuf;

impl Project {
    /// Adds an error for each parameter that the text names and the project lacks. Environment variables and secrets
    /// are looked up when they are needed, so that a project can be checked without them.
    pub fn check_text<T>(&self, loaded: &Loaded<T>, text: &At<Text>, out: &mut Diagnostics) {
        for piece in text.pieces() {
            if let Piece::Param(name) = piece
                && !self.params.contains_key(name)
                && name != "as_of"
            {
                out.push(
                    loaded
                        .error("SPC014", text, format!("the project has no parameter `{name}`"))
                        .with_help_opt(suggest::help(name, self.params.keys().map(String::as_str)))
                        .with_help_opt(self.params.is_empty().then(|| "declare it under `params:` in cscopilot.yaml".to_owned())),
                );
            }
        }
    }

    /// The text with its references replaced. Secrets are refused: they belong in fields that take a secret.
    ///
    /// # Errors
    /// `SPC015` for an environment variable that isn't set, `SPC014` for an unknown parameter, `SPC016` for a secret.
    pub fn resolve(&self, text: &Text) -> Result<String, Diagnostic> {
        let mut resolved = String::new();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => resolved.push_str(literal),
                Piece::Env(name) => resolved.push_str(&environment(name)?),
                Piece::Param(name) => resolved.push_str(&self.param(name)?),
                Piece::Secret(name) => {
                    return Err(Diagnostic::error("SPC016", format!("the secret `{name}` stands where its value could be printed"))
                        .with_help("use `${env:…}` or `${param:…}` here"));
                }
            }
        }
        Ok(resolved)
    }

    /// The text with its references replaced, secrets too.
    ///
    /// # Errors
    /// As [`Project::resolve`]; `SPC017` for a secret that is nowhere, with every place that was searched.
    pub fn secret(&self, text: &Text) -> Result<Secret, Diagnostic> {
        let mut resolved = String::new();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => resolved.push_str(literal),
                Piece::Env(name) => resolved.push_str(&environment(name)?),
                Piece::Param(name) => resolved.push_str(&self.param(name)?),
                Piece::Secret(name) => resolved.push_str(&find_secret(name)?),
            }
        }
        Ok(Secret::new(resolved))
    }

    /// The text as a location: a URL as it is, a path made relative to the project, or to the working folder where it
    /// begins with a parameter that the command line gave.
    ///
    /// # Errors
    /// As [`Project::resolve`].
    pub fn location(&self, text: &Text) -> Result<String, Diagnostic> {
        let resolved = self.resolve(text)?;
        if resolved.contains("://") {
            return Ok(resolved);
        }
        let path = PathBuf::from(&resolved);
        let given = matches!(text.pieces().first(), Some(Piece::Param(name)) if self.given_params.contains(name));
        let path = if path.is_absolute() || given { path } else { self.root.join(path) };
        Ok(path.to_string_lossy().into_owned())
    }

    /// Where the lake lies: the environment's, else the project's.
    ///
    /// # Errors
    /// As [`Project::resolve`].
    pub fn lake_location(&self) -> Result<String, Diagnostic> {
        let own = self.environment.as_ref().and_then(|e| e.value.lake.as_ref());
        self.location(own.unwrap_or(&self.config.value.lake))
    }

    fn param(&self, name: &str) -> Result<String, Diagnostic> {
        self.params.get(name).map(ToString::to_string).ok_or_else(|| {
            Diagnostic::error("SPC014", format!("the project has no parameter `{name}`"))
                .with_help_opt(suggest::help(name, self.params.keys().map(String::as_str)))
        })
    }
}

fn environment(name: &str) -> Result<String, Diagnostic> {
    std::env::var(name).map_err(|_| {
        Diagnostic::error("SPC015", format!("the environment variable `{name}` is not set")).with_help(format!("export {name}=…"))
    })
}
