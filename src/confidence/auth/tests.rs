//! Through the whole client, because what matters is how many token calls the server sees, and when.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;
use tokio::time::{Instant, advance};

use super::cache::RENEWAL_PAUSE;
use super::*;
use crate::confidence::testing::{Answer, Server, name, settings, with_settings};
use crate::confidence::{AccountState, BlockCause, Confidence, Recovery, Requester};

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
    confidence.get(&name(number), &Requester::background("ns")).await.map(drop)
}

fn blocked(confidence: &Confidence) -> Option<BlockCause> {
    match *confidence.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { cause, .. } => Some(cause),
    }
}

#[tokio::test(start_paused = true)]
async fn hundred_callers_share_each_token_call() {
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
async fn token_is_renewed_before_its_end() {
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
async fn failed_renewal_costs_nothing_while_the_token_lives() {
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
    assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::ServiceUnavailable, "its life is over");
}

#[tokio::test(start_paused = true)]
async fn waiting_callers_share_a_refused_exchange() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|_, _| Answer::Later(Duration::from_millis(500), Box::new(Answer::status(400))));
    let confidence = with_settings(&server, settings(credentials, 1000));
    for result in join_all((0..100).map(|number| get(&confidence, number))).await {
        let error = result.unwrap_err();
        assert_eq!((error.cause(), error.recovery()), (Cause::Unauthenticated, Recovery::Account));
        assert!(error.to_string().contains("--client-secret-file"), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }
    assert_eq!(server.count(), 1);
    assert_eq!(blocked(&confidence), Some(BlockCause::Unauthenticated));
}

#[tokio::test(start_paused = true)]
async fn waiting_callers_share_a_failed_exchange() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|_, _| Answer::Later(Duration::from_millis(500), Box::new(Answer::status(500))));
    let confidence = with_settings(&server, settings(credentials, 1000));
    for result in join_all((0..4).map(|number| get(&confidence, number))).await {
        assert_eq!(result.unwrap_err().cause(), Cause::ServiceUnavailable);
    }
    assert_eq!((server.count(), blocked(&confidence)), (1, Some(BlockCause::ServiceUnavailable)));
}

/// Two credentials say that it is the account. Then one probe at the end of each window.
#[tokio::test(start_paused = true)]
async fn standing_401_is_probed_after_five_seconds_doubling() {
    let server = Server::new(|_, _| Answer::status(401));
    let confidence = with_settings(&server, settings(Credentials::Token("t".into()), 20));
    assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::Unauthenticated);
    assert_eq!(blocked(&confidence), None, "one credential's refusal is its own");
    get(&confidence, 1).await.unwrap_err();
    let began = Instant::now();
    for _ in 0..20 * 60 {
        assert_eq!(get(&confidence, 0).await.unwrap_err().recovery(), Recovery::Account);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let probes: Vec<u64> = server.seen().iter().skip(2).map(|it| (it.at - began).as_secs()).collect();
    let gaps: Vec<u64> = std::iter::once(&0).chain(&probes).zip(&probes).map(|(a, b)| b - a).collect();
    assert_eq!(gaps[..8], [5, 10, 20, 40, 80, 160, 300, 300]);
}

/// Its refusal is its own, and so are its attempts.
#[tokio::test(start_paused = true)]
async fn refused_credential_costs_few_token_calls() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|seen, _| match seen.path.as_str() {
        TOKEN => Answer::token("t", 3600),
        path if path.ends_with("/k0") => Answer::status(401),
        _ => Answer::ok(),
    });
    let confidence = with_settings(&server, settings(credentials, 100));
    for _ in 0..30 {
        assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::Unauthenticated);
        get(&confidence, 1).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((server.count_of(TOKEN), blocked(&confidence)), (3, None));
}

/// The token endpoint's limit need not be the API's.
#[tokio::test(start_paused = true)]
async fn throttled_renewal_blocks_nothing_while_the_token_lives() {
    let (_folder, credentials) = client_files();
    let server = Server::new(|seen, number| match (seen.path.as_str(), number) {
        (TOKEN, 0) => Answer::token("first", 100),
        (TOKEN, _) => Answer::later(429, &[("retry-after", "17")]),
        _ => Answer::ok(),
    });
    let confidence = with_settings(&server, settings(credentials, 20));
    get(&confidence, 0).await.unwrap();
    advance(Duration::from_secs(81)).await;
    get(&confidence, 0).await.unwrap();
    advance(RENEWAL_PAUSE).await;
    get(&confidence, 0).await.unwrap();
    assert_eq!((server.count_of(TOKEN), blocked(&confidence)), (2, None), "as long as it asked to wait");
    advance(Duration::from_secs(5)).await;
    assert_eq!(get(&confidence, 0).await.unwrap_err().blocked(), Some(BlockCause::RateLimited), "its life is over");
}

/// As the account room feeds them from a Kubernetes Secret.
#[tokio::test(start_paused = true)]
async fn watched_credentials_are_used_as_they_change() {
    let server = Server::new(|seen, _| if seen.path == TOKEN { Answer::token("x", 3600) } else { Answer::ok() });
    let (values, receiver) = watch::channel(None);
    let advice = "put a token into the Secret shop".to_owned();
    let confidence = with_settings(&server, settings(Credentials::Watched { values: receiver, advice }, 20));
    let error = get(&confidence, 0).await.unwrap_err();
    assert!(error.to_string().contains("put a token into the Secret shop"), "{error}");
    assert_eq!((server.count(), blocked(&confidence)), (0, Some(BlockCause::Unauthenticated)));

    let mut account = confidence.account();
    for (value, tokens) in [
        (CredentialValues::Token("a".into()), 0),
        (CredentialValues::Client { id: "i".into(), secret: "s".into() }, 1),
        (CredentialValues::Client { id: "i".into(), secret: "other".into() }, 2),
        (CredentialValues::Token("b".into()), 2),
    ] {
        values.send_replace(Some(value));
        account.wait_for(|state| *state == AccountState::Available).await.unwrap();
        get(&confidence, 0).await.unwrap();
        assert_eq!(server.count_of(TOKEN), tokens);
    }
    let used: Vec<_> = server.seen().into_iter().filter(|it| it.path != TOKEN).map(|it| it.token).collect();
    assert_eq!(used, ["Bearer a", "Bearer x", "Bearer x", "Bearer b"]);
    values.send_replace(None);
    assert_eq!(get(&confidence, 0).await.unwrap_err().blocked(), Some(BlockCause::Unauthenticated));
}

#[tokio::test(start_paused = true)]
async fn new_credentials_unblock_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "old").unwrap();
    let server = Server::new(|seen, _| if seen.token == "Bearer new" { Answer::ok() } else { Answer::status(401) });
    let confidence = with_settings(&server, settings(Credentials::TokenFile(path.clone()), 20));
    get(&confidence, 0).await.unwrap_err();
    let error = get(&confidence, 1).await.unwrap_err();
    assert!(error.to_string().contains("--token-file"), "{error}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(get(&confidence, 0).await.unwrap_err().to_string(), error.to_string());
    assert_eq!(server.count(), 2);

    fs::write(&path, "new\n").unwrap();
    let mut account = confidence.account();
    let opened = account.wait_for(|state| *state == AccountState::Available);
    opened.await.unwrap();
    get(&confidence, 0).await.unwrap();
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn changed_token_file_is_used_after_a_refusal() {
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

/// Nobody can write into the files of a pod: a person is told the Secret that they come from.
#[test]
fn advice_names_the_secret_behind_the_files() {
    let (_folder, files) = client_files();
    for credentials in [&files, &Credentials::TokenFile("/etc/token".into())] {
        let told = advice(credentials, Some("shop/confidence"));
        assert!(told.ends_with("into Secret shop/confidence"), "{told}");
        assert!(advice(credentials, None).contains("-file)"));
    }
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secret() {
    let (_folder, credentials) = client_files();
    let auth = Auth::new(&credentials, None).unwrap();
    let given = Auth::new(&Credentials::Token("s3cr3t".into()), None).unwrap();
    assert!(!format!("{auth:?} {given:?} {credentials:?}").contains("s3cr3t"));
}
