//! When the account is blocked, for how long, and what makes it available again.

use super::*;

#[tokio::test(start_paused = true)]
async fn blocked_account_lets_one_probe_through() {
    let admission = admission(20);
    call(&admission, "a", failed_for_all(Cause::RateLimited)).await.unwrap_err();
    assert_eq!(cause(&admission), Some(BlockCause::RateLimited));
    assert_eq!(admission.enter().unwrap_err().cause(), Cause::RateLimited);

    tokio::time::sleep_until(until(&admission).unwrap()).await;
    let probe = admission.enter().unwrap();
    assert!(admission.enter().is_err(), "only one");
    drop(probe.permit(&background()).await.unwrap());
    drop(probe.permit(&background()).await.unwrap()); // a probe may take several requests
    assert!(admission.enter().is_err(), "until it is answered");
    probe.settle("a", NOTHING).0.unwrap();
    assert_eq!(until(&admission), None);
    drop(admission.enter().unwrap());
}

#[tokio::test(start_paused = true)]
async fn failed_probe_blocks_for_longer() {
    let admission = admission(20);
    for about in ["a", "b", "a", "b", "a"] {
        call(&admission, about, failed(Cause::ServerError)).await.unwrap_err();
    }
    let mut windows = Vec::new();
    for _ in 0..16 {
        let until = until(&admission).unwrap();
        windows.push(until - Instant::now());
        tokio::time::sleep_until(until).await;
        call(&admission, "a", failed(Cause::TimedOut)).await.unwrap_err();
    }
    for (n, window) in windows.iter().enumerate() {
        let most = Duration::from_secs(1 << n.min(10)).min(Duration::from_mins(5));
        assert!((Duration::from_secs(1)..=most).contains(window), "window {n}: {window:?}");
    }
    assert!(windows[8..].iter().any(|it| *it > Duration::from_mins(1)), "{windows:?}");
}

/// Not found, or refused for itself: the service lives.
#[tokio::test(start_paused = true)]
async fn refused_probe_ends_an_outage() {
    for own in [Cause::NotFound, Cause::Unauthenticated, Cause::RateLimited] {
        let admission = admission(20);
        call(&admission, "a", failed_for_all(Cause::ServerError)).await.unwrap_err();
        tokio::time::sleep_until(until(&admission).unwrap()).await;
        assert_eq!(call(&admission, "a", failed(own)).await.unwrap_err().cause(), own);
        assert_eq!(until(&admission), None);
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_probe_leaves_its_place() {
    let admission = admission(20);
    call(&admission, "a", failed_for_all(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&admission).unwrap()).await;
    let dropped = admission.enter().unwrap();
    drop(dropped.permit(&background()).await.unwrap());
    drop(dropped);
    call(&admission, "b", NOTHING).await.unwrap();
    assert_eq!(until(&admission), None);
}

#[tokio::test(start_paused = true)]
async fn unsent_call_says_nothing_of_the_account() {
    let admission = admission(20);
    call(&admission, "a", failed_for_all(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&admission).unwrap()).await;
    assert_eq!(call(&admission, "a", failed(Cause::NotLeader)).await.unwrap_err().cause(), Cause::NotLeader);
    assert!(until(&admission).is_some());
    call(&admission, "a", NOTHING).await.unwrap();
    assert_eq!(until(&admission), None);
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_are_turned_away_when_blocked() {
    let admission = admission(1);
    let first = admission.enter().unwrap();
    drop(first.permit(&background()).await.unwrap());
    let waiting = async {
        let call = admission.enter().unwrap();
        call.permit(&background()).await.map(drop)
    };
    let blocking = async {
        tokio::task::yield_now().await;
        first.settle("a", failed_for_all(Cause::RateLimited)).0.unwrap_err();
        Instant::now()
    };
    let (waited, blocked_at) = tokio::join!(waiting, blocking);
    assert_eq!(waited.unwrap_err().blocked(), Some(BlockCause::RateLimited));
    assert_eq!(blocked_at, Instant::now(), "at once");
}

#[tokio::test(start_paused = true)]
async fn one_failing_credential_is_no_outage() {
    let admission = admission(20);
    for _ in 0..20 {
        assert_eq!(call(&admission, "a", failed(Cause::ServerError)).await.unwrap_err().cause(), Cause::ServerError);
    }
    assert_eq!(cause(&admission), None);
    call(&admission, "b", failed(Cause::ServerError)).await.unwrap_err();
    assert_eq!(cause(&admission), Some(BlockCause::ServiceUnavailable));
}

#[tokio::test(start_paused = true)]
async fn success_in_between_is_no_outage() {
    let admission = admission(20);
    for about in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        call(&admission, about, failed(Cause::TimedOut)).await.unwrap_err();
        call(&admission, about, NOTHING).await.unwrap();
    }
    assert_eq!(cause(&admission), None);
}

#[tokio::test(start_paused = true)]
async fn three_failed_connections_are_an_outage() {
    let admission = admission(20);
    for _ in 0..3 {
        assert_eq!(cause(&admission), None);
        call(&admission, "a", failed(Cause::Unreachable)).await.unwrap_err();
    }
    assert_eq!(cause(&admission), Some(BlockCause::ServiceUnavailable));
}

/// What one credential is refused with says nothing of the account, a second one confirms it, within a minute.
#[tokio::test(start_paused = true)]
async fn second_refused_credential_blocks_the_account() {
    for (refusal, expected) in
        [(Cause::RateLimited, BlockCause::RateLimited), (Cause::Unauthenticated, BlockCause::Unauthenticated)]
    {
        let admission = admission(20);
        for _ in 0..9 {
            assert_eq!(call(&admission, "a", failed(refusal)).await.unwrap_err().blocked(), None);
        }
        tokio::time::advance(Duration::from_secs(61)).await;
        call(&admission, "b", failed(refusal)).await.unwrap_err();
        assert_eq!(cause(&admission), None, "too far apart");
        call(&admission, "b", NOTHING).await.unwrap();
        call(&admission, "c", failed(refusal)).await.unwrap_err();
        assert_eq!(cause(&admission), None, "the other one is over");
        call(&admission, "d", NOTHING).await.unwrap();
        assert_eq!(call(&admission, "e", failed(refusal)).await.unwrap_err().blocked(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn blocked_calls_are_told_the_same() {
    let admission = admission(20);
    for about in ["a", "b", "c", "d"] {
        call(&admission, about, failed(Cause::ServerError)).await.unwrap_err();
    }
    let first = call(&admission, "e", failed(Cause::TimedOut)).await.unwrap_err();
    let turned_away = admission.enter().unwrap_err();
    tokio::time::sleep_until(until(&admission).unwrap()).await;
    let probe = call(&admission, "g", failed(Cause::Unreachable)).await.unwrap_err();
    assert_eq!(first.cause(), Cause::ServiceUnavailable);
    assert_eq!(first.to_string(), turned_away.to_string());
    assert_eq!(first.to_string(), probe.to_string());
}

#[tokio::test(start_paused = true)]
async fn call_from_before_says_nothing_of_now() {
    let admission = admission(20);
    let late = admission.enter().unwrap();
    drop(late.permit(&background()).await.unwrap());
    call(&admission, "a", failed_for_all(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&admission).unwrap()).await;
    call(&admission, "a", NOTHING).await.unwrap();
    late.settle("late", failed_for_all(Cause::RateLimited)).0.unwrap_err();
    assert_eq!(until(&admission), None);
}

#[tokio::test(start_paused = true)]
async fn new_credentials_end_a_block_for_old_ones() {
    let admission = admission(20);
    call(&admission, "a", failed_for_all(Cause::Unauthenticated)).await.unwrap_err();
    assert_eq!(until(&admission).unwrap() - Instant::now(), Duration::from_secs(5));
    admission.credentials_changed();
    call(&admission, "a", failed_for_all(Cause::RateLimited)).await.unwrap_err();
    admission.credentials_changed();
    assert_eq!(cause(&admission), Some(BlockCause::RateLimited), "they end nothing else");
}

#[tokio::test(start_paused = true)]
async fn work_resumes_gently_after_an_outage() {
    let admission = admission(20);
    for _ in 0..3 {
        call(&admission, "a", failed(Cause::Unreachable)).await.unwrap_err();
    }
    tokio::time::sleep_until(until(&admission).unwrap()).await;
    call(&admission, "a", NOTHING).await.unwrap();
    let done = AtomicUsize::new(0);
    let crowd = join_all((0..1000).map(|_| async {
        call(&admission, "a", NOTHING).await.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }));
    let _ = tokio::time::timeout(Duration::from_secs(1), crowd).await;
    let first_second = done.load(Ordering::Relaxed);
    assert!((3..=8).contains(&first_second), "{first_second}");
}

#[tokio::test(start_paused = true)]
async fn outage_costs_few_calls() {
    for seed in 0..200 {
        let admission = Admission::new(20, Some(seed));
        let (began, mut minute, mut hour) = (Instant::now(), 0, 0);
        while began.elapsed() < Duration::from_hours(1) {
            // Two resources, so that it is not the trouble of one; both come whenever one may go.
            for about in ["a", "b"] {
                let Ok(call) = admission.enter() else { continue };
                hour += u32::from(call.permit(&background()).await.is_ok());
                call.settle(about, failed(Cause::ServerError)).0.unwrap_err();
            }
            if began.elapsed() < Duration::from_mins(1) {
                minute = hour;
            }
            let next = until(&admission).unwrap_or_else(|| Instant::now() + Duration::from_millis(1));
            tokio::time::sleep_until(next).await;
        }
        assert!((10..=17).contains(&minute) && hour <= 65, "{minute} calls in a minute, {hour} in an hour");
    }
}
