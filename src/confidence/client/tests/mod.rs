//! The calls, and what they share.

mod account;
mod calls;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::*;
use crate::confidence::error::Recovery;
use crate::confidence::settings::Credentials;
use crate::confidence::testing::{Answer, Lease, Server, client, metrics, name, settings, with_settings};
use crate::confidence::transport::{MAX_ANSWER_BYTES, REQUEST_TIMEOUT, TransportFault};

fn labelled() -> CredentialUpdate {
    let labels = BTreeMap::from([("team".to_owned(), "x".to_owned())]);
    CredentialUpdate { labels: Some(labels), ..CredentialUpdate::nothing("x".to_owned()) }
}

fn rename() -> CredentialUpdate {
    CredentialUpdate::rename("x".to_owned())
}

fn interactive() -> Requester {
    Requester::interactive("ns")
}

fn background() -> Requester {
    Requester::background("ns")
}

async fn update(confidence: &Confidence, update: &CredentialUpdate) -> Result<ClientCredential, Error> {
    confidence.update(&name(0), update, &interactive(), &|| true).await.map(|response| response.value)
}

#[tokio::test(start_paused = true)]
async fn calls_go_where_the_api_has_them() {
    let server = Server::new(|_, _| Answer::json(200, r#"{"displayName":"x","nextPageToken":"n"}"#));
    let confidence = client(&server, 20);
    confidence.get(&name(1), &background()).await.unwrap();
    assert_eq!(
        confidence.list("c", 100, Some("a b&c"), &background()).await.unwrap().value.next_page_token.as_deref(),
        Some("n")
    );
    update(&confidence, &labelled()).await.unwrap();
    let seen: Vec<_> = server.seen().iter().map(|it| format!("{} {} {}", it.method, it.path, it.body)).collect();
    assert_eq!(
        seen,
        [
            "GET /v1/clients/c/credentials/k1 ",
            "GET /v1/clients/c/credentials?pageSize=100&pageToken=a+b%26c ",
            r#"PATCH /v1/clients/c/credentials/k0?updateMask=labels {"displayName":"x","labels":{"team":"x"}}"#,
        ]
    );
    assert!(server.seen().iter().all(|it| it.token == "Bearer given"));
    for client in ["", "..", "a/b", "a?b"] {
        assert_eq!(
            confidence.list(client, 1, None, &background()).await.unwrap_err().cause(),
            Cause::InvalidRequest,
            "{client}"
        );
    }
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn unwanted_update_is_not_sent() {
    let server = Server::new(|_, _| Answer::ok());
    let confidence = client(&server, 1);
    let began = Instant::now();
    let wanted_for_a_second = || began.elapsed() <= Duration::from_secs(1);
    let still_wanted: StillWanted<'_> = &wanted_for_a_second;
    let updates = (0..20).map(|_| {
        let confidence = &confidence;
        async move { confidence.update(&name(0), &rename(), &interactive(), still_wanted).await }
    });
    let results = join_all(updates).await;
    let (sent, not_sent): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(server.count(), sent.len());
    assert!(!sent.is_empty() && !not_sent.is_empty());
    assert!(not_sent.into_iter().all(|it| it.unwrap_err().cause() == Cause::Superseded));
}

#[tokio::test(start_paused = true)]
async fn ambiguous_write_is_not_repeated() {
    for (answer, cause, unknown) in [
        (Answer::status(500), Cause::ServerError, true),
        (Answer::json(200, "<html>"), Cause::InvalidResponse, true),
        (Answer::json(200, r#"{"displayName":"x""#), Cause::InvalidResponse, true),
        (Answer::json(202, ""), Cause::InvalidResponse, true),
        (Answer::json(200, &" ".repeat(MAX_ANSWER_BYTES + 1)), Cause::ResponseTooLarge, true),
        (Answer::Fail(TransportFault::Broken), Cause::ConnectionLost, true),
        (Answer::Hang, Cause::TimedOut, true),
        (Answer::Fail(TransportFault::Refused), Cause::Unreachable, false),
        (Answer::Fail(TransportFault::Tls), Cause::TlsFailed, false),
        (Answer::status(409), Cause::Conflict, false),
        (Answer::status(400), Cause::InvalidRequest, false),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        let server = Server::new(move |_, _| answer.lock().unwrap().take().unwrap());
        let error = update(&client(&server, 20), &rename()).await.unwrap_err();
        assert_eq!((error.cause(), error.outcome_unknown()), (cause, unknown));
        assert_eq!(server.count(), 1, "{cause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_server_is_left_after_ten_seconds() {
    let server = Server::new(|_, _| Answer::Hang);
    let began = Instant::now();
    let error = client(&server, 20).get(&name(0), &background()).await.unwrap_err();
    assert_eq!((error.cause(), began.elapsed()), (Cause::TimedOut, REQUEST_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn lost_lease_stops_a_waiting_write() {
    let server = Server::new(|_, _| Answer::ok());
    let lease = Arc::new(Lease(AtomicBool::new(true)));
    let settings = settings(Credentials::Token("t".into()), 1);
    let confidence = Confidence::new(settings, server.clone(), lease.clone(), metrics()).unwrap();
    update(&confidence, &rename()).await.unwrap();
    let (rename, lost) = (rename(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        lease.0.store(false, Ordering::SeqCst);
    });
    let (result, ()) = tokio::join!(update(&confidence, &rename), lost);
    assert_eq!(result.unwrap_err().cause(), Cause::NotLeader);
    assert_eq!(server.count(), 1);
    confidence.get(&name(0), &background()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn refused_labels_are_tried_as_an_array() {
    for refusal in [400, 422] {
        let server =
            Server::new(
                move |seen, _| {
                    if seen.body.contains(r#""labels":["#) { Answer::ok() } else { Answer::status(refusal) }
                },
            );
        let confidence = client(&server, 20);
        update(&confidence, &labelled()).await.unwrap();
        assert_eq!(server.count(), 2);
        update(&confidence, &labelled()).await.unwrap();
        assert_eq!(server.count(), 3, "remembered");
    }
}

#[tokio::test(start_paused = true)]
async fn other_refusal_keeps_its_first_words() {
    let server = Server::new(|_, number| Answer::json(400, &format!(r#"{{"code":3,"message":"no {number}"}}"#)));
    let confidence = client(&server, 20);
    assert!(update(&confidence, &labelled()).await.unwrap_err().to_string().contains("no 0"));
    assert_eq!(server.count(), 2);
    update(&confidence, &rename()).await.unwrap_err();
    assert_eq!(server.count(), 3, "no labels, no second try");
}

#[tokio::test(start_paused = true)]
async fn ambiguous_second_attempt_says_so() {
    let server = Server::new(|_, number| if number == 0 { Answer::status(422) } else { Answer::status(502) });
    assert!(update(&client(&server, 20), &labelled()).await.unwrap_err().outcome_unknown());
}

#[tokio::test(start_paused = true)]
async fn labels_take_the_shown_or_configured_shape() {
    let answer = r#"{"displayName":"x","labels":[{"a":"b"}]}"#;
    for (fixed, array) in [(None, true), (Some(LabelsShape::Object), false), (Some(LabelsShape::Array), true)] {
        let server = Server::new(move |_, _| Answer::json(200, answer));
        let settings = Settings { labels: fixed, ..settings(Credentials::Token("t".into()), 20) };
        let confidence = with_settings(&server, settings);
        confidence.get(&name(0), &background()).await.unwrap();
        update(&confidence, &labelled()).await.unwrap();
        assert_eq!(server.seen()[1].body.contains(r#""labels":["#), array, "{fixed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_client_ends_its_tasks() {
    let server = Server::new(|_, _| Answer::ok());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "t").unwrap();
    let confidence = with_settings(&server, settings(Credentials::TokenFile(file.path().to_owned()), 20));
    confidence.get(&name(0), &background()).await.unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 2, "one grants permits, the other looks for new credentials");
    drop(confidence);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 0);
}
