//! `import` and `audit`: what exists comes under management.

use serde_json::json;

use super::{run, world};
use crate::world::{CLIENT, credential};

/// What exists comes under management without one write, first to be watched, then to be kept.
#[tokio::test]
async fn import_costs_no_write() {
    let world = world().await;
    for (id, title) in [("a1", "Checkout (web)"), ("b2", "Checkout: web"), ("c3", "Cart"), ("d4", "null")] {
        let mut existing = credential(title);
        existing.labels = [("team".to_owned(), "shop".to_owned())].into();
        existing.environments = vec!["environments/b".to_owned(), "environments/a".to_owned()];
        existing.secret = "s3cret".to_owned();
        world.simulator.put(CLIENT, id, existing);
    }
    let _operator = world.operator(&["--interval", "1s"]);
    let names = ["checkout-web-a1", "checkout-web-b2", "cart", "null"];
    for (more, reason) in [(&["--all"][..], "InSync"), (&["--client", CLIENT, "--fields", "all", "--adopt"], "InSync")]
    {
        let ran = run(&world, &[&["import", "-n", &world.namespace], more].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!ran.out.contains("s3cret"), "{}", ran.out);
        let file = world.file("manifests.yaml");
        std::fs::write(&file, ran.out).unwrap();
        crate::world::run(testbed::ControlPlane::shared(), &["apply", "-f", file.to_str().unwrap()]);
        for name in names {
            world.until_reason(name, reason).await;
        }
    }
    assert!(world.updates().is_empty());
    let again = run(&world, &["plan", "-n", &world.namespace]).await;
    assert_eq!(again.code, 0, "{}", again.out);
}

/// One file each; somebody's edits are not overwritten.
#[tokio::test]
async fn import_keeps_edited_files() {
    let world = world().await;
    world.seed("a1");
    let directory = world.file("manifests");
    let directory = directory.to_str().unwrap();
    let arguments = ["import", "--all", "--output-dir", directory];
    let ran = run(&world, &arguments).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert_eq!(run(&world, &arguments).await.code, 0, "the same again");
    let file = world.file("manifests").join("checkout.yaml");
    std::fs::write(&file, "mine").unwrap();
    let refused = run(&world, &arguments).await;
    assert!(refused.code == 1 && refused.err.contains("--overwrite"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(run(&world, &[&arguments[..], &["--overwrite"]].concat()).await.code, 0);
}

/// What nobody manages is found, and its command brings it under management.
#[tokio::test]
async fn audit_finds_what_is_forgotten() {
    let world = world().await;
    world.seed("audit-managed");
    world.apply("audit-managed", json!({})).await;
    world.simulator.put(CLIENT, "audit-forgotten", credential("Forgotten"));
    let label = |owner: &str| [("confidence-operator-owner".to_owned(), owner.to_owned())].into();
    world.simulator.put(
        CLIENT,
        "audit-foreign",
        confidence_simulator::Credential { labels: label("0123_u"), ..credential("Foreign") },
    );
    let arguments = ["audit", "--client", CLIENT, "--instance-id", "test", "-o", "json"];
    let ran = run(&world, &[&arguments[..], &["--fail-on", "unmanaged,orphan"]].concat()).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let findings = ran.json();
    let found: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["kind"].as_str().unwrap(), it["displayName"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("unmanaged", "Forgotten"), ("foreign", "Foreign")]);
    assert_eq!(run(&world, &[&arguments[..], &["--fail-on", "orphan"]].concat()).await.code, 0);
    let name = findings[0]["credential"].as_str().unwrap();
    let imported = run(&world, &["import", "--credential", name, "-n", &world.namespace]).await;
    let file = world.file("forgotten.yaml");
    std::fs::write(&file, imported.out).unwrap();
    crate::world::run(testbed::ControlPlane::shared(), &["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(run(&world, &[&arguments[..], &["--fail-on", "unmanaged"]].concat()).await.code, 0);
}

/// An audit ends before anything could scrape it, so it tells a Pushgateway: every kind, under a group of its own. One that
/// refuses is an error, and not a finding.
#[tokio::test]
async fn audit_tells_pushgateway_its_findings() {
    let world = world().await;
    world.simulator.put(CLIENT, "pushed", credential("Forgotten"));
    let (told, mut pushed) = tokio::sync::mpsc::unbounded_channel();
    let put = async move |uri: axum::http::Uri, body: String| {
        told.send((uri.path().to_owned(), body)).unwrap();
        if uri.path().contains("/namespace/refused/") {
            axum::http::StatusCode::BAD_REQUEST
        } else {
            axum::http::StatusCode::OK
        }
    };
    let gateway = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gateway.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(gateway, axum::Router::new().fallback(put)).into_future());
    let audit = ["audit", "--client", CLIENT, "--instance-id", "test", "--pushgateway", &url, "--operator-namespace"];
    let ran = run(&world, &[&audit[..], &["ops"]].concat()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (path, body) = pushed.recv().await.unwrap();
    assert!(path.starts_with("/metrics/job/confidence-operator-audit/namespace/ops/account@base64/"), "{path}");
    assert!(body.contains("confidence_operator_audit_findings{kind=\"unmanaged\"} 1\n"), "{body}");
    assert!(body.contains("confidence_operator_audit_findings{kind=\"orphan\"} 0\n"), "{body}");
    let refused = run(&world, &[&audit[..], &["refused"]].concat()).await;
    assert!(refused.code == 2 && refused.err.contains("it answered HTTP 400"), "{}{}", refused.code, refused.err);
    serving.abort();
}
