//! Through the whole client, because what matters is how many token calls the server sees, and when.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures::future::join_all;
use tempfile::TempDir;
use tokio::time::advance;

use super::*;
use crate::confidence::testing::{Answer, Server, name, settings, with_settings};
use crate::confidence::{AccountState, BlockCause, Confidence, Priority, Remedy};

const TOKEN: &str = "/v1/oauth/token";

/// An API client's files; they live as long as the folder.
fn client_files() -> (TempDir, Credentials) {
    let folder = tempfile::tempdir().unwrap();
    let (id, secret) = (folder.path().join("id"), folder.path().join("secret"));
    fs::write(&id, "the-id\n").unwrap();
    fs::write(&secret, "s3cr3t\n").unwrap();
    (folder, Credentials::ClientFiles { id, secret })
}

/// Issues token 1, 2, 3, … and takes the newest only.
fn issuer(life: u64) -> Arc<Server> {
    let issued = AtomicUsize::new(0);
    Server::new(move |seen, _| {
        if seen.path == TOKEN {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return Answer::token(&format!("token{number}"), life);
        }
        let newest = format!("Bearer token{}", issued.load(Ordering::SeqCst));
        if seen.token == newest { Answer::ok() } else { Answer::status(401) }
    })
}

async fn get(confidence: &Confidence, number: usize) -> Result<(), Error> {
    confidence.get(&name(number), Priority::Background).await.map(drop)
}

fn hold(confidence: &Confidence) -> Option<BlockCause> {
    match *confidence.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { cause, .. } => Some(cause),
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_the_first_token_and_the_one_after_a_refusal() {
    let (_folder, credentials) = client_files();
    let (issued, revoked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, bar) = (Arc::clone(&issued), Arc::clone(&revoked));
    let server = Server::new(move |seen, _| {
        if seen.path == TOKEN {
            let token = format!("{}", counter.fetch_add(1, Ordering::SeqCst) + 1);
            return Answer::Later(Duration::from_millis(300), Box::new(Answer::token(&token, 3600)));
        }
        let number: usize = seen.token.trim_start_matches("Bearer ").parse().unwrap();
        let answer = if number > bar.load(Ordering::SeqCst) { Answer::ok() } else { Answer::status(401) };
        Answer::Later(Duration::from_millis(200), Box::new(answer))
    });
    let confidence = with_settings(&server, settings(credentials, 1000));
    for result in join_all((0..100).map(|number| get(&confidence, number))).await {
        result.unwrap();
    }
    assert_eq!((server.count_of(TOKEN), server.count()), (1, 101));
    revoked.store(1, Ordering::SeqCst);
    for result in join_all((0..100).map(|number| get(&confidence, number))).await {
        result.unwrap();
    }
    assert_eq!((server.count_of(TOKEN), server.count()), (2, 101 + 201));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_five_minutes_or_a_fifth_of_its_life_before_its_end() {
    for (life, renewed_after) in [(86400, 86400 - 300), (100, 80)] {
        let (_folder, credentials) = client_files();
        let server = issuer(life);
        let confidence = with_settings(&server, settings(credentials, 20));
        get(&confidence, 0).await.unwrap();
        advance(Duration::from_secs(renewed_after - 1)).await;
        get(&confidence, 0).await.unwrap();
        assert_eq!(server.count_of(TOKEN), 1, "{life}");
        advance(Duration::from_secs(1)).await;
        get(&confidence, 0).await.unwrap();
        assert_eq!((server.count_of(TOKEN), server.count()), (2, 5), "{life}: and no call was refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_costs_nothing_while_the_token_lives() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|seen, number| match (seen.path.as_str(), number) {
        (TOKEN, 0) => Answer::token("first", 100),
        (TOKEN, _) => Answer::status(500),
        _ => Answer::ok(),
    });
    let confidence = with_settings(&server, settings(credentials, 20));
    get(&confidence, 0).await.unwrap();
    advance(Duration::from_secs(81)).await;
    for _ in 0..10 {
        get(&confidence, 0).await.unwrap();
    }
    assert_eq!(server.count_of(TOKEN), 2, "one try, then a pause");
    advance(RENEWAL_PAUSE).await;
    get(&confidence, 0).await.unwrap();
    assert_eq!(server.count_of(TOKEN), 3);
    advance(Duration::from_secs(10)).await;
    assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::ServerError, "its life is over");
}

#[tokio::test(start_paused = true)]
async fn callers_who_wait_for_an_exchange_share_its_failure() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|_, _| Answer::Later(Duration::from_millis(500), Box::new(Answer::status(400))));
    let confidence = with_settings(&server, settings(credentials, 1000));
    for result in join_all((0..100).map(|number| get(&confidence, number))).await {
        let error = result.unwrap_err();
        assert_eq!((error.cause(), error.remedy()), (Cause::Unauthenticated, Remedy::FixCredentials));
        assert!(error.to_string().contains("--client-secret-file"), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }
    assert_eq!(server.count(), 1);
    assert_eq!(hold(&confidence), Some(BlockCause::Unauthenticated));
}

#[tokio::test(start_paused = true)]
async fn callers_who_wait_for_an_exchange_that_fails_make_none_of_their_own() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|_, _| Answer::Later(Duration::from_millis(500), Box::new(Answer::status(500))));
    let confidence = with_settings(&server, settings(credentials, 1000));
    // Too few to be an outage, so that it is not the gate that keeps them back.
    for result in join_all((0..4).map(|number| get(&confidence, number))).await {
        assert_eq!(result.unwrap_err().cause(), Cause::ServerError);
    }
    assert_eq!((server.count(), hold(&confidence)), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_401_that_stays_holds_the_account_and_its_probes_are_few() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|seen, _| if seen.path == TOKEN { Answer::token("t", 3600) } else { Answer::status(401) });
    let confidence = with_settings(&server, settings(credentials, 20));
    assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::Unauthenticated);
    let first = server.count();
    assert_eq!(first, 4, "two tokens, two tries");
    for _ in 0..3600 {
        assert!(get(&confidence, 0).await.is_err());
        advance(Duration::from_secs(1)).await;
    }
    assert!(server.count() <= first + 12 * 3, "{}", server.count());
}

#[tokio::test(start_paused = true)]
async fn new_credentials_end_the_hold_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "old").unwrap();
    let server = Server::new(|seen, _| if seen.token == "Bearer new" { Answer::ok() } else { Answer::status(401) });
    let confidence = with_settings(&server, settings(Credentials::TokenFile(path.clone()), 20));
    let error = get(&confidence, 0).await.unwrap_err();
    assert!(error.to_string().contains("--token-file"), "{error}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(get(&confidence, 0).await.unwrap_err().to_string(), error.to_string());
    assert_eq!(server.count(), 1);

    fs::write(&path, "new\n").unwrap();
    let mut account = confidence.account();
    let opened = account.wait_for(|state| *state == AccountState::Available);
    tokio::time::timeout(Duration::from_secs(3), opened).await.unwrap().unwrap();
    get(&confidence, 0).await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_changed_is_used_at_once_after_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "old").unwrap();
    let server = Server::new(|seen, _| if seen.token == "Bearer new" { Answer::ok() } else { Answer::status(401) });
    let confidence = with_settings(&server, settings(Credentials::TokenFile(path.clone()), 20));
    fs::write(&path, "new").unwrap();
    get(&confidence, 0).await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn token_calls_keep_to_the_budget() {
    let (_folder, credentials) = client_files();
    let server = issuer(0);
    let confidence = with_settings(&server, settings(credentials, 1));
    get(&confidence, 0).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secret() {
    let (_folder, credentials) = client_files();
    let auth = Auth::new(&credentials).unwrap();
    let given = Auth::new(&Credentials::Token("s3cr3t".into())).unwrap();
    assert!(!format!("{auth:?} {given:?} {credentials:?}").contains("s3cr3t"));
}
