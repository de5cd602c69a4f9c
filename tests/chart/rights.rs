//! What the operator may do, for each way of running it: the tables that `docs/security.md` tells, held against a real API server.

use super::cluster::{Request, allowed, get, helm, install, kubectl, namespace, wait_until_roles_hold};
use super::support::{succeed, text};

/// A way of running the operator. Each is installed in a namespace of its name.
struct Way {
    name: &'static str,
    values: &'static str,
    allowed: &'static [Request],
    refused: &'static [Request],
}

const RESOURCES: &str = "iam.confidence.dev/confidenceclientcredentials";
const RESOURCE_STATUS: &str = "iam.confidence.dev/confidenceclientcredentials:status";
const ACCOUNTS: &str = "iam.confidence.dev/confidenceaccounts";
const ACCOUNT_STATUS: &str = "iam.confidence.dev/confidenceaccounts:status";
const CLUSTER_ACCOUNTS: &str = "iam.confidence.dev/clusterconfidenceaccounts";
const CLUSTER_ACCOUNT_STATUS: &str = "iam.confidence.dev/clusterconfidenceaccounts:status";
const CRD: &str = "apiextensions.k8s.io/customresourcedefinitions/confidenceclientcredentials.iam.confidence.dev";
const EVENTS: &str = "events.k8s.io/events";
const LEASE: &str = "coordination.k8s.io/leases/confidence-operator";

/// No way of running needs these.
const NEVER: &[Request] = &[
    ["create", RESOURCES, "anywhere"],
    ["update", RESOURCES, "anywhere"],
    ["delete", RESOURCES, "anywhere"],
    ["create", ACCOUNTS, "anywhere"],
    ["patch", ACCOUNTS, "anywhere"],
    ["patch", CLUSTER_ACCOUNTS, ""],
    ["update", "/secrets", "anywhere"],
    ["deletecollection", "/secrets", "anywhere"],
    ["patch", EVENTS, "anywhere"],
    ["create", "/events", "anywhere"],
    ["create", "coordination.k8s.io/leases", "anywhere"],
    ["get", "/pods", "anywhere"],
    ["get", "/configmaps", "anywhere"],
    ["update", CRD, ""],
    ["get", "apiextensions.k8s.io/customresourcedefinitions/others.example.com", ""],
    ["update", "/namespaces/kube-system", ""],
    ["escalate", "rbac.authorization.k8s.io/clusterroles", ""],
    ["impersonate", "/serviceaccounts", "anywhere"],
];

const WAYS: &[Way] = &[
    Way {
        name: "adopt-only",
        values: "create.enabled=false,accounts.enabled=false",
        allowed: &[
            ["get", RESOURCES, "anywhere"],
            ["list", RESOURCES, "anywhere"],
            ["watch", RESOURCES, "anywhere"],
            ["update", RESOURCE_STATUS, "anywhere"],
            ["get", "/secrets", "anywhere"],
            ["list", "/secrets", "anywhere"],
            ["watch", "/secrets", "anywhere"],
            ["create", EVENTS, "anywhere"],
            ["create", "coordination.k8s.io/leases", "adopt-only"],
            ["get", LEASE, "adopt-only"],
            ["update", LEASE, "adopt-only"],
        ],
        refused: &[
            ["patch", RESOURCES, "anywhere"],
            ["get", RESOURCE_STATUS, "anywhere"],
            ["create", "/secrets", "anywhere"],
            ["patch", "/secrets", "anywhere"],
            ["delete", "/secrets", "anywhere"],
            ["get", CRD, ""],
            ["get", "/namespaces/kube-system", ""],
            ["get", ACCOUNTS, "anywhere"],
            ["get", CLUSTER_ACCOUNTS, ""],
            ["patch", LEASE, "adopt-only"],
            ["delete", LEASE, "adopt-only"],
            ["update", "coordination.k8s.io/leases/another", "adopt-only"],
            ["get", "/pods", "adopt-only"],
        ],
    },
    Way {
        name: "one-tenant",
        values: "accounts.enabled=false",
        allowed: &[
            ["list", RESOURCES, "anywhere"],
            ["patch", RESOURCES, "anywhere"],
            ["update", RESOURCE_STATUS, "anywhere"],
            ["list", "/secrets", "anywhere"],
            ["create", "/secrets", "anywhere"],
            ["patch", "/secrets", "anywhere"],
            ["delete", "/secrets", "anywhere"],
            ["get", CRD, ""],
            ["get", "/namespaces/kube-system", ""],
        ],
        refused: &[
            ["list", "/namespaces", ""],
            ["get", "/namespaces/default", ""],
            ["list", ACCOUNTS, "anywhere"],
            ["list", CLUSTER_ACCOUNTS, ""],
        ],
    },
    Way {
        name: "many-tenants",
        values: "accounts.default=false",
        allowed: &[
            ["patch", RESOURCES, "anywhere"],
            ["list", ACCOUNTS, "anywhere"],
            ["watch", ACCOUNTS, "anywhere"],
            ["update", ACCOUNT_STATUS, "anywhere"],
            ["watch", CLUSTER_ACCOUNTS, ""],
            ["update", CLUSTER_ACCOUNT_STATUS, ""],
            ["watch", "/namespaces", ""],
            ["get", "/namespaces/kube-system", ""],
            ["get", "/secrets", "many-tenants"],
            ["patch", "/secrets", "anywhere"],
        ],
        refused: &[["patch", "/namespaces/anywhere", ""], ["delete", CLUSTER_ACCOUNTS, ""]],
    },
    Way {
        name: "named-namespaces",
        values: "watchNamespaces={team-a,team-b}",
        allowed: &[
            ["list", RESOURCES, "team-a"],
            ["patch", RESOURCES, "team-b"],
            ["update", RESOURCE_STATUS, "team-b"],
            ["list", ACCOUNTS, "team-a"],
            ["watch", "/secrets", "team-a"],
            ["patch", "/secrets", "team-b"],
            ["create", EVENTS, "team-b"],
            // What concerns a whole account is told about the operator's pod.
            ["create", EVENTS, "named-namespaces"],
            // The credentials of accounts of the cluster.
            ["watch", "/secrets", "named-namespaces"],
            ["watch", CLUSTER_ACCOUNTS, ""],
            ["watch", "/namespaces", ""],
            ["get", CRD, ""],
        ],
        refused: &[
            ["get", RESOURCES, "named-namespaces"],
            ["patch", "/secrets", "named-namespaces"],
            ["list", RESOURCES, "anywhere"],
            ["list", RESOURCES, ""],
            ["get", "/secrets", "anywhere"],
            ["list", "/secrets", ""],
            ["create", "/secrets", "anywhere"],
            ["list", ACCOUNTS, "anywhere"],
            ["create", EVENTS, "anywhere"],
        ],
    },
    Way {
        name: "without-cluster-rights",
        values: "watchNamespaces={team-a},rbac.clusterRoles=false,instanceId=a,leaderElection.enabled=false,replicaCount=1",
        allowed: &[
            ["patch", RESOURCES, "team-a"],
            ["list", ACCOUNTS, "team-a"],
            ["patch", "/secrets", "team-a"],
            ["create", EVENTS, "without-cluster-rights"],
        ],
        refused: &[
            ["get", CRD, ""],
            ["list", CLUSTER_ACCOUNTS, ""],
            ["get", "/namespaces/kube-system", ""],
            ["get", "/secrets", "without-cluster-rights"],
            ["get", "/pods", "without-cluster-rights"],
            ["create", "coordination.k8s.io/leases", "without-cluster-rights"],
        ],
    },
    Way {
        name: "named-secrets",
        values: "watchNamespaces={team-a},accounts.enabled=false,rbac.secrets.access=named,rbac.secrets.named.team-a={one}",
        allowed: &[
            ["get", "/secrets/one", "team-a"],
            // A server-side apply that creates asks for the right with the name.
            ["create", "/secrets/one", "team-a"],
            ["patch", "/secrets/one", "team-a"],
            ["delete", "/secrets/one", "team-a"],
        ],
        refused: &[
            ["get", "/secrets/other", "team-a"],
            ["list", "/secrets", "team-a"],
            ["watch", "/secrets", "team-a"],
            ["create", "/secrets", "team-a"],
            ["patch", "/secrets/other", "team-a"],
            ["get", "/secrets/one", "team-b"],
        ],
    },
];

const ACCOUNT: &str = "confidence-operator";

/// Each way of running has the rights of its table, and no way has one of those that none needs. Who has no rights in the
/// cluster can install the release that is for them, as nothing of it is there.
#[test]
fn each_way_of_running_has_its_rights_alone() {
    for team in ["team-a", "team-b"] {
        succeed(&mut kubectl(&["create", "namespace", team]));
    }
    for way in WAYS {
        install(namespace(way.name), &["--set", "crds.install=false", "--set", way.values]);
        wait_until_roles_hold(way.name, ACCOUNT, way.allowed);
        for refused in [way.refused, NEVER] {
            for (request, is_allowed) in refused.iter().zip(allowed(way.name, ACCOUNT, refused)) {
                assert!(!is_allowed, "{}: may {request:?}", way.name);
            }
        }
        let needs_cluster = !way.values.contains("rbac.clusterRoles=false");
        assert_eq!(has_cluster_roles(way.name), needs_cluster, "{}", way.name);
        // Two releases of one name do not share a namespace that they watch.
        succeed(&mut helm(&["uninstall", "confidence-operator", "--namespace", way.name]));
    }
}

/// The names of what has no namespace begin with that of the release's.
fn has_cluster_roles(namespace: &str) -> bool {
    let roles = get(&["clusterroles,clusterrolebindings", "--selector", "app.kubernetes.io/name=confidence-operator"]);
    roles["items"].as_array().unwrap().iter().any(|it| text(it, "/metadata/name").starts_with(namespace))
}

/// A Secret that is named in a rule can be made with server-side apply, as the operator publishes, and no other Secret can.
#[test]
fn named_secret_can_be_applied_and_no_other() {
    for team in ["applied", "apply-home"] {
        namespace(team);
    }
    let named =
        "watchNamespaces={applied},accounts.enabled=false,rbac.secrets.access=named,rbac.secrets.named.applied={one}";
    install("apply-home", &["--set", "crds.install=false", "--set", named]);
    wait_until_roles_hold("apply-home", ACCOUNT, &[["patch", "/secrets/one", "applied"]]);
    let apply = |name: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "applied"}});
        std::io::Write::write_all(&mut file, secret.to_string().as_bytes()).unwrap();
        let mut apply = kubectl(&[
            "apply",
            "--server-side",
            "--validate=false",
            "--as",
            "system:serviceaccount:apply-home:confidence-operator",
        ]);
        apply.arg("--filename").arg(file.path()).output().unwrap().status.success()
    };
    assert!(apply("one"));
    assert!(!apply("other"));
}
