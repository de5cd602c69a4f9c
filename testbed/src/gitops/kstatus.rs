//! The judgement of kstatus (`sigs.k8s.io/cli-utils/pkg/kstatus`), by which Flux and `kpt` wait: its rules for a resource of a
//! type that it does not know, in its order. A test holds them against the library itself, so that all other tests need no
//! process.

use serde_json::Value;

/// The statuses of kstatus that an object which exists can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Work is under way, or nobody has looked yet.
    InProgress,
    /// As wanted.
    Current,
    /// It will not become as wanted by itself.
    Failed,
    /// About to be deleted.
    Terminating,
}

/// Judges an object.
pub fn status(object: &Value) -> Status {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Status::Terminating;
    }
    let observed = object["status"]["observedGeneration"].as_i64();
    if observed.is_some_and(|observed| Some(observed) != object["metadata"]["generation"].as_i64()) {
        return Status::InProgress;
    }
    by_conditions(object["status"]["conditions"].as_array().map_or(&[], Vec::as_slice))
}

/// The first of the standard conditions decides; then Ready; a resource that says nothing at all counts as current.
fn by_conditions(conditions: &[Value]) -> Status {
    let standard = conditions.iter().filter(|it| it["status"] == "True").find_map(|it| match it["type"].as_str()? {
        "Reconciling" => Some(Status::InProgress),
        "Stalled" => Some(Status::Failed),
        _ => None,
    });
    standard.unwrap_or_else(|| match conditions.iter().find(|it| it["type"] == "Ready") {
        Some(ready) if ready["status"] == "False" || ready["status"] == "Unknown" => Status::InProgress,
        _ => Status::Current,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use serde_json::json;

    use super::*;
    use crate::Tool;

    /// Every standing of the conditions that matter, in both orders.
    fn conditions() -> Vec<Value> {
        let mut all = vec![json!(null), json!([])];
        for ready in [None, Some("True"), Some("False"), Some("Unknown")] {
            for reconciling in [None, Some("True"), Some("False")] {
                for stalled in [None, Some("True"), Some("Unknown")] {
                    let standing = [("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled)];
                    let mut conditions: Vec<_> = standing
                        .into_iter()
                        .filter_map(|(kind, truth)| Some(json!({"type": kind, "status": truth?, "reason": "R"})))
                        .collect();
                    all.push(json!(conditions));
                    conditions.reverse();
                    all.push(json!(conditions));
                }
            }
        }
        all
    }

    /// Objects of every standing: of no, an older and the same generation, and about to be deleted or not.
    fn objects() -> Vec<Value> {
        let mut all = Vec::new();
        for conditions in conditions() {
            for observed in [None, Some(1), Some(2)] {
                for deleted in [None, Some("2026-01-01T00:00:00Z")] {
                    let mut metadata = json!({"name": "a", "namespace": "b", "generation": 2});
                    deleted.inspect(|time| metadata["deletionTimestamp"] = json!(time));
                    let mut status = json!({});
                    observed.inspect(|generation| status["observedGeneration"] = json!(generation));
                    if !conditions.is_null() {
                        status["conditions"] = conditions.clone();
                    }
                    let kind = "ConfidenceClientCredential";
                    let group = "iam.confidence.dev/v1alpha1";
                    all.push(json!({"apiVersion": group, "kind": kind, "metadata": metadata, "status": status}));
                }
            }
        }
        all
    }

    /// What the library says of each.
    fn judged_by_the_library(objects: &[Value]) -> Vec<String> {
        let mut judge =
            Command::new(Tool::Kstatus.find().unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        judge.stdin.take().unwrap().write_all(json!(objects).to_string().as_bytes()).unwrap();
        let output = judge.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// The rules here are a copy: it says of every object what `sigs.k8s.io/cli-utils` says.
    #[test]
    fn judgement_is_that_of_the_library() {
        let objects = objects();
        let expected = judged_by_the_library(&objects);
        assert_eq!(expected.len(), objects.len());
        for (object, expected) in objects.iter().zip(expected) {
            assert_eq!(format!("{:?}", status(object)), expected, "{object:#}");
        }
    }
}
