//! Whether the grants of an account cover a resource: a pure decision from its namespace's labels and its client.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::api::account::Grant;

/// The labels of a namespace.
pub(super) type Labels = BTreeMap<String, String>;

/// What the grants say of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// One grant covers both the namespace and the client.
    Granted,
    /// No grant does.
    Denied,
    /// It depends on labels that are not known yet.
    Unknown,
}

/// Decides whether a resource may use an account. `labels` are those of its namespace, none while they are not known;
/// `client` is the id of the client.
///
/// Invariant: what cannot be understood selects nothing (`selector_that_is_not_understood_selects_nothing`).
pub(super) fn coverage(grants: &[Grant], labels: Option<&Labels>, client: &str) -> Coverage {
    let mut coverage = Coverage::Denied;
    for grant in grants.iter().filter(|grant| has_client(grant, client)) {
        match (needs_labels(&grant.namespace_selector), labels) {
            (false, _) => return Coverage::Granted,
            (true, None) => coverage = Coverage::Unknown,
            (true, Some(labels)) if selects(&grant.namespace_selector, labels) => return Coverage::Granted,
            (true, Some(_)) => {}
        }
    }
    coverage
}

/// Whether a grant selects namespaces by their labels, and not all of them.
pub(super) fn needs_labels(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_some_and(|it| !it.is_empty())
        || selector.match_expressions.as_ref().is_some_and(|it| !it.is_empty())
}

fn has_client(grant: &Grant, client: &str) -> bool {
    let Some(clients) = &grant.clients else { return true };
    clients.iter().any(|granted| granted.strip_prefix("clients/").unwrap_or(granted) == client)
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let mut values = selector.match_labels.iter().flatten();
    let mut requirements = selector.match_expressions.iter().flatten();
    values.all(|(key, value)| labels.get(key) == Some(value)) && requirements.all(|it| is_met(it, labels))
}

fn is_met(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let named = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" => value.is_some_and(|value| named.contains(value)),
        // As Kubernetes has it: a namespace without the label is not in the set either.
        "NotIn" => !named.is_empty() && value.is_none_or(|value| !named.contains(value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn decide(grants: &Value, labels: Option<&[(&str, &str)]>, client: &str) -> Coverage {
        let grants: Vec<Grant> = serde_json::from_value(grants.clone()).unwrap();
        let labels: Option<Labels> =
            labels.map(|it| it.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
        coverage(&grants, labels.as_ref(), client)
    }

    /// An account grants nothing by itself.
    #[test]
    fn no_grant_denies() {
        assert_eq!(decide(&json!([]), Some(&[]), "c"), Coverage::Denied);
        assert_eq!(decide(&json!([]), None, "c"), Coverage::Denied);
    }

    /// The empty selector is every namespace, and so needs no labels.
    #[test]
    fn empty_selector_grants_without_labels() {
        assert_eq!(decide(&json!([{"namespaceSelector": {}}]), None, "c"), Coverage::Granted);
    }

    /// Two grants that cover a half each do not add up.
    #[test]
    fn one_grant_covers_namespace_and_client() {
        let grants = json!([
            {"namespaceSelector": {"matchLabels": {"team": "a"}}, "clients": ["clients/one"]},
            {"namespaceSelector": {"matchLabels": {"team": "b"}}, "clients": ["clients/two"]},
        ]);
        assert_eq!(decide(&grants, Some(&[("team", "a")]), "one"), Coverage::Granted);
        assert_eq!(decide(&grants, Some(&[("team", "a")]), "two"), Coverage::Denied);
        assert_eq!(decide(&grants, Some(&[("team", "b")]), "two"), Coverage::Granted);
        assert_eq!(decide(&grants, Some(&[]), "one"), Coverage::Denied);
        assert_eq!(decide(&grants, Some(&[("team", "a")]), "on"), Coverage::Denied);
    }

    /// Nothing is concluded from labels that nobody has listed yet.
    #[test]
    fn unlisted_labels_are_unknown() {
        let grants = json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}, "clients": ["clients/one"]}]);
        assert_eq!(decide(&grants, None, "one"), Coverage::Unknown);
        assert_eq!(decide(&grants, None, "two"), Coverage::Denied);
    }

    /// The table of the operators is that of the Kubernetes documentation ("Labels and Selectors").
    #[test]
    fn expressions_select_as_kubernetes_does() {
        let of = |operator: &str, values: Value, labels: &[(&str, &str)]| {
            let selector = json!({"matchExpressions": [{"key": "env", "operator": operator, "values": values}]});
            decide(&json!([{"namespaceSelector": selector}]), Some(labels), "c") == Coverage::Granted
        };
        let (test, live, none): (&[_], &[_], &[_]) = (&[("env", "test")], &[("env", "live")], &[]);
        assert_eq!([test, live, none].map(|it| of("In", json!(["test"]), it)), [true, false, false]);
        assert_eq!([test, live, none].map(|it| of("NotIn", json!(["test"]), it)), [false, true, true]);
        assert_eq!([test, live, none].map(|it| of("Exists", json!([]), it)), [true, true, false]);
        assert_eq!([test, live, none].map(|it| of("DoesNotExist", json!([]), it)), [false, false, true]);
    }

    /// A newer operator, or a set without values, must not open an account.
    #[test]
    fn selector_that_is_not_understood_selects_nothing() {
        for operator in ["Gt", "", "NotIn"] {
            let selector = json!({"matchExpressions": [{"key": "env", "operator": operator}]});
            assert_eq!(decide(&json!([{"namespaceSelector": selector}]), Some(&[]), "c"), Coverage::Denied);
        }
    }
}
