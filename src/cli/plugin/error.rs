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
        Self::new(confidence_sentence(&error))
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

/// How the words of the operator's status read at a terminal: a command only reads, and tries nothing again.
const WORDS: [(&str, &str); 7] = [
    (
        "Confidence does not know this credential; check the two ids in spec.name",
        "Confidence does not know it; check the ids",
    ),
    ("; the operator tries again", "; try again"),
    ("; the operator waits as long as Confidence asks", "; try again later"),
    ("; the operator probes it periodically and resumes automatically", "; try again later"),
    ("the operator's credentials", "these credentials"),
    (" that the operator was given", ""),
    (
        "the operator's account may not do this; grant it the scope update:clientcredentials, or name a credential of its own account",
        "the account may not read this; grant it the scope read:clientcredentials",
    ),
];

/// What Confidence or the way to it answered, and what to do.
pub(super) fn confidence_sentence(error: &confidence::Error) -> String {
    WORDS.iter().fold(error.to_string(), |sentence, (of_status, here)| sentence.replace(of_status, here))
}

/// Somebody else's words on one line, without what a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::{Cause, Error};

    /// Nothing that a read can meet speaks of what the operator does about it.
    #[test]
    fn sentence_speaks_to_caller() {
        let of_the_operator = [Cause::NotLeader, Cause::Superseded, Cause::Stopping];
        for cause in Cause::ALL.into_iter().filter(|it| !of_the_operator.contains(it)) {
            let sentence = confidence_sentence(&Error::new(cause, ""));
            assert!(!sentence.contains("operator"), "{cause:?}: {sentence}");
        }
    }
}
