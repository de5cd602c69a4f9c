//! Why a command cannot do its work.

use crate::confidence;

/// Why a command cannot do its work: one line for a person, which says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(String);

impl CommandError {
    /// An error with a sentence of its own.
    pub fn new(sentence: impl AsRef<str>) -> Self {
        Self(one_line(sentence.as_ref()))
    }

    /// What the API server or the way to it answered to something that was tried.
    pub fn kube(tried: &str, error: &kube::Error) -> Self {
        Self::new(format!("{tried}: {}", kube_sentence(error)))
    }
}

impl From<confidence::Error> for CommandError {
    fn from(error: confidence::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<String> for CommandError {
    fn from(sentence: String) -> Self {
        Self::new(sentence)
    }
}

/// What happened and what to do. Never the body of an answer that could not be decoded: it may hold a secret.
pub(super) fn kube_sentence(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => "the cluster does not know you; log in again".to_owned(),
        kube::Error::Api(status) if status.code == 403 => format!("{}; ask for that right", status.message),
        // The API server's own "the server could not find the requested resource".
        kube::Error::Api(status) if status.code == 404 && !status.message.contains('"') => {
            "the cluster does not have this kind; install the CRDs: confidence-operator crd | kubectl apply -f -"
                .to_owned()
        }
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::SerdeError(_) => "the answer of the API server cannot be read".to_owned(),
        error => format!("the cluster cannot be reached ({error}); check --context and --kubeconfig"),
    }
}

/// Somebody else's words on one line, without what a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}
