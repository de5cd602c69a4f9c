//! What the chart refuses before anything is installed, and that it says so to a person.

use serde_json::Value;
use testbed::Tool;

use super::support::{SETS, chart, documents, fail, succeed, template, text, tool, values};

const ONE_REPLICA: &str = "replicaCount=1";
const NO_MAXIMUM: &str = "podDisruptionBudget.maxUnavailable=";

/// Values, and a part of what is said about them.
const REFUSED: &[(&[&str], &str)] = &[
    (&["replicas=3"], "additional properties 'replicas' not allowed"),
    (&["confidence.regoin=eu"], "at '/confidence': additional properties 'regoin' not allowed"),
    (&["metrics.serviceMonitor.enable=true"], "additional properties 'enable' not allowed"),
    (&["replicaCount=two"], "at '/replicaCount': got string, want integer"),
    (&["replicaCount=-1"], "at '/replicaCount': minimum: got -1, want 0"),
    (&["confidence.region=asia"], "at '/confidence/region': value must be one of 'global', 'eu', 'us'"),
    (&["confidence.requestsPerSecond=0"], "at '/confidence/requestsPerSecond': minimum: got 0, want 1"),
    (&["confidence.interval=10"], "at '/confidence/interval': got number, want string"),
    (&["confidence.interval=ten"], "at '/confidence/interval': 'ten' does not match pattern"),
    (&["confidence.interval=9999999999h"], "at '/confidence/interval': '9999999999h' does not match pattern"),
    (&["confidence.interval=999ms"], "confidence.interval: 999ms is shorter than 1s"),
    (&["confidence.lastSeenResolution=0h0m"], "confidence.lastSeenResolution: 0h0m is shorter than 1s"),
    (&["leaderElection.leaseDuration=14s999ms"], "leaderElection.leaseDuration: 14s999ms is shorter than 15s"),
    (&["leaderElection.leaseDuration=0.004h"], "leaderElection.leaseDuration: 0.004h is shorter than 15s"),
    (&["confidence.url=iam.example.com"], "at '/confidence/url': 'iam.example.com' does not match pattern"),
    (&["confidence.observe=write"], "at '/confidence/observe': value must be one of"),
    (&["credentials.type=password"], "at '/credentials/type': value must be one of 'client', 'token'"),
    (&["credentials.secretName="], "at '/credentials/secretName': minLength"),
    (&["caBundle.pem=certificate"], "at '/caBundle/pem': 'certificate' does not match pattern"),
    (&["watchNamespaces={Checkout}"], "at '/watchNamespaces/0': 'Checkout' does not match pattern"),
    (&["watchNamespaces={a,a}"], "at '/watchNamespaces': items at 0 and 1 are equal"),
    (&["watchNamespaces=checkout"], "at '/watchNamespaces': got string, want array"),
    (&["image.digest=latest"], "at '/image/digest': 'latest' does not match pattern"),
    (&["image.pullPolicy=Sometimes"], "at '/image/pullPolicy': value must be one of"),
    (&["terminationGracePeriodSeconds=5"], "at '/terminationGracePeriodSeconds': minimum: got 5, want 20"),
    (&["resources.limits.memory=256MB"], "at '/resources/limits/memory': '256MB' does not match pattern"),
    (&["rbac.secrets.access=some"], "at '/rbac/secrets/access': value must be one of 'all', 'named', 'none'"),
    (&["rbac.secrets.named.checkout=confidence"], "at '/rbac/secrets/named/checkout': got string, want array"),
    (&["metrics.port=80"], "at '/metrics/port': minimum: got 80, want 1,024"),
    (&["podLabels.note=two words"], "at '/podLabels/note': 'two words' does not match pattern"),
    (&["podAnnotations.count=1"], "at '/podAnnotations/count': got number, want string"),
    (&["leaderElection.enabled=false"], "more than one replica needs leaderElection.enabled=true"),
    (
        &["metrics.serviceMonitor.enabled=true", "metrics.podMonitor.enabled=true"],
        "enable serviceMonitor or podMonitor, not both",
    ),
    (&["metrics.serviceMonitor.enabled=true", "metrics.service.enabled=false"], "needs metrics.service.enabled=true"),
    (&["caBundle.configMapName=a", "caBundle.secretName=b"], "give one of configMapName, secretName and pem"),
    (&["credentials.create=true"], "type client needs credentials.clientId and credentials.clientSecret"),
    (&["credentials.create=true", "credentials.type=token"], "type token needs credentials.token"),
    (&["credentials.token=x"], "are used with credentials.create=true only"),
    (&["confidence.url=http://iam.example.com"], "would send the token in the clear"),
    (&["confidence.tokenUrl=http://iam.example.com"], "would send the token in the clear"),
    (&["podDisruptionBudget.minAvailable=1"], "give minAvailable or maxUnavailable"),
    (&["podDisruptionBudget.maxUnavailable="], "give minAvailable or maxUnavailable"),
    (&["podDisruptionBudget.maxUnavailable=0"], "maxUnavailable 0 of 2 replicas lets no pod go"),
    (&["podDisruptionBudget.maxUnavailable=0%"], "maxUnavailable 0% of 2 replicas lets no pod go"),
    (&[ONE_REPLICA, "podDisruptionBudget.minAvailable=1", NO_MAXIMUM], "minAvailable 1 of 1 replicas lets no pod go"),
    (&[ONE_REPLICA, "podDisruptionBudget.minAvailable=1%", NO_MAXIMUM], "minAvailable 1% of 1 replicas lets no pod go"),
    (&["podDisruptionBudget.minAvailable=100%", NO_MAXIMUM], "minAvailable 100% of 2 replicas lets no pod go"),
    (&["fullnameOverride=co.v1"], "at '/fullnameOverride': 'co.v1' does not match pattern"),
    (&["fullnameOverride=1st"], "at '/fullnameOverride': '1st' does not match pattern"),
    (&["nameOverride=co.v1"], "at '/nameOverride': 'co.v1' does not match pattern"),
    (&["rbac.secrets.access=named"], "named needs the names"),
    (&["rbac.secrets.named.checkout={a}"], "is used with rbac.secrets.access=named only"),
    (
        &["watchNamespaces={payments}", "rbac.secrets.access=named", "rbac.secrets.named.checkout={a}"],
        "namespace checkout is not in watchNamespaces",
    ),
    (
        &["metrics.prometheusRule.enabled=true", "metrics.prometheusRule.disabled={NoSuchAlert}"],
        "there is no alert NoSuchAlert",
    ),
];

#[test]
fn mistakes_in_values_are_refused_with_a_message_that_names_them() {
    for (set, message) in REFUSED {
        let arguments: Vec<_> = set.iter().flat_map(|it| ["--set", it]).collect();
        let told = fail(&mut template(&arguments));
        assert!(told.contains(message), "{set:?}: {told}");
    }
}

#[test]
fn values_at_their_bounds_are_taken() {
    let shortest = "leaderElection.leaseDuration=15s,confidence.interval=1000ms,terminationGracePeriodSeconds=20";
    let longer = "leaderElection.leaseDuration=0.25m,confidence.interval=1m0.5s,confidence.lastSeenResolution=1h30m";
    for fine in [
        shortest,
        longer,
        "replicaCount=3,podDisruptionBudget.minAvailable=2,podDisruptionBudget.maxUnavailable=",
        "replicaCount=3,podDisruptionBudget.minAvailable=66%,podDisruptionBudget.maxUnavailable=",
        "replicaCount=1",
        "replicaCount=1,podDisruptionBudget.enabled=false,podDisruptionBudget.maxUnavailable=0",
        // Nothing runs, so nothing can be in the way of a drain.
        "replicaCount=0",
        "fullnameOverride=co-v1",
    ] {
        succeed(&mut template(&["--set", fine]));
    }
}

#[test]
fn a_release_gets_names_that_a_service_can_have_or_is_told_why_not() {
    let named = |release: &str| {
        let mut helm = tool(Tool::Helm);
        helm.args(["template", release]).arg(chart());
        helm
    };
    let rendered = documents(&succeed(&mut named("co.v1")));
    let service = rendered.iter().find(|it| text(it, "/kind") == "Service").unwrap();
    assert_eq!(text(service, "/metadata/name"), "co-v1-confidence-operator-metrics");
    let told = fail(&mut named("1st"));
    assert!(told.contains("fullnameOverride: the name 1st-confidence-operator begins with a digit"), "{told}");
    succeed(named("1st").args(["--set", "metrics.service.enabled=false"]));
}

#[test]
fn the_schema_knows_every_value_and_no_other_and_is_closed_everywhere() {
    let schema: Value = serde_json::from_slice(&std::fs::read(chart().join("values.schema.json")).unwrap()).unwrap();
    let values = documents(&std::fs::read_to_string(chart().join("values.yaml")).unwrap()).remove(0);
    // Those of umbrella charts: they come from outside.
    same_keys(&schema, &values, "", &["global", "enabled"]);
}

#[test]
fn every_value_is_tested_in_another_than_its_default_position() {
    let read = |path: &str| documents(&std::fs::read_to_string(chart().join(path)).unwrap()).remove(0);
    let sets = SETS.map(|file| read(&format!("tests/{file}")));
    let untested: Vec<_> = switches(&read("values.yaml"), "")
        .into_iter()
        .filter(|(path, default)| !sets.iter().any(|set| set.pointer(path).is_some_and(|value| value != default)))
        .map(|(path, _)| path)
        .collect();
    assert!(untested.is_empty(), "in none of {SETS:?}: {untested:#?}");
}

/// Each value by its path. What Kubernetes defines is one value, whatever is in it.
fn switches(values: &Value, path: &str) -> Vec<(String, Value)> {
    const WHOLE: &[&str] = &["/podSecurityContext", "/securityContext", "/nodeSelector", "/metrics/dashboard/labels"];
    match values.as_object().filter(|it| !it.is_empty() && !WHOLE.contains(&path)) {
        Some(object) => object.iter().flat_map(|(name, value)| switches(value, &format!("{path}/{name}"))).collect(),
        None => vec![(path.to_owned(), values.clone())],
    }
}

fn same_keys(schema: &Value, values: &Value, path: &str, foreign: &[&str]) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    assert_eq!(schema["additionalProperties"], Value::Bool(false), "{path}: unknown names must be refused");
    let Some(values) = values.as_object().filter(|it| !it.is_empty()) else { return };
    for name in values.keys() {
        assert!(properties.contains_key(name), "{path}/{name} is not in the schema");
    }
    for (name, schema) in properties.iter().filter(|(name, _)| !foreign.contains(&name.as_str())) {
        // What Kubernetes defines has optional parts of its own.
        if !["/affinity", "/resources"].contains(&path) {
            let value = values.get(name).unwrap_or_else(|| panic!("{path}/{name} is not in values.yaml"));
            same_keys(schema, value, &format!("{path}/{name}"), &[]);
        }
    }
}

#[test]
fn an_umbrella_chart_can_carry_this_one() {
    succeed(&mut template(&["--set", "global.team=platform,enabled=true"]));
}

#[test]
fn null_takes_a_default_away_as_openshift_needs_it() {
    let unset = "podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null";
    let rendered = documents(&succeed(&mut template(&["--set", unset, "--values", &values("values-namespaced.yaml")])));
    let deployment = rendered.iter().find(|it| text(it, "/kind") == "Deployment").unwrap();
    let context = &deployment["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert!(context.get("runAsUser").is_none() && context.get("fsGroup").is_none(), "{context}");
}
