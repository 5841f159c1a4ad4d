use cscopilot_diag::Secret;

/// Removes secrets from texts that may be shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    pub(crate) fn add(&mut self, secret: &Secret) {
        // Very short ones would blank out half of every text.
        if secret.expose().len() >= 4 {
            self.secrets.push(secret.clone());
        }
    }

    pub(crate) fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
            for form in [secret.expose(), encoded.as_str()] {
                if clean.contains(form) {
                    clean = clean.replace(form, "***");
                }
            }
        }
        clean
    }

    /// The beginning of an answer, on one line.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        const KEPT: usize = 500;
        let text = self.clean(&String::from_utf8_lossy(body));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(KEPT) {
            _ if line.is_empty() => "(an empty answer)".to_owned(),
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    }
}
