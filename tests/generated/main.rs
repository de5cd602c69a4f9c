//! What is generated from the types is up to date. `cargo xtask generate` writes it anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod api_reference;

use testbed::gitops::argo;

/// Compares a file with what it should be, or writes it.
fn check(file: &str, fresh: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("GENERATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == fresh, "{file} is stale; run cargo xtask generate");
}

/// The lines of a text, as a block of YAML has them at a depth.
fn indented(depth: usize, text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{:depth$}{line}\n", "") }).collect()
}

/// `crds/` holds a file for each kind, as the types describe it, and no other.
#[test]
fn crd_files_match_the_types() {
    let files = confidence_operator::cli::crd::files().unwrap();
    for (name, text) in &files {
        check(&format!("crds/{name}"), text);
    }
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/crds")).unwrap();
    assert_eq!(folder.count(), files.len(), "crds/ has a file of no kind");
}

/// `confidence-operator crd` prints every kind, as a stream that kubectl can apply.
#[test]
fn crd_command_prints_every_kind() {
    let yaml = confidence_operator::cli::crd::yaml().unwrap();
    let kinds: Vec<&str> = yaml.lines().filter_map(|line| line.strip_prefix("    kind: ")).collect();
    assert_eq!(kinds, ["ConfidenceClientCredential", "ConfidenceAccount", "ClusterConfidenceAccount"]);
    assert_eq!(yaml.lines().filter(|line| *line == "---").count(), kinds.len() - 1);
}

/// `docs/api.md` lists the fields of every kind.
#[test]
fn api_reference_matches_the_crds() {
    check("docs/api.md", &api_reference::of(&confidence_operator::api::crds()));
}

/// A message may end in a full stop that it means as a character; no second one follows.
#[test]
fn api_reference_keeps_a_messages_full_stop() {
    let reference = api_reference::of(&confidence_operator::api::crds());
    for message in ["letters, digits, - _ and .", "lower case letters, digits, - and ."] {
        assert!(reference.contains(&format!(" {message} |")), "{message}");
    }
    assert!(!reference.contains(".. "));
}

#[test]
fn patch_for_argo_cd_carries_every_script() {
    let kind = "iam.confidence.dev_ConfidenceClientCredential";
    let action = |(name, script)| ["    - name: ", name, "\n      action.lua: |\n", &indented(8, script)].concat();
    let actions: String = argo::ACTIONS.into_iter().map(action).collect();
    let (health, discovery) = (indented(4, argo::SCRIPT), indented(6, argo::DISCOVERY));
    let patch = format!(
        "\
# Made from health.lua and actions/. A patch of Argo CD's own ConfigMap, not the whole of it:
#   kubectl -n argocd patch configmap argocd-cm --type merge --patch-file argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
  resource.customizations.health.{kind}: |
{health}  resource.customizations.actions.{kind}: |
    discovery.lua: |
{discovery}    definitions:
{actions}"
    );
    check("deploy/argocd/argocd-cm.yaml", &patch);
}
