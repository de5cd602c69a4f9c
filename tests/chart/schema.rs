//! What the chart refuses before anything is installed, and that it says so to a person.

use serde_json::Value;
use testbed::Tool;

use super::support::{SETS, chart, documents, fail, succeed, template, text, tool};

const ONE_REPLICA: &str = "replicaCount=1";
const BUDGET: &str = "podDisruptionBudget.enabled=true";
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
    (&["confidence.minInterval=999ms"], "confidence.minInterval: 999ms is shorter than 1s"),
    (&["confidence.interval=29s"], "confidence.interval: 29s is shorter than confidence.minInterval, which is 30s"),
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
    (&[BUDGET, "podDisruptionBudget.minAvailable=1"], "give minAvailable or maxUnavailable"),
    (&[BUDGET, "podDisruptionBudget.maxUnavailable="], "give minAvailable or maxUnavailable"),
    (&[BUDGET, "podDisruptionBudget.maxUnavailable=0"], "maxUnavailable 0 of 2 replicas lets no pod go"),
    (&[BUDGET, "podDisruptionBudget.maxUnavailable=0%"], "maxUnavailable 0% of 2 replicas lets no pod go"),
    (
        &[BUDGET, ONE_REPLICA, "podDisruptionBudget.minAvailable=1", NO_MAXIMUM],
        "minAvailable 1 of 1 replicas lets no pod go",
    ),
    (
        &[BUDGET, ONE_REPLICA, "podDisruptionBudget.minAvailable=1%", NO_MAXIMUM],
        "minAvailable 1% of 1 replicas lets no pod go",
    ),
    (&[BUDGET, "podDisruptionBudget.minAvailable=100%", NO_MAXIMUM], "minAvailable 100% of 2 replicas lets no pod go"),
    (&["fullnameOverride=co.v1"], "at '/fullnameOverride': 'co.v1' does not match pattern"),
    (&["fullnameOverride=1st"], "at '/fullnameOverride': '1st' does not match pattern"),
    (&["nameOverride=co.v1"], "at '/nameOverride': 'co.v1' does not match pattern"),
    (&["rbac.secrets.access=named"], "named needs the names"),
    (&["rbac.secrets.named.checkout={a}"], "is used with rbac.secrets.access=named only"),
    (&["rbac.secrets.access=none"], "none leaves no Secret to publish into"),
    (&["rbac.clusterRoles=false"], "watching all namespaces needs a ClusterRole"),
    (&["rbac.clusterRoles=false", "watchNamespaces={a}"], "give instanceId, or create.enabled=false"),
    (&["accounts.default=false", "accounts.enabled=false"], "accounts.enabled=true is needed"),
    (&["credentials.volume.emptyDir.medium=", "credentials.directory=/a"], "give volume or directory, not both"),
    (&["credentials.directory=/a", "credentials.create=true"], "makes a Secret, which credentials.volume and"),
    (&["credentials.keys.clientId=a", "credentials.keys.clientSecret=a"], "need different keys"),
    (&["credentials.directory=vault"], "at '/credentials/directory': 'vault' does not match pattern"),
    (&["image.registry=https://a"], "at '/image/registry': 'https://a' does not match pattern"),
    (&["tolerations[0].operator=Bogus"], "at '/tolerations/0/operator': value must be one of"),
    (&["podSecurityContext.runAsNonroot=true"], "additional properties 'runAsNonroot' not allowed"),
    (&["extraEnv[0].name=a", "extraEnv[0].valeu=b"], "at '/extraEnv/0': additional properties 'valeu' not allowed"),
    (&["initContainers[0].name=a", "initContainers[0].imgae=b"], "additional properties 'imgae' not allowed"),
    (&["extraVolumes[0].emptyDir.medium=Memory"], "missing property 'name'"),
    (&["metrics.service.ipFamilies={IPv5}"], "at '/metrics/service/ipFamilies/0': value must be one of"),
    (&["metrics.prometheusRule.alerts.ConfidenceOperatorAbsent.severty=page"], "properties 'severty' not allowed"),
    (&[r"podLabels.app\.kubernetes\.io/instance=a"], "podLabels: the chart itself sets app.kubernetes.io/instance"),
    (&[r"commonLabels.app\.kubernetes\.io/name=a"], "commonLabels: the chart itself sets app.kubernetes.io/name"),
    (
        &["watchNamespaces={payments}", "rbac.secrets.access=named", "rbac.secrets.named.checkout={a}"],
        "namespace checkout is not in watchNamespaces",
    ),
    (
        &["metrics.prometheusRule.enabled=true", "metrics.prometheusRule.alerts.NoSuchAlert.enabled=false"],
        "there is no alert NoSuchAlert",
    ),
    (
        &[
            "metrics.prometheusRule.enabled=true",
            "metrics.prometheusRule.alerts.ConfidenceOperatorNoLeader.threshold=2",
        ],
        "alerts.ConfidenceOperatorNoLeader.threshold: this alert compares with no number",
    ),
    (&["audit.enabled=true", "accounts.default=false"], "audit.enabled: looks at the operator's own account"),
    (
        &["audit.enabled=true", "rbac.clusterRoles=false", "watchNamespaces={a}", "instanceId=a"],
        "audit.enabled: reads the resources of all namespaces",
    ),
    (&["audit.failOn={lost}"], "at '/audit/failOn/0': value must be one of"),
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
    let shortest = "leaderElection.leaseDuration=15s,confidence.interval=1000ms,confidence.minInterval=1s,terminationGracePeriodSeconds=20";
    let longer = "leaderElection.leaseDuration=0.25m,confidence.interval=1m0.5s,confidence.minInterval=1m0.5s,confidence.lastSeenResolution=1h30m";
    for fine in [
        shortest,
        longer,
        "podDisruptionBudget.enabled=true,replicaCount=3,podDisruptionBudget.minAvailable=2,podDisruptionBudget.maxUnavailable=",
        "podDisruptionBudget.enabled=true,replicaCount=3,podDisruptionBudget.minAvailable=66%,podDisruptionBudget.maxUnavailable=",
        "podDisruptionBudget.enabled=true,replicaCount=1",
        "replicaCount=1,podDisruptionBudget.enabled=false,podDisruptionBudget.maxUnavailable=0",
        // Nothing runs, so nothing can be in the way of a drain.
        "podDisruptionBudget.enabled=true,replicaCount=0",
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
    const WHOLE: &[&str] = &[
        "/podSecurityContext",
        "/securityContext",
        "/nodeSelector",
        "/metrics/dashboard/labels",
        "/metrics/dashboard/grafanaOperator/instanceSelector",
    ];
    match values.as_object().filter(|it| !it.is_empty() && !WHOLE.contains(&path)) {
        Some(object) => object.iter().flat_map(|(name, value)| switches(value, &format!("{path}/{name}"))).collect(),
        None => vec![(path.to_owned(), values.clone())],
    }
}

/// Values of other charts may be among the global ones.
#[test]
fn umbrella_chart_can_carry_this_one() {
    succeed(&mut template(&["--set", "global.team=platform,enabled=true"]));
}

/// The oldest Kubernetes that is supported takes the release, and the one before it does not.
#[test]
fn oldest_supported_kubernetes_is_taken() {
    succeed(&mut template(&["--kube-version", "1.31.0"]));
    let told = fail(&mut template(&["--kube-version", "1.30.9"]));
    assert!(told.contains("chart requires kubeVersion: >=1.31.0-0"), "{told}");
}

/// `null` takes a default away.
#[test]
fn null_removes_a_default() {
    let unset = "podSecurityContext.runAsUser=null,podSecurityContext.fsGroup=null";
    let rendered = documents(&succeed(&mut template(&["--set", unset])));
    let deployment = rendered.iter().find(|it| text(it, "/kind") == "Deployment").unwrap();
    let context = &deployment["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert!(context.get("runAsUser").is_none() && context.get("fsGroup").is_none(), "{context}");
}
