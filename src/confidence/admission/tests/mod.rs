use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;

use super::*;
use crate::confidence::testing::metrics;

const NOTHING: Result<(), Error> = Ok(());

fn gate(requests_per_second: u32) -> Gate {
    Gate::new(requests_per_second, fastrand::Rng::with_seed(7), metrics())
}

fn failed(cause: Cause) -> Result<(), Error> {
    Err(Error::new(cause, "why"))
}

/// One call whose only request ends like this.
async fn call(gate: &Gate, about: &str, result: Result<(), Error>) -> Result<(), Error> {
    let pass = gate.enter(about)?;
    let turned = pass.turn(Priority::Background).await;
    if turned.is_ok() && result.is_ok() {
        pass.accepted();
    }
    pass.settle(turned.and(result))
}

fn until(gate: &Gate) -> Option<Instant> {
    match *gate.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { until, .. } => Some(until),
    }
}

fn cause(gate: &Gate) -> Option<BlockCause> {
    match *gate.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { cause, .. } => Some(cause),
    }
}

#[tokio::test(start_paused = true)]
async fn writes_go_ahead_of_checks_and_each_keep_their_order() {
    let gate = gate(4);
    let order = Mutex::new(Vec::new());
    let one = async |priority, name: &'static str| {
        let pass = gate.enter(name).unwrap();
        pass.turn(priority).await.unwrap();
        order.lock().unwrap().push(name);
        pass.settle(NOTHING).unwrap();
    };
    tokio::join!(
        one(Priority::Background, "check 1"),
        one(Priority::Background, "check 2"),
        one(Priority::Interactive, "write 1"),
        one(Priority::Interactive, "write 2"),
    );
    assert_eq!(*order.lock().unwrap(), ["write 1", "write 2", "check 1", "check 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_gives_its_place_up() {
    let gate = gate(1);
    call(&gate, "a", NOTHING).await.unwrap();
    let (gone, stays) = (gate.enter("gone").unwrap(), gate.enter("stays").unwrap());
    let began = Instant::now();
    tokio::select! {
        biased;
        _ = gone.turn(Priority::Interactive) => panic!("too early"),
        () = tokio::time::sleep(Duration::from_millis(10)) => {}
    }
    stays.turn(Priority::Background).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_held_account_turns_away_at_once_and_lets_one_probe_through_after_the_window() {
    let gate = gate(20);
    call(&gate, "a", failed(Cause::RateLimited)).await.unwrap_err();
    assert_eq!(cause(&gate), Some(BlockCause::RateLimited));
    assert_eq!(gate.enter("b").unwrap_err().cause(), Cause::RateLimited);

    tokio::time::sleep_until(until(&gate).unwrap()).await;
    let probe = gate.enter("a").unwrap();
    assert!(gate.enter("b").is_err(), "only one");
    probe.turn(Priority::Background).await.unwrap();
    probe.turn(Priority::Background).await.unwrap(); // a probe may take several requests
    assert!(gate.enter("b").is_err(), "until it is answered");
    probe.settle(NOTHING).unwrap();
    assert_eq!(until(&gate), None);
    gate.enter("b").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_closes_the_gate_for_longer_and_one_about_the_resource_opens_it() {
    let gate = gate(20);
    for about in ["a", "b", "a", "b", "a"] {
        call(&gate, about, failed(Cause::ServerError)).await.unwrap_err();
    }
    let mut windows = Vec::new();
    for _ in 0..16 {
        let until = until(&gate).unwrap();
        windows.push(until - Instant::now());
        tokio::time::sleep_until(until).await;
        call(&gate, "a", failed(Cause::TimedOut)).await.unwrap_err();
    }
    for (n, window) in windows.iter().enumerate() {
        let most = Duration::from_secs(1 << n.min(10)).min(Duration::from_mins(5));
        assert!((Duration::from_secs(1)..=most).contains(window), "window {n}: {window:?}");
    }
    assert!(windows[8..].iter().any(|it| *it > Duration::from_mins(1)), "{windows:?}");
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    assert_eq!(call(&gate, "a", failed(Cause::NotFound)).await.unwrap_err().cause(), Cause::NotFound);
    assert_eq!(until(&gate), None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_goes_away_leaves_the_place_to_the_next() {
    let gate = gate(20);
    call(&gate, "a", failed(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    let dropped = gate.enter("a").unwrap();
    dropped.turn(Priority::Background).await.unwrap();
    drop(dropped);
    call(&gate, "b", NOTHING).await.unwrap();
    assert_eq!(until(&gate), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_sent_tells_nothing_of_the_account() {
    let gate = gate(20);
    call(&gate, "a", failed(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    assert_eq!(call(&gate, "a", failed(Cause::NotLeader)).await.unwrap_err().cause(), Cause::NotLeader);
    assert!(until(&gate).is_some());
    call(&gate, "a", NOTHING).await.unwrap();
    assert_eq!(until(&gate), None);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_when_the_gate_closes_are_turned_away() {
    let gate = gate(1);
    let first = gate.enter("a").unwrap();
    first.turn(Priority::Interactive).await.unwrap();
    let waiting = async {
        let pass = gate.enter("b").unwrap();
        pass.turn(Priority::Interactive).await
    };
    let closing = async {
        tokio::task::yield_now().await;
        first.settle(failed(Cause::RateLimited)).unwrap_err();
        Instant::now()
    };
    let (waited, closed_at) = tokio::join!(waiting, closing);
    assert_eq!(waited.unwrap_err().blocked(), Some(BlockCause::RateLimited));
    assert_eq!(closed_at, Instant::now(), "at once");
}

#[tokio::test(start_paused = true)]
async fn one_credential_that_always_fails_is_no_outage_and_two_are() {
    let gate = gate(20);
    for _ in 0..20 {
        assert_eq!(call(&gate, "a", failed(Cause::ServerError)).await.unwrap_err().cause(), Cause::ServerError);
    }
    assert_eq!(cause(&gate), None);
    call(&gate, "b", failed(Cause::ServerError)).await.unwrap_err();
    assert_eq!(cause(&gate), Some(BlockCause::ServiceUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_success_in_between_is_no_outage_and_three_without_a_connection_are() {
    let gate = gate(20);
    for about in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        call(&gate, about, failed(Cause::TimedOut)).await.unwrap_err();
        call(&gate, about, NOTHING).await.unwrap();
    }
    assert_eq!(cause(&gate), None);
    for _ in 0..3 {
        assert_eq!(cause(&gate), None);
        call(&gate, "a", failed(Cause::Unreachable)).await.unwrap_err();
    }
    assert_eq!(cause(&gate), Some(BlockCause::ServiceUnavailable));
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_the_same_until_the_gate_opens() {
    let gate = gate(20);
    for about in ["a", "b", "c", "d"] {
        call(&gate, about, failed(Cause::ServerError)).await.unwrap_err();
    }
    let first = call(&gate, "e", failed(Cause::TimedOut)).await.unwrap_err();
    let turned_away = gate.enter("f").unwrap_err();
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    let probe = call(&gate, "g", failed(Cause::Unreachable)).await.unwrap_err();
    assert_eq!(first.cause(), Cause::ServiceUnavailable);
    assert_eq!(first.to_string(), turned_away.to_string());
    assert_eq!(first.to_string(), probe.to_string());
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_before_the_gate_opened_says_nothing_of_now() {
    let gate = gate(20);
    let late = gate.enter("late").unwrap();
    late.turn(Priority::Background).await.unwrap();
    call(&gate, "a", failed(Cause::RateLimited)).await.unwrap_err();
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    call(&gate, "a", NOTHING).await.unwrap();
    late.settle(failed(Cause::RateLimited)).unwrap_err();
    assert_eq!(until(&gate), None);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_hold_the_account_for_five_minutes_or_until_there_are_others() {
    let gate = gate(20);
    call(&gate, "a", failed(Cause::Unauthenticated)).await.unwrap_err();
    assert_eq!(cause(&gate), Some(BlockCause::Unauthenticated));
    assert_eq!(until(&gate).unwrap() - Instant::now(), Duration::from_mins(5));
    gate.credentials_changed();
    call(&gate, "a", NOTHING).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_work_goes_on_gently() {
    let gate = gate(20);
    for _ in 0..3 {
        call(&gate, "a", failed(Cause::Unreachable)).await.unwrap_err();
    }
    tokio::time::sleep_until(until(&gate).unwrap()).await;
    call(&gate, "a", NOTHING).await.unwrap();
    let done = AtomicUsize::new(0);
    let crowd = join_all((0..1000).map(|_| async {
        call(&gate, "a", NOTHING).await.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }));
    let _ = tokio::time::timeout(Duration::from_secs(1), crowd).await;
    let first_second = done.load(Ordering::Relaxed);
    assert!((3..=8).contains(&first_second), "{first_second}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_minute_costs_few_calls_and_one_of_an_hour_hardly_more() {
    let mut most = (0, 0);
    for seed in 0..200 {
        let gate = Gate::new(20, fastrand::Rng::with_seed(seed), metrics());
        let (began, mut minute, mut hour) = (Instant::now(), 0, 0);
        while began.elapsed() < Duration::from_hours(1) {
            // Two resources, so that it is not the trouble of one; both come whenever one may go.
            for about in ["a", "b"] {
                let Ok(pass) = gate.enter(about) else { continue };
                hour += u32::from(pass.turn(Priority::Background).await.is_ok());
                pass.settle(failed(Cause::ServerError)).unwrap_err();
            }
            if began.elapsed() < Duration::from_mins(1) {
                minute = hour;
            }
            let next = until(&gate).unwrap_or_else(|| Instant::now() + Duration::from_millis(1));
            tokio::time::sleep_until(next).await;
        }
        most = (most.0.max(minute), most.1.max(hour));
        assert!((10..=17).contains(&minute) && hour <= 65, "{minute} calls in a minute, {hour} in an hour");
    }
    eprintln!("at most {} calls in a minute and {} in an hour", most.0, most.1);
}

/// Calls against a server with a quota, for some time; gives how many were taken and how many were refused.
async fn under_a_quota(quota: &Quota, budget: u32, time: Duration) -> (usize, usize) {
    let gate = gate(budget);
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let caller = async |number: usize| {
        let about = number.to_string();
        loop {
            let Ok(pass) = gate.enter(&about) else {
                // Once the window is over, everybody but the probe asks again in a moment.
                let now = Instant::now();
                let at = until(&gate).map_or(now, |at| at.max(now)) + Duration::from_millis(10);
                tokio::time::sleep_until(at).await;
                continue;
            };
            if pass.turn(Priority::Background).await.is_err() {
                continue;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            if quota.takes() {
                taken.fetch_add(1, Ordering::Relaxed);
                pass.accepted();
                pass.settle(NOTHING).unwrap();
            } else {
                refused.fetch_add(1, Ordering::Relaxed);
                pass.settle(failed(Cause::RateLimited)).unwrap_err();
            }
        }
    };
    let crowd = join_all((0..16).map(caller));
    let _ = tokio::time::timeout(time, crowd).await;
    (taken.into_inner(), refused.into_inner())
}

/// A server's rate limit: so many calls in each period.
struct Quota {
    calls: usize,
    period: Duration,
    state: Mutex<(Instant, usize)>,
}

impl Quota {
    fn new(calls: usize, period: Duration) -> Self {
        Self { calls, period, state: Mutex::new((Instant::now(), 0)) }
    }

    fn takes(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        while state.0.elapsed() >= self.period {
            *state = (state.0 + self.period, 0);
        }
        state.1 += 1;
        state.1 <= self.calls
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_allows_less_than_the_budget_is_used_fully_and_hardly_ever_refuses() {
    for (calls, budget) in [(50, 100), (50, 60), (10, 20), (30, 200)] {
        let quota = Quota::new(calls, Duration::from_secs(1));
        let (taken, refused) = under_a_quota(&quota, budget, Duration::from_mins(2)).await;
        let allowed = calls * 120;
        assert!(taken * 100 >= allowed * 95, "{calls} of {budget}: {taken} of {allowed} used");
        assert!(refused * 100 <= taken, "{calls} of {budget}: {refused} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_by_the_minute_is_found_too() {
    let quota = Quota::new(300, Duration::from_mins(1));
    let (_, early) = under_a_quota(&quota, 20, Duration::from_mins(10)).await;
    assert!(early < 120, "{early} refused in ten minutes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_second_holds_more_than_five_quarters_of_the_budget(
        budget in 1_u32..60,
        arrivals in prop::collection::vec((0_u64..400, 1_usize..40, any::<bool>(), 0_u8..12), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut times: Vec<Instant> = runtime.block_on(async {
            let gate = gate(budget);
            let times = Mutex::new(Vec::new());
            let began = Instant::now();
            let mut at = began;
            let mut batches = Vec::new();
            for (after, size, write, fate) in arrivals {
                at += Duration::from_millis(after);
                for number in 0..size {
                    let (gate, times) = (&gate, &times);
                    batches.push(async move {
                        tokio::time::sleep_until(at).await;
                        let Ok(pass) = gate.enter(&number.to_string()) else { return };
                        // A call with a token call before it takes two turns.
                        for _ in 0..=usize::from(number == 0) {
                            let priority = if write { Priority::Interactive } else { Priority::Background };
                            if pass.turn(priority).await.is_err() {
                                return;
                            }
                            times.lock().unwrap().push(Instant::now());
                        }
                        let result = match (fate, number) {
                            (0, 0) => failed(Cause::RateLimited),
                            (1, _) => failed(Cause::ServerError),
                            _ => NOTHING,
                        };
                        if result.is_ok() {
                            pass.accepted();
                        }
                        let _ = pass.settle(result);
                    });
                }
            }
            join_all(batches).await;
            times.into_inner().unwrap()
        });
        times.sort();
        let most = (budget as usize * 5 / 4).max(1);
        for (first, start) in times.iter().enumerate() {
            let within = times[first..].iter().take_while(|at| **at < *start + Duration::from_secs(1)).count();
            prop_assert!(within <= most, "{} in a second with a budget of {}", within, budget);
        }
    }
}
