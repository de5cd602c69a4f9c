//! The server on real sockets, and the controls over HTTP.

use std::io::ErrorKind;
use std::time::Duration;

use crate::common::{ITEM, simulator};
use confidence_simulator::{Call, CallKind, Config, Credential, Fault, FaultKind, Running, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(20);

async fn serving() -> Running {
    simulator(Config::default()).start().await.unwrap()
}

/// Sends a GET of the credential on a connection of its own and reads to the end.
async fn raw_get(running: &Running) -> Result<String, ErrorKind> {
    let exchange = async {
        let mut stream = TcpStream::connect(running.address()).await?;
        let head =
            format!("GET {ITEM} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-token\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(DEADLINE, exchange).await.unwrap().map_err(|error: std::io::Error| error.kind())
}

/// Two megabytes, on a connection that closes afterwards.
#[tokio::test]
async fn large_answer_arrives_whole() {
    let running = serving().await;
    running.sim.fault(Fault::once(FaultKind::Huge { bytes: 2_000_000 }));
    let answer = raw_get(&running).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.100}");
    assert!(answer.len() > 2_000_000);
    assert!(raw_get(&running).await.unwrap().contains("Checkout"));
    running.stop().await;
}

/// Not a connection that is closed in good order.
#[tokio::test]
async fn reset_is_one_on_the_wire() {
    let running = serving().await;
    for what in [FaultKind::Reset, FaultKind::ResetAfter] {
        running.sim.fault(Fault::once(what));
        assert_eq!(raw_get(&running).await, Err(ErrorKind::ConnectionReset));
    }
    assert!(raw_get(&running).await.is_ok());
}

/// And leaves nothing behind that the next call would notice.
#[tokio::test]
async fn hang_ends_when_caller_leaves() {
    let running = serving().await;
    running.sim.fault(Fault::once(FaultKind::Hang));
    let get = tokio::time::timeout(DEADLINE, raw_get(&running));
    tokio::select! {
        _ = get => panic!("there was an answer"),
        call = running.sim.wait_for_call(|call| call.kind == CallKind::Get, DEADLINE) => {
            assert_eq!(call.unwrap().status, None);
        }
    }
    assert!(raw_get(&running).await.is_ok());
}

/// The address stays taken, and what changed meanwhile shows afterwards.
#[tokio::test]
async fn outage_refuses_connections_and_keeps_state() {
    let mut running = serving().await;
    let url = running.url();
    assert!(raw_get(&running).await.is_ok());
    running.pause().await;
    assert_eq!(raw_get(&running).await, Err(ErrorKind::ConnectionRefused));
    running.sim.edit("c", "k", |credential| "Edited".clone_into(&mut credential.display_name));
    running.resume().unwrap();
    assert!(raw_get(&running).await.unwrap().contains("Edited"));
    assert_eq!(running.url(), url);

    let (sim, address) = (running.sim.clone(), running.address());
    running.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    let again = sim.listen(address).await.unwrap();
    assert!(raw_get(&again).await.unwrap().contains("Edited"));
    assert_eq!(
        sim.listen(address).await.unwrap_err().kind(),
        ErrorKind::AddrInUse,
        "two servers never share an address"
    );
}

/// The listener first.
#[tokio::test]
async fn dropped_server_closes_its_connections() {
    let running = serving().await;
    let address = running.address();
    let mut open = TcpStream::connect(address).await.unwrap();
    drop(running);
    let end = tokio::time::timeout(DEADLINE, open.read(&mut [0])).await.expect("the connection was closed");
    assert!(matches!(end, Ok(0) | Err(_)));
    // The listener went before its connections did.
    assert!(TcpStream::connect(address).await.is_err());
}

struct Admin(Running, reqwest::Client);

impl Admin {
    async fn start() -> Self {
        // The client is made for TLS too; a second installation, by another test, changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(Simulator::new(Config::default()).start().await.unwrap(), reqwest::Client::new())
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = self.1.request(method, format!("{}{path}", self.0.url())).bearer_auth("test-token");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }
}

/// Credentials and calls over HTTP, for tests in other processes.
#[tokio::test]
async fn admin_requests_are_not_recorded() {
    let admin = Admin::start().await;
    let path = "/admin/credentials/c/k";
    assert_eq!(admin.ask("PUT", path, Some(json!({"displayName": "A", "labels": {"a": "b", "c": "d"}}))).await.0, 204);
    let change = json!({"displayName": "B", "labels": {"a": null}});
    assert_eq!(admin.ask("PATCH", path, Some(change)).await.0, 204);
    let seen = admin.ask("GET", path, None).await.1;
    assert_eq!((&seen["displayName"], &seen["labels"]), (&json!("B"), &json!({"c": "d"})));
    assert_eq!(seen["updater"], "identities/somebody-else");
    assert_eq!(admin.ask("PATCH", path, Some(json!({"strange": 1}))).await.0, 400);
    assert_eq!(admin.ask("POST", &format!("{path}/seen"), None).await.0, 204);
    assert!(admin.0.sim.get("c", "k").unwrap().last_seen_time.is_some());
    assert_eq!(admin.ask("GET", "/admin/credentials", None).await.1.as_array().unwrap().len(), 1);
    assert_eq!(admin.0.sim.call_count(), 0);

    assert_eq!(admin.ask("GET", ITEM, None).await.0, 200);
    let calls = admin.ask("GET", "/admin/calls", None).await.1;
    let calls: Vec<Call> = serde_json::from_value(calls).unwrap();
    assert_eq!(calls, admin.0.sim.calls());
    assert_eq!(admin.ask("GET", "/admin/calls?from=1", None).await.1, json!([]));
    assert_eq!(admin.ask("GET", "/admin/stats", None).await.1["calls"], json!({"get": 1}));
    assert_eq!(admin.ask("DELETE", "/admin/calls", None).await.0, 204);
    assert_eq!(admin.0.sim.calls(), []);

    assert_eq!(admin.ask("DELETE", path, None).await.0, 204);
    assert_eq!(admin.ask("DELETE", path, None).await.0, 404);
}

/// Each takes effect with the next call; a wrong one is refused.
#[tokio::test]
async fn admin_changes_faults_tokens_and_config() {
    let admin = Admin::start().await;
    admin.0.sim.put("c", "k", Credential::named("A"));
    let fault = json!({"kind": "get", "what": {"status": {"code": 503}}});
    let (status, answer) = admin.ask("POST", "/admin/faults", Some(fault)).await;
    assert_eq!(status, 200);
    assert_eq!(admin.ask("GET", ITEM, None).await.0, 503);
    assert_eq!(admin.ask("GET", "/admin/faults", None).await.1.as_array().unwrap().len(), 1);
    assert_eq!(admin.ask("DELETE", &format!("/admin/faults/{}", answer["id"]), None).await.0, 204);
    assert_eq!(admin.ask("GET", ITEM, None).await.0, 200);
    assert_eq!(admin.ask("POST", "/admin/faults", Some(json!({"what": "strange"}))).await.0, 422);

    assert_eq!(admin.ask("PATCH", "/admin/config", Some(json!({"reading": "notImplemented"}))).await.0, 204);
    assert_eq!(admin.ask("GET", ITEM, None).await.0, 501);
    assert_eq!(admin.ask("PATCH", "/admin/config", Some(json!({"reading": "sometimes"}))).await.0, 400);
    let mut config = admin.ask("GET", "/admin/config", None).await.1;
    assert_eq!(config["reading"], "notImplemented");
    config["reading"] = json!("offered");
    assert_eq!(admin.ask("PUT", "/admin/config", Some(config)).await.0, 204);
    assert_eq!(admin.ask("GET", ITEM, None).await.0, 200);

    assert_eq!(admin.ask("PUT", "/admin/tokens/another", Some(json!({"identity": "identities/x"}))).await.0, 204);
    assert_eq!(admin.ask("DELETE", "/admin/tokens/test-token", None).await.0, 204);
    assert_eq!(admin.ask("GET", ITEM, None).await.0, 401);
}

/// A test in another process: accounts, clients, copies and uses, all over HTTP.
#[tokio::test]
async fn admin_reaches_accounts_clients_and_uses() {
    let admin = Admin::start().await;
    let accounts = json!({"accounts": {"shop": {"tokens": {"shop-token": {"permissions": {"k": "readOnly"}}}}}});
    assert_eq!(admin.ask("PATCH", "/admin/config", Some(accounts)).await.0, 204);
    let credential = json!({"displayName": "Shop", "secret": "s3cret"});
    let uri = "/admin/credentials/c/k?account=shop";
    assert_eq!(admin.ask("PUT", uri, Some(credential)).await.0, 204);
    assert_eq!(admin.ask("GET", "/admin/credentials/c/k", None).await.0, 404);
    let (status, copy) = admin.ask("POST", "/admin/credentials/c/k/copy?account=shop", None).await;
    assert_eq!(status, 200);
    let copied = format!("/admin/credentials/c/{}?account=shop", copy["credential"].as_str().unwrap());
    assert_eq!(admin.ask("GET", &copied, None).await.1["displayName"], "Shop");
    assert_eq!(admin.ask("PUT", "/admin/clients/d?account=shop", Some(json!({"displayName": "D"}))).await.0, 204);
    assert_eq!(admin.ask("POST", "/v1/flags:resolve", Some(json!({"clientSecret": "s3cret"}))).await.0, 200);
    assert_eq!(admin.ask("GET", "/admin/uses", None).await.1[0]["account"], "shop");
    let late = json!({"kind": "create", "times": 1, "what": {"landsLate": {"milliseconds": 5}}});
    assert_eq!(admin.ask("POST", "/admin/faults", Some(late)).await.0, 200);
    let lag = json!({"listLag": {"calls": 3}, "secrets": "never"});
    assert_eq!(admin.ask("PATCH", "/admin/config", Some(lag)).await.0, 204);
}
