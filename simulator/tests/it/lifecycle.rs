//! POST and DELETE, and what the network and the server make of them.

use std::time::Duration;

use crate::common::{ITEM, call, simulator};
use confidence_simulator::{
    Answered, CallKind, Client, Config, Credential, Fault, FaultKind, SecretField, Secrets, Simulator,
};
use serde_json::{Value, json};
use tokio::time::{advance, sleep};

const LIST: &str = "/v1/clients/c/credentials";

async fn create(simulator: &Simulator) -> crate::common::Answer {
    call(simulator, "POST", LIST, Some(json!({"displayName": "New"}))).await
}

/// How many credentials are called New.
fn created(simulator: &Simulator) -> usize {
    simulator.all().values().filter(|it| it.display_name == "New").count()
}

/// The server assigns all that the caller may not choose, and the first answer is as the next GET.
#[tokio::test]
async fn create_answers_the_whole_credential() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "New", "labels": {"a": "b"}, "environments": ["environments/production"]});
    let mut answer = call(&simulator, "POST", LIST, Some(body)).await.json();
    assert_eq!(
        (&answer["creator"], &answer["updater"]),
        (&json!("identities/operator"), &json!("identities/operator"))
    );
    assert_eq!(answer["createTime"], answer["updateTime"]);
    let secret = answer.as_object_mut().unwrap().remove("clientSecret").unwrap();
    let read = call(&simulator, "GET", &format!("/v1/{}", answer["name"].as_str().unwrap()), None).await.json();
    assert_eq!(read, answer);
    assert!(simulator.resolve(secret["secret"].as_str().unwrap()).is_ok());
}

/// A name or a secret of the caller's own, no display name, and a client that is not there.
#[tokio::test]
async fn create_refuses_what_the_server_chooses() {
    let simulator = simulator(Config::default());
    for body in [
        json!({"displayName": "New", "name": "clients/c/credentials/mine"}),
        json!({"displayName": "New", "clientSecret": {"secret": "mine"}}),
        json!({"displayName": "New", "secret": "mine"}),
        json!({"labels": {}}),
    ] {
        assert_eq!(call(&simulator, "POST", LIST, Some(body.clone())).await.status, 400, "{body}");
    }
    let body = Some(json!({"displayName": "New"}));
    let unknown = call(&simulator, "POST", "/v1/clients/none/credentials", body.clone()).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!(5)));
    simulator.put_client("none", Client::named("Now there"));
    assert_eq!(call(&simulator, "POST", "/v1/clients/none/credentials", body).await.status, 200);
}

/// Always, once, never, in a field of its own, or lost from one answer alone.
#[tokio::test]
async fn secrets_come_as_configured() {
    let simulator = simulator(Config::default());
    let returned = async |secrets| {
        simulator.reconfigure(|config| config.secrets = secrets);
        let answer = create(&simulator).await.json();
        let read = call(&simulator, "GET", ITEM, None).await.json();
        [answer, read].map(|it| it.get("clientSecret").is_some())
    };
    assert_eq!(returned(Secrets::Returned).await, [true, true]);
    assert_eq!(returned(Secrets::Withheld).await, [true, false]);
    assert_eq!(returned(Secrets::Never).await, [false, false]);
    simulator.reconfigure(|config| config.secrets = Secrets::Withheld);
    simulator.fault(Fault::once(FaultKind::Without { fields: vec!["clientSecret".to_owned()] }));
    assert_eq!(create(&simulator).await.json().get("clientSecret"), None);
    simulator.reconfigure(|config| config.secret_field = SecretField::TopLevel);
    let answer = create(&simulator).await.json();
    assert!(answer["secret"].is_string() && answer.get("clientSecret").is_none(), "{answer}");
}

/// The caller's connection breaks, and a minute later there is a credential after all.
#[tokio::test(start_paused = true)]
async fn lost_post_lands_a_minute_later() {
    let simulator = simulator(Config::default());
    let late = FaultKind::LandsLate { milliseconds: 60_000, hangs: false };
    simulator.fault(Fault::once(late).on(CallKind::Create));
    assert!(create(&simulator).await.reset);
    sleep(Duration::from_secs(59)).await;
    assert_eq!((created(&simulator), simulator.calls()[0].is_carried_out()), (0, false));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(created(&simulator), 1);
    let call = simulator.calls().remove(0);
    let waited = call.landed[0].duration_since(call.time);
    assert_eq!((waited.as_secs(), call.status, call.created.len()), (60, None, 1));
}

/// The caller gives up after ten seconds; its POST is carried out after twenty.
#[tokio::test(start_paused = true)]
async fn post_lands_after_its_caller_left() {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::once(FaultKind::LandsLate { milliseconds: 20_000, hangs: true }));
    assert!(tokio::time::timeout(Duration::from_secs(10), create(&simulator)).await.is_err());
    assert_eq!(created(&simulator), 0);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(created(&simulator), 1);
}

/// One request, two credentials, and the answer is about the one or the other.
#[tokio::test(start_paused = true)]
async fn repeated_post_creates_two_credentials() {
    for (answered, at_once) in [(Answered::First, 1), (Answered::Second, 2)] {
        let simulator = simulator(Config::default());
        simulator.fault(Fault::once(FaultKind::Repeated { milliseconds: 5_000, answered }).on(CallKind::Create));
        let name = create(&simulator).await.json()["name"].as_str().unwrap().to_owned();
        assert_eq!(created(&simulator), at_once, "{answered:?}");
        sleep(Duration::from_secs(6)).await;
        let calls = simulator.calls();
        assert_eq!((calls.len(), calls[0].landed.len(), created(&simulator)), (1, 2, 2));
        assert!(name.ends_with(&calls[0].created[at_once - 1]), "{name}");
    }
}

/// The second DELETE of a lost answer's caller is a 404 of the API's own.
#[tokio::test]
async fn delete_with_lost_answer_is_gone() {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::once(FaultKind::ResetAfter).on(CallKind::Delete));
    assert!(call(&simulator, "DELETE", ITEM, None).await.reset);
    for method in ["DELETE", "GET"] {
        let again = call(&simulator, method, ITEM, None).await;
        assert_eq!((again.status, &again.json()["code"]), (404, &json!(5)), "{method}");
    }
    let landed: Vec<_> = simulator.calls().iter().map(|call| call.landed.len()).collect();
    assert_eq!(landed, [1, 0, 0]);
}

/// GET finds a deleted credential for ten seconds more; nobody can use it.
#[tokio::test(start_paused = true)]
async fn get_lags_behind_delete() {
    let simulator = simulator(Config { delete_lag_milliseconds: 10_000, ..Config::default() });
    assert_eq!(call(&simulator, "DELETE", ITEM, None).await.status, 200);
    assert_eq!(call(&simulator, "GET", ITEM, None).await.status, 200);
    assert!(simulator.resolve("s3cret").is_err());
    advance(Duration::from_secs(10)).await;
    assert_eq!(call(&simulator, "GET", ITEM, None).await.status, 404);
}

/// All labels, those with a prefix, or in one answer alone.
#[tokio::test]
async fn labels_are_dropped_in_silence() {
    let simulator = simulator(Config::default());
    let labels = json!({"confidence-operator-owner": "x", "team": "shop"});
    let kept = async |prefixes: &[&str]| {
        simulator.reconfigure(|config| config.dropped_labels = prefixes.iter().map(|&it| it.to_owned()).collect());
        let body = json!({"displayName": "New", "labels": labels});
        let created = call(&simulator, "POST", LIST, Some(body.clone())).await.json();
        let updated = call(&simulator, "PATCH", &format!("{ITEM}?updateMask=labels"), Some(body)).await.json();
        assert_eq!(created["labels"], updated["labels"]);
        created["labels"].clone()
    };
    assert_eq!(kept(&[]).await, labels);
    assert_eq!(kept(&["confidence-operator-"]).await, json!({"team": "shop"}));
    assert_eq!(kept(&[""]).await, json!({}));
    simulator.reconfigure(|config| config.dropped_labels.clear());
    simulator.fault(Fault::once(FaultKind::NotTaken { fields: vec!["labels".to_owned()] }).on(CallKind::Create));
    assert_eq!(kept_by_next_create(&simulator, &labels).await, json!({}));
    assert_eq!(kept_by_next_create(&simulator, &labels).await, labels);
}

async fn kept_by_next_create(simulator: &Simulator, labels: &Value) -> Value {
    call(simulator, "POST", LIST, Some(json!({"displayName": "New", "labels": labels}))).await.json()["labels"].clone()
}

/// Listing, creating and deleting are forbidden one by one, until it is taken back.
#[tokio::test]
async fn each_kind_of_call_can_be_forbidden() {
    let simulator = simulator(Config::default());
    for (kind, method, uri) in
        [(CallKind::List, "GET", LIST), (CallKind::Create, "POST", LIST), (CallKind::Delete, "DELETE", ITEM)]
    {
        let forbidden = simulator.fault(Fault::always(FaultKind::status(403)).on(kind));
        let body = (method == "POST").then(|| json!({"displayName": "New"}));
        assert_eq!(call(&simulator, method, uri, body.clone()).await.status, 403);
        assert_eq!(call(&simulator, "GET", ITEM, None).await.status, 200);
        simulator.remove_fault(forbidden);
        assert_eq!(call(&simulator, method, uri, body).await.status, 200, "{kind:?}");
    }
}

/// A copy by hand has the labels of the original, and neither its secret nor its uses.
#[tokio::test]
async fn outsider_copies_and_relabels_a_credential() {
    let simulator = simulator(Config::default());
    simulator.touch("c", "k");
    let copy = simulator.copy("c", "k").unwrap();
    let (original, copy) = (simulator.get("c", "k").unwrap(), simulator.get("c", &copy).unwrap());
    assert_eq!((&copy.labels, &copy.environments), (&original.labels, &original.environments));
    assert_ne!(copy.secret, original.secret);
    assert_eq!(copy.last_seen_time, None);
    assert!(simulator.relabel("c", "k", [("a".to_owned(), "b".to_owned())].into()));
    assert_eq!(simulator.get("c", "k").unwrap().labels["a"], "b");
    assert_eq!(simulator.copy("c", "none"), None);
}

/// Each write, with its call or with none, in the order of landing; a late one when it lands.
#[tokio::test(start_paused = true)]
async fn observers_see_each_write_as_it_lands() {
    let simulator = simulator(Config::default());
    let (sender, receiver) = std::sync::mpsc::channel();
    simulator.on_write(move |write| sender.send(write.clone()).unwrap());
    simulator.fault(Fault::once(FaultKind::LandsLate { milliseconds: 1_000, hangs: false }).on(CallKind::Create));
    create(&simulator).await;
    simulator.edit("c", "k", |credential| credential.labels.clear());
    call(&simulator, "DELETE", ITEM, None).await;
    sleep(Duration::from_secs(2)).await;
    let seen: Vec<_> = receiver.try_iter().collect();
    let shown: Vec<_> = seen.iter().map(|it| (it.before.is_some(), it.after.is_some(), it.call)).collect();
    assert_eq!(shown, [(true, true, None), (true, false, Some(1)), (false, true, Some(0))]);
    assert_eq!(seen[2].after.as_ref().map(|it| it.display_name.as_str()), Some("New"));
    simulator.put("c", "more", Credential::named("more"));
    assert_eq!(receiver.try_iter().count(), 1);
}
