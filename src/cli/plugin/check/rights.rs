//! What the caller may do in the cluster, asked of the API server by `SelfSubjectAccessReview`.

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::item::{Item, failed, passed};
use crate::cli::plugin::cluster::Cluster;
use crate::cli::plugin::error::kube_sentence;

/// Reviews in flight.
const CONCURRENT_REVIEWS: usize = 8;

/// A right: what for, the group, the resource, its verbs, and whether it is one of a namespace.
struct Right {
    reason: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: Option<&'static str>,
    verbs: &'static [&'static str],
    namespace: Namespace,
}

/// In which namespace a right is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespace {
    /// In that of the flags.
    Own,
    /// In none: an object of the cluster, by its name.
    None(&'static str),
}

const fn right(
    reason: &'static str,
    (group, resource): (&'static str, &'static str),
    verbs: &'static [&'static str],
) -> Right {
    Right { reason, group, resource, subresource: None, verbs, namespace: Namespace::Own }
}

const GROUP: &str = "iam.confidence.dev";
const RESOURCES: &str = "confidenceclientcredentials";

/// What the operator does, as in the chart's roles.
const RIGHTS: [Right; 7] = [
    right("watch the resources", (GROUP, RESOURCES), &["get", "list", "watch"]),
    right("record what is created", (GROUP, RESOURCES), &["patch"]),
    Right { subresource: Some("status"), ..right("write their status", (GROUP, RESOURCES), &["update"]) },
    right("read and watch Secrets", ("", "secrets"), &["get", "list", "watch"]),
    right("publish Secrets", ("", "secrets"), &["create", "patch", "delete"]),
    right("write events", ("events.k8s.io", "events"), &["create"]),
    Right { namespace: Namespace::None("kube-system"), ..right("know the installation", ("", "namespaces"), &["get"]) },
];

/// Asks for each right, in one namespace or in all; one line each.
pub(super) async fn check(cluster: &Cluster, namespace: Option<&str>) -> Vec<Item> {
    let lines = futures::stream::iter(&RIGHTS).map(async |right| review(cluster, right, namespace).await);
    lines.buffered(CONCURRENT_REVIEWS).collect().await
}

async fn review(cluster: &Cluster, right: &Right, namespace: Option<&str>) -> Item {
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let mut denied = Vec::new();
    for verb in right.verbs {
        let review = SelfSubjectAccessReview { spec: question(right, verb, namespace), ..Default::default() };
        match api.create(&PostParams::default(), &review).await {
            Ok(answer) if answer.status.as_ref().is_some_and(|it| it.allowed) => {}
            Ok(_) => denied.push(*verb),
            Err(error) => return failed(right.reason, kube_sentence(&error)),
        }
    }
    judge(right, &denied, namespace)
}

fn question(right: &Right, verb: &str, namespace: Option<&str>) -> SelfSubjectAccessReviewSpec {
    let (namespace, name) = match right.namespace {
        Namespace::Own => (namespace.map(str::to_owned), None),
        Namespace::None(name) => (None, Some(name.to_owned())),
    };
    let attributes = ResourceAttributes {
        group: Some(right.group.to_owned()),
        resource: Some(right.resource.to_owned()),
        subresource: right.subresource.map(str::to_owned),
        verb: Some(verb.to_owned()),
        namespace,
        name,
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() }
}

fn judge(right: &Right, denied: &[&str], namespace: Option<&str>) -> Item {
    let resource = right.subresource.map_or_else(|| right.resource.to_owned(), |it| format!("{}/{it}", right.resource));
    let place = match right.namespace {
        Namespace::Own => namespace.map_or_else(|| " in all namespaces".to_owned(), |it| format!(" in namespace {it}")),
        Namespace::None(name) => format!(" {name}"),
    };
    if denied.is_empty() {
        return passed(right.reason, format!("{} {resource}{place}", right.verbs.join(", ")));
    }
    let denied = denied.join(", ");
    failed(right.reason, format!("not allowed to {denied} {resource}{place}; grant it in a Role, as the chart does"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person reads which verbs to grant on what, and where.
    #[test]
    fn denied_verbs_are_named() {
        let item = judge(&RIGHTS[2], &["update"], Some("shop"));
        assert!(!item.ok);
        assert!(item.text.starts_with("not allowed to update confidenceclientcredentials/status in namespace shop"));
        assert!(judge(&RIGHTS[0], &[], None).ok);
    }
}
