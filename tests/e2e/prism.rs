//! A server that no one here wrote: prism, a mock generated from the vendor's OpenAPI. It takes what the OpenAPI allows,
//! refuses the rest, and answers the same constant example whatever is written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use confidence_simulator::Config;
use serde_json::json;
use testbed::{Process, Program};

use crate::world::{PATIENCE, World, condition, status};

/// Installs prism at the version of its lock file, once, below cargo's target folder.
fn install() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prism");
    let folder = testbed::target_dir().join("prism");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let wanted = fs::read(source.join("package-lock.json")).unwrap();
    if fs::read(folder.join("installed")).ok().as_ref() != Some(&wanted) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .output()
            .expect("this test needs Node.js with npm");
        assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
        fs::write(folder.join("installed"), wanted).unwrap();
    }
    folder.join("node_modules/@stoplight/prism-cli/dist/index.js")
}

/// Starts prism on a free port; answers where.
fn start() -> (Process, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let openapi = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client-credential.openapi.yaml");
    let program = Program::new("node").arg(install()).args(["mock", "--host", "127.0.0.1", "--port", &port, openapi]);
    let prism = program.start().unwrap();
    prism.wait_for_line(PATIENCE, |line| line.contains("Prism is listening")).unwrap();
    (prism, format!("http://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn prism_takes_every_update_and_the_status_says_that_none_was_taken() {
    let world = World::new(Config::default()).await;
    let (_prism, url) = start();
    let operator = world.operator(&["--confidence-url", &url]);
    world.put_secret("mocked", "secret", "hunter2-mocked").await;
    let reference = json!({"secretKeyRef": {"name": "mocked", "key": "secret"}});
    let spec = json!({"environments": ["a"], "labels": {"a": "b"}, "sdkType": "FRONTEND", "clientSecret": reference});
    world.apply("mocked", spec).await;
    let object = world.until_reason("mocked", "UpdateNotApplied").await;
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    assert!(status(&object).drift.unwrap().fields.contains(&"displayName".to_owned()));
    world.look_at("mocked", "1").await;
    let metrics = crate::program::get(&operator, "/metrics").await.1;
    let counts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("confidence_operator_api_requests_total")).collect();
    let count = |method: &str, outcome: &str| {
        let name = format!(r#"{{account="default",method="{method}",outcome="{outcome}"}} "#);
        counts.iter().find_map(|line| line.split_once(&name)).map_or(0, |(_, count)| count.parse().unwrap())
    };
    // A GET finds out that reading is not offered; then a look and an update for each of the two passes, and once more
    // for the shape of labels at the most.
    assert_eq!(count("get", "unsupported"), 1, "{counts:#?}");
    let (taken, refused) = (count("update", "ok"), count("update", "invalid_request"));
    assert!((4..=5).contains(&taken), "{counts:#?}");
    assert_eq!(refused, 0, "{counts:#?}");
    assert_eq!(counts.len(), 2, "{counts:#?}");
}
