//! What one credential's failure means to the others.

use super::*;
use crate::confidence::BlockCause;

#[tokio::test(start_paused = true)]
async fn retry_after_blocks_all_but_one_probe() {
    let server = Server::new(|_, number| match number {
        0 => Answer::later(429, &[("retry-after", "30")]),
        1 => Answer::Later(Duration::from_secs(2), Box::new(Answer::ok())),
        _ => Answer::ok(),
    });
    let confidence = client(&server, 20);
    let began = Instant::now();
    let first = confidence.get(&name(0), &background()).await.unwrap_err();
    assert_eq!((first.cause(), first.recovery()), (Cause::RateLimited, Recovery::Account));
    let all = async |what: &str| {
        let results = join_all((0..500).map(|number| {
            let confidence = confidence.clone();
            async move { confidence.get(&name(number), &interactive()).await.map(drop) }
        }));
        let failures: Vec<_> = results.await.into_iter().filter_map(Result::err).collect();
        assert!(failures.iter().all(|it| it.to_string() == first.to_string()), "{what}");
        failures.len()
    };
    assert_eq!(all("in the window").await, 500);
    tokio::time::sleep_until(began + Duration::from_millis(29_900)).await;
    assert_eq!(all("at its end").await, 500);
    assert_eq!(server.count(), 1);
    tokio::time::sleep_until(began + Duration::from_secs(30)).await;
    assert_eq!(all("all but the probe").await, 499);
    assert_eq!(server.count(), 2);
    assert_eq!(*confidence.account().borrow(), AccountState::Available);
}

#[tokio::test(start_paused = true)]
async fn hour_of_outage_costs_one_probe_a_window() {
    let server = Server::new(|_, _| Answer::status(503));
    let confidence = client(&server, 20);
    let began = Instant::now();
    while began.elapsed() < Duration::from_hours(1) {
        let calls = (0..50).map(|number| {
            let confidence = confidence.clone();
            async move { confidence.get(&name(number), &background()).await.map(drop) }
        });
        assert!(join_all(calls).await.iter().all(Result::is_err));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The windows grow to five minutes, half of that on average.
    assert!((15..60).contains(&server.count()), "{}", server.count());
}

async fn get(confidence: &Confidence, number: usize) -> Result<(), Error> {
    confidence.get(&name(number), &background()).await.map(drop)
}

fn is_available(confidence: &Confidence) -> bool {
    *confidence.account().borrow() == AccountState::Available
}

/// Whatever a credential is refused with, the others go on.
#[tokio::test(start_paused = true)]
async fn refusal_of_one_credential_is_its_own() {
    for status in [401, 403, 429, 500, 503] {
        let server =
            Server::new(move |seen, _| if seen.path.ends_with("/k0") { Answer::status(status) } else { Answer::ok() });
        let confidence = client(&server, 20);
        for _ in 0..20 {
            let error = get(&confidence, 0).await.unwrap_err();
            assert_ne!(error.recovery(), Recovery::Account, "{status}");
            get(&confidence, 1).await.unwrap();
        }
        for _ in 0..20 {
            get(&confidence, 0).await.unwrap_err();
            assert!(is_available(&confidence), "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_refused_credentials_block_the_account() {
    for status in [401, 429] {
        let server = Server::new(move |_, _| Answer::status(status));
        let confidence = client(&server, 20);
        get(&confidence, 0).await.unwrap_err();
        assert!(is_available(&confidence), "{status}");
        assert_eq!(get(&confidence, 1).await.unwrap_err().recovery(), Recovery::Account, "{status}");
        assert!(!is_available(&confidence), "{status}");
    }
}

/// Two credentials that always fail block the account for one window: the probe is a call that last succeeded.
#[tokio::test(start_paused = true)]
async fn probe_is_a_call_that_last_succeeded() {
    let server = Server::new(|seen, _| {
        if seen.path.ends_with("/k0") || seen.path.ends_with("/k1") { Answer::status(500) } else { Answer::ok() }
    });
    let confidence = client(&server, 20);
    get(&confidence, 2).await.unwrap();
    for number in [0, 1, 0, 1, 0] {
        get(&confidence, number).await.unwrap_err();
    }
    let AccountState::Blocked { until, .. } = *confidence.account().borrow() else { panic!("two failed") };
    tokio::time::sleep_until(until).await;
    assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::ServerError, "its own failure");
    let asked: Vec<_> = server.seen().into_iter().rev().take(2).map(|it| it.path).collect();
    assert!(asked[0].ends_with("/k0") && asked[1].ends_with("/k2"), "{asked:?}");
    assert!(is_available(&confidence));
}

/// HTML in the place of Confidence, for every call: an outage, and no verdict on any credential.
#[tokio::test(start_paused = true)]
async fn incident_at_a_proxy_is_an_outage() {
    for status in [302, 403, 404, 405] {
        let server = Server::new(move |_, number| if number == 0 { Answer::ok() } else { Answer::html(status) });
        let confidence = client(&server, 20);
        get(&confidence, 0).await.unwrap();
        for number in 0..5 {
            assert_ne!(get(&confidence, number).await.unwrap_err().recovery(), Recovery::UserAction, "{status}");
        }
        assert_eq!(get(&confidence, 9).await.unwrap_err().blocked(), Some(BlockCause::ServiceUnavailable));
    }
}

/// A server that offers the update alone goes on refusing reads in its own way.
#[tokio::test(start_paused = true)]
async fn read_that_never_worked_stays_unsupported() {
    let server = Server::new(|seen, _| if seen.method == "PATCH" { Answer::ok() } else { Answer::html(405) });
    let confidence = client(&server, 20);
    for _ in 0..3 {
        assert_eq!(get(&confidence, 0).await.unwrap_err().cause(), Cause::Unsupported);
        update(&confidence, &rename()).await.unwrap();
    }
}

/// One API client at one URL has one budget, whatever the number of accounts.
#[tokio::test(start_paused = true)]
async fn accounts_share_an_admission() {
    let server = Server::new(|_, _| Answer::ok());
    let admission = Arc::new(Admission::new(100, Some(7)));
    admission.set_requests_per_second(2);
    let account = || {
        let lease = Arc::new(Lease(true.into()));
        let settings = settings(Credentials::Token("t".into()), 100);
        Confidence::with_admission(settings, Arc::clone(&admission), server.clone(), lease, metrics()).unwrap()
    };
    let (a, b) = (account(), account());
    let began = Instant::now();
    for _ in 0..5 {
        get(&a, 0).await.unwrap();
        get(&b, 0).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(4400), "{:?}", began.elapsed());
}

/// The server's quota is what it accepted, and half of these requests never reached it.
#[tokio::test(start_paused = true)]
async fn unsent_requests_do_not_count_as_accepted() {
    let server = Server::new(|_, number| match number {
        80 => Answer::later(429, &[("retry-after", "1")]),
        _ if number % 2 == 0 => Answer::ok(),
        _ => Answer::Fail(TransportFault::Refused),
    });
    let admission = Arc::new(Admission::new(40, Some(7)));
    let (settings, lease) = (settings(Credentials::Token("t".into()), 40), Arc::new(Lease(true.into())));
    let confidence = Confidence::with_admission(settings, Arc::clone(&admission), server, lease, metrics()).unwrap();
    for number in 0..81 {
        let _ = get(&confidence, number).await;
    }
    let rate = admission.snapshot().requests_per_second;
    assert!(rate <= 20.0, "{rate}");
}

#[tokio::test(start_paused = true)]
async fn flows_take_turns() {
    let server = Server::new(|_, _| Answer::ok());
    let confidence = client(&server, 1);
    get(&confidence, 0).await.unwrap();
    let call = async |number: usize, flow: &'static str| {
        confidence.get(&name(number), &Requester::background(flow)).await.map(drop)
    };
    let noisy = join_all((100..200).map(|number| call(number, "noisy")));
    let quiet = async {
        tokio::task::yield_now().await;
        let began = Instant::now();
        call(1, "quiet").await.unwrap();
        began.elapsed()
    };
    tokio::select! {
        biased;
        _ = noisy => panic!("the quiet flow came last"),
        waited = quiet => assert!(waited <= Duration::from_secs(3), "{waited:?}"),
    }
}

/// SIGTERM: nothing that was not sent goes out any more, and a write that was sent is waited for.
#[tokio::test(start_paused = true)]
async fn closed_client_drops_all_but_sent_writes() {
    let slow = || Answer::Later(Duration::from_secs(5), Box::new(Answer::ok()));
    let server = Server::new(move |_, _| slow());
    let confidence = client(&server, 1);
    let began = Instant::now();
    let rename = rename();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        confidence.close();
    };
    let ended = async |result: Result<(), Error>| (result.err().map(|error| error.cause()), began.elapsed());
    let (write, read, waits, ()) = tokio::join!(
        async { ended(update(&confidence, &rename).await.map(drop)).await },
        async { ended(get(&confidence, 1).await).await },
        async { ended(get(&confidence, 2).await).await },
        stop,
    );
    assert_eq!(write, (None, Duration::from_secs(5)));
    for (cause, at) in [read, waits] {
        assert_eq!((cause, at), (Some(Cause::Stopping), Duration::from_millis(1500)));
    }
    assert_eq!(server.count(), 2);
    assert_eq!(get(&confidence, 1).await.unwrap_err().cause(), Cause::Stopping);
}
