//! Create, delete and the lists; server time; what may be repeated of a refusal.

use super::*;
use crate::confidence::wire::SdkType;

fn new() -> NewCredential {
    NewCredential {
        display_name: "Shop".to_owned(),
        environments: None,
        labels: [("confidence-operator-owner".to_owned(), "x".to_owned())].into(),
        sdk_type: Some(SdkType::Backend),
    }
}

#[tokio::test(start_paused = true)]
async fn create_answers_the_secret_and_the_server_time() {
    let server = Server::new(|_, _| {
        let headers = &[("date", "Thu, 01 Jan 2026 00:00:30 GMT")];
        Answer::Give(200, headers, r#"{"name":"clients/c/credentials/k","secret":"s3cr3t"}"#.to_owned())
    });
    let response = client(&server, 20).create("c", &new(), &background(), &|| true).await.unwrap();
    assert_eq!(response.date, Some("2026-01-01T00:00:30Z".parse().unwrap()));
    assert!(response.value.client_secret.is_some() && !format!("{response:?}").contains("s3cr3t"));
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/clients/c/credentials"));
    assert!(seen.body.contains(r#""displayName":"Shop""#) && !seen.body.contains("ecret\""), "{}", seen.body);
}

/// A POST is a write: it passes the lease and the wish, and is not repeated when it is ambiguous.
#[tokio::test(start_paused = true)]
async fn create_and_delete_are_writes() {
    let server = Server::new(|_, _| Answer::status(502));
    let lease = Arc::new(Lease(AtomicBool::new(true)));
    let settings = settings(Credentials::Token("t".into()), 20);
    let confidence = Confidence::new(settings, server.clone(), lease.clone(), metrics()).unwrap();
    let calls = async |still_wanted: StillWanted<'_>| {
        let created = confidence.create("c", &new(), &background(), still_wanted).await.unwrap_err();
        let deleted = confidence.delete(&name(0), &background(), still_wanted).await.unwrap_err();
        [created, deleted].map(|error| (error.cause(), error.outcome_unknown()))
    };
    assert_eq!(calls(&|| true).await, [(Cause::ServerError, true); 2]);
    assert_eq!(calls(&|| false).await, [(Cause::Superseded, false); 2]);
    lease.0.store(false, Ordering::SeqCst);
    assert_eq!(calls(&|| true).await, [(Cause::NotLeader, false); 2]);
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_an_object_confirms_a_delete() {
    for (answer, cause) in [
        (Answer::json(200, "{}"), None),
        (Answer::json(204, ""), None),
        (Answer::json(200, "<html>"), Some(Cause::InvalidResponse)),
        (Answer::json(202, "{}"), Some(Cause::InvalidResponse)),
        (Answer::json(404, r#"{"code":5,"message":"gone"}"#), Some(Cause::NotFound)),
        (Answer::html(404), Some(Cause::InvalidResponse)),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        let server =
            Server::new(
                move |seen, _| {
                    if seen.method == "GET" { Answer::ok() } else { answer.lock().unwrap().take().unwrap() }
                },
            );
        let confidence = client(&server, 20);
        confidence.get(&name(1), &background()).await.unwrap();
        let result = confidence.delete(&name(0), &background(), &|| true).await;
        assert_eq!(result.err().map(|error| error.cause()), cause);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_are_listed_by_pages() {
    let server = Server::new(|_, _| Answer::json(200, r#"{"clients":[{"name":"clients/c1"}],"nextPageToken":"n"}"#));
    let page = client(&server, 20).list_clients(100, None, &background()).await.unwrap().value;
    assert_eq!((page.clients[0].id.as_str(), page.next_page_token.as_deref()), ("c1", Some("n")));
    assert_eq!(server.seen()[0].path, "/v1/clients?pageSize=100");
}

/// A server that repeats what it refuses, as JSON spells it, tells nobody the secret that an update carried.
#[tokio::test(start_paused = true)]
async fn refusal_repeats_no_secret_of_the_request() {
    let server = Server::new(|_, _| {
        Answer::json(400, r#"{"code":3,"message":"bad secret h\u0026nter2 (HUNTER, aHVudGVy), Bearer GIVEN"}"#)
    });
    let confidence = client(&server, 20);
    let secret = CredentialUpdate { client_secret: Some("h&nter2".into()), ..rename() };
    for update in [&secret, &rename()] {
        let error = confidence.update(&name(0), update, &interactive(), &|| true).await.unwrap_err();
        assert!(!format!("{error} {error:?}").to_lowercase().contains("nter"), "{error}");
        assert!(!format!("{error} {error:?}").contains("GIVEN"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn token_url_keeps_its_final_slash() {
    let (folder, path) =
        (tempfile::tempdir().unwrap(), |folder: &tempfile::TempDir, name: &str| folder.path().join(name));
    for file in ["id", "secret"] {
        std::fs::write(path(&folder, file), "x").unwrap();
    }
    let server = Server::new(|seen, _| if seen.method == "POST" { Answer::token("t", 60) } else { Answer::ok() });
    let credentials = Credentials::ClientFiles { id: path(&folder, "id"), secret: path(&folder, "secret") };
    let token_url = Some(BaseUrl::parse("https://login.test/token/", false).unwrap());
    let confidence = with_settings(&server, Settings { token_url, ..settings(credentials, 20) });
    confidence.get(&name(0), &background()).await.unwrap();
    assert_eq!(server.seen()[0].path, "/token/");
}
