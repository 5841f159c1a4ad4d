//! Strings of a manifest that are filled in for each request.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::sync::OnceLock;

/// What is wrong with a template, or with what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{template}` can't be filled in: {reason}")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What happened.
    pub reason: String,
}

/// A Jinja template in one line: `{{ window.start }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

fn engine() -> &'static Environment<'static> {
    static ENGINE: OnceLock<Environment<'static>> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = Environment::new();
        // Without it release builds don't say which value is undefined.
        engine.set_debug(true);
        // `{{ page.token }}` is nothing on the first page, but `{{ pgae.token }}` is a mistake.
        engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        engine
    })
}

impl Template {
    /// A template.
    ///
    /// # Errors
    /// The reason for which it can't be parsed.
    pub fn parse(source: &str) -> Result<Self, String> {
        match engine().template_from_str(source) {
            Ok(_) => Ok(Self(source.to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Whether it holds anything to fill in.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.0.contains("{{") && !self.0.contains("{%")
    }

    /// The names below a root that the template uses: `used("setting")` of `{{ setting.site }}` is `site`.
    #[must_use]
    pub fn used(&self, root: &str) -> Vec<String> {
        let Ok(template) = engine().template_from_str(&self.0) else { return Vec::new() };
        let mut names: Vec<String> = template
            .undeclared_variables(true)
            .into_iter()
            .filter_map(|n| n.strip_prefix(root)?.strip_prefix('.').map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// The template filled in.
    ///
    /// # Errors
    /// [`TemplateError`] where a name is unknown or a filter fails.
    pub fn render(&self, context: &serde_json::Value) -> Result<String, TemplateError> {
        if self.is_plain() {
            return Ok(self.0.clone());
        }
        let failed = |error: minijinja::Error| TemplateError { template: self.0.clone(), reason: error.to_string() };
        engine().template_from_str(&self.0).and_then(|t| t.render(Value::from(Serde(context)))).map_err(failed)
    }

    /// The value of a template that is one expression, with its type; else the text.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn value(&self, context: &serde_json::Value) -> Result<serde_json::Value, TemplateError> {
        let inner = self.0.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).filter(|inner| !inner.contains("}}"));
        let Some(inner) = inner else { return self.render(context).map(serde_json::Value::String) };
        let failed = |reason: String| TemplateError { template: self.0.clone(), reason };
        let value = engine()
            .compile_expression(inner)
            .and_then(|e| e.eval(Value::from(Serde(context))))
            .map_err(|error| failed(error.to_string()))?;
        serde_json::to_value(value).map_err(|error| failed(error.to_string()))
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl serde::de::Visitor<'_> for Scalar {
            type Value = String;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text, a number or a boolean")
            }

            fn visit_str<E>(self, v: &str) -> Result<String, E> {
                Ok(v.to_owned())
            }

            fn visit_bool<E>(self, v: bool) -> Result<String, E> {
                Ok(v.to_string())
            }

            fn visit_i64<E>(self, v: i64) -> Result<String, E> {
                Ok(v.to_string())
            }

            fn visit_u64<E>(self, v: u64) -> Result<String, E> {
                Ok(v.to_string())
            }

            fn visit_f64<E>(self, v: f64) -> Result<String, E> {
                Ok(v.to_string())
            }
        }
        let source = deserializer.deserialize_any(Scalar)?;
        Self::parse(&source).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"], "description": "May hold {{ setting.x }}, {{ window.start }}, {{ page.token }} and the like."})
    }
}

/// A JSON value whose strings are templates. A string that is one `{{ expression }}` becomes that expression's value, with its type; entries
/// whose expression gives nothing are left out.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTemplate {
    /// A number, a boolean or null.
    Plain(serde_json::Value),
    /// Text.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object, in the file's order.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    fn of(value: serde_json::Value) -> Result<Self, String> {
        Ok(match value {
            serde_json::Value::String(text) => Self::Text(Template::parse(&text)?),
            serde_json::Value::Array(items) => Self::List(items.into_iter().map(Self::of).collect::<Result<_, _>>()?),
            serde_json::Value::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, value)| Ok((key, Self::of(value)?))).collect::<Result<_, String>>()?)
            }
            plain => Self::Plain(plain),
        })
    }

    /// The value filled in; nothing where it is an expression that gives nothing.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn value(&self, context: &serde_json::Value) -> Result<Option<serde_json::Value>, TemplateError> {
        Ok(match self {
            Self::Plain(value) => Some(value.clone()),
            Self::Text(template) => match template.value(context)? {
                serde_json::Value::Null => None,
                value => Some(value),
            },
            Self::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.extend(item.value(context)?);
                }
                Some(serde_json::Value::Array(values))
            }
            Self::Object(entries) => {
                let mut object = serde_json::Map::new();
                for (key, entry) in entries {
                    if let Some(value) = entry.value(context)? {
                        object.insert(key.clone(), value);
                    }
                }
                Some(serde_json::Value::Object(object))
            }
        })
    }

    /// Every template in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Object(entries) => entries.iter().flat_map(|(_, entry)| entry.templates()).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for JsonTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(serde_json::Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for JsonTemplate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JsonTemplate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "Any value; its strings may be templates."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_the_type_of_single_expressions_and_drops_what_gives_nothing() {
        let template: JsonTemplate = serde_json::from_value(
            json!({"limit": 200, "after": "{{ page.token }}", "since": "{{ window.start }}", "name": "x-{{ window.start }}"}),
        )
        .unwrap();
        let context = json!({"page": {}, "window": {"start": 5}});
        assert_eq!(template.value(&context).unwrap(), Some(json!({"limit": 200, "since": 5, "name": "x-5"})));
    }

    #[test]
    fn a_misspelt_root_is_an_error_and_a_missing_leaf_is_nothing() {
        let context = json!({"page": {}});
        assert_eq!(Template::parse("{{ page.token }}").unwrap().value(&context).unwrap(), json!(null));
        assert!(Template::parse("{{ pgae.token }}").unwrap().render(&context).is_err());
    }

    #[test]
    fn knows_the_names_it_uses() {
        let template = Template::parse("https://{{ setting.site }}/{{ setting.version }}?{{ window.end }}").unwrap();
        assert_eq!(template.used("setting"), ["site", "version"]);
    }
}
