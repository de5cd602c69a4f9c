//! The bundle by which the Operator Lifecycle Manager installs the operator: the chart, rendered and taken apart.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testbed::Tool;

use super::krew::yaml;
use super::schemas::text;
use super::{archive, csv, files, repository};

const PACKAGE: &str = "confidence-operator";

/// The Lifecycle Manager mounts no Secret of a person's, so each resource names an account. People get roles from it as well.
const VALUES: &str = "accounts.default=false,rbac.aggregate.view=false,crds.install=false";

/// Writes `bundle/`, and an archive of it.
pub(super) fn write(image: &str, out: &Path) -> Result<(), String> {
    let bundle = out.join("bundle");
    let rendered = render()?;
    let manifests = bundle.join("manifests");
    let csv = csv::csv(&rendered, image)?;
    files::write(&manifests.join(format!("{PACKAGE}.clusterserviceversion.yaml")), &yaml(&csv)?)?;
    for crd in files::entries(&repository("crds"))? {
        files::write(&manifests.join(files::name(&crd)), &files::read(&crd)?)?;
    }
    files::write(&manifests.join(format!("{PACKAGE}-metrics_v1_service.yaml")), &yaml(&service(&rendered)?)?)?;
    let annotations: serde_json::Map<_, _> =
        labels().into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    files::write(&bundle.join("metadata/annotations.yaml"), &yaml(&json!({"annotations": annotations}))?)?;
    files::write(&bundle.join("bundle.Dockerfile"), &dockerfile())?;
    archive::write_folder(&bundle)
}

fn render() -> Result<Vec<Value>, String> {
    let mut helm = Command::new(Tool::Helm.find()?);
    helm.args(["template", PACKAGE, "--namespace", PACKAGE, "--no-hooks", "--set", VALUES]);
    let rendered = files::run(helm.arg(repository("charts/confidence-operator")))?;
    let mut rendered: Vec<Value> = serde_saphyr::from_multiple(&rendered).map_err(|error| error.to_string())?;
    rendered.iter_mut().for_each(forget_helm);
    Ok(rendered)
}

/// Takes away the labels that are true of a release of Helm only.
fn forget_helm(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !["helm.sh/chart", "app.kubernetes.io/managed-by"].contains(&name.as_str()));
            object.values_mut().for_each(forget_helm);
        }
        Value::Array(array) => array.iter_mut().for_each(forget_helm),
        _ => {}
    }
}

/// The first object of a kind.
pub(super) fn of_kind<'a>(rendered: &'a [Value], kind: &str) -> Result<&'a Value, String> {
    rendered.iter().find(|it| text(it, "/kind") == kind).ok_or_else(|| format!("the chart renders no {kind}"))
}

/// The Service, for whatever namespace it is installed into.
fn service(rendered: &[Value]) -> Result<Value, String> {
    let mut service = of_kind(rendered, "Service")?.clone();
    let metadata = service["metadata"].as_object_mut().ok_or("the Service has no metadata")?;
    metadata.remove("namespace");
    Ok(service)
}

fn labels() -> [(String, &'static str); 6] {
    let label = |name: &str| format!("operators.operatorframework.io.bundle.{name}.v1");
    [
        (label("mediatype"), "registry+v1"),
        (label("manifests"), "manifests/"),
        (label("metadata"), "metadata/"),
        (label("package"), PACKAGE),
        (label("channels"), "alpha"),
        (label("channel.default"), "alpha"),
    ]
}

fn dockerfile() -> String {
    let labels = labels().map(|(name, value)| format!("LABEL {name}={value}\n")).concat();
    format!("FROM scratch\n{labels}COPY manifests /manifests/\nCOPY metadata /metadata/\n")
}
