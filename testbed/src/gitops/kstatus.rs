//! The judgement of kstatus (`sigs.k8s.io/cli-utils/pkg/kstatus`), by which Flux and `kpt` wait: its rules for a resource of a
//! type that it does not know, in its order.

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
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: &Value) -> Status {
        super::status(&json!({"metadata": {"generation": 2}, "status": status}))
    }

    fn with(conditions: &[(&str, &str)]) -> Status {
        let conditions: Vec<_> = conditions.iter().map(|it| json!({"type": it.0, "status": it.1})).collect();
        of(&json!({"observedGeneration": 2, "conditions": conditions}))
    }

    #[test]
    fn an_older_generation_is_in_progress_whatever_its_conditions() {
        let stalled = json!([{"type": "Stalled", "status": "True"}]);
        assert_eq!(of(&json!({"observedGeneration": 1, "conditions": stalled})), Status::InProgress);
    }

    #[test]
    fn conditions_are_read_in_the_order_that_the_library_reads_them() {
        assert_eq!(with(&[("Ready", "True"), ("Stalled", "True")]), Status::Failed);
        assert_eq!(with(&[("Ready", "True"), ("Reconciling", "True"), ("Stalled", "True")]), Status::InProgress);
        assert_eq!(with(&[("Stalled", "False"), ("Ready", "False")]), Status::InProgress);
        assert_eq!(with(&[("Ready", "Unknown")]), Status::InProgress);
        assert_eq!(with(&[("Ready", "True")]), Status::Current);
    }

    #[test]
    fn what_says_nothing_is_taken_as_current() {
        assert_eq!(of(&Value::Null), Status::Current);
        assert_eq!(with(&[]), Status::Current);
    }

    #[test]
    fn what_is_about_to_be_deleted_is_terminating() {
        let object = json!({"metadata": {"generation": 2, "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(super::status(&object), Status::Terminating);
    }
}
