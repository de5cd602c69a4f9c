//! How fast: the budget, and a quota of the server's below it.

use proptest::prelude::*;

use super::*;

/// Calls against a server with a quota, for some time; gives how many were accepted and how many were refused.
async fn under_a_quota(quota: &Quota, budget: u32, time: Duration) -> (usize, usize) {
    let admission = admission(budget);
    let (accepted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let caller = async |number: usize| {
        let about = number.to_string();
        loop {
            let Ok(call) = admission.enter() else {
                // Once the window is over, everybody but the probe asks again in a moment.
                let now = Instant::now();
                let at = until(&admission).map_or(now, |at| at.max(now)) + Duration::from_millis(10);
                tokio::time::sleep_until(at).await;
                continue;
            };
            let Ok(permit) = call.permit(&background()).await else { continue };
            tokio::time::sleep(Duration::from_millis(20)).await;
            if quota.accepts() {
                accepted.fetch_add(1, Ordering::Relaxed);
                permit.accepted();
                call.settle(&about, NOTHING).0.unwrap();
            } else {
                refused.fetch_add(1, Ordering::Relaxed);
                call.settle(&about, failed(Cause::RateLimited)).0.unwrap_err();
            }
        }
    };
    let crowd = join_all((0..16).map(caller));
    let _ = tokio::time::timeout(time, crowd).await;
    (accepted.into_inner(), refused.into_inner())
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

    fn accepts(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        while state.0.elapsed() >= self.period {
            *state = (state.0 + self.period, 0);
        }
        state.1 += 1;
        state.1 <= self.calls
    }
}

#[tokio::test(start_paused = true)]
async fn smaller_quota_is_used_and_rarely_exceeded() {
    for (calls, budget) in [(50, 100), (50, 60), (10, 20), (30, 200)] {
        let quota = Quota::new(calls, Duration::from_secs(1));
        let (accepted, refused) = under_a_quota(&quota, budget, Duration::from_mins(2)).await;
        let allowed = calls * 120;
        assert!(accepted * 100 >= allowed * 95, "{calls} of {budget}: {accepted} of {allowed} used");
        assert!(refused * 100 <= accepted * 2, "{calls} of {budget}: {refused} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn quota_by_the_minute_is_found_too() {
    let quota = Quota::new(300, Duration::from_mins(1));
    let (_, refused) = under_a_quota(&quota, 20, Duration::from_mins(10)).await;
    assert!(refused < 120, "{refused} refused in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn changed_budget_counts_at_once() {
    let admission = admission(1);
    admission.set_requests_per_second(50);
    let began = Instant::now();
    for _ in 0..50 {
        call(&admission, "a", NOTHING).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
}

/// When each request of some batches of calls went out.
async fn permit_times(budget: u32, arrivals: Vec<(u64, usize, bool, u8)>) -> Vec<Instant> {
    let admission = admission(budget);
    let times = Mutex::new(Vec::new());
    let mut at = Instant::now();
    let mut batches = Vec::new();
    for (after, size, is_edit, fate) in arrivals {
        at += Duration::from_millis(after);
        for number in 0..size {
            let (admission, times) = (&admission, &times);
            batches.push(async move {
                tokio::time::sleep_until(at).await;
                let Ok(call) = admission.enter() else { return };
                let priority = if is_edit { Priority::Interactive } else { Priority::Background };
                let by = Requester::new(priority, number.to_string());
                // A call with a token call before it takes two permits.
                for _ in 0..=usize::from(number == 0) {
                    let Ok(permit) = call.permit(&by).await else { return };
                    times.lock().unwrap().push(Instant::now());
                    permit.accepted();
                }
                let result = match (fate, number) {
                    (0, 0) => failed_for_all(Cause::RateLimited),
                    (1, _) => failed(Cause::ServerError),
                    _ => NOTHING,
                };
                let _ = call.settle(&number.to_string(), result);
            });
        }
    }
    join_all(batches).await;
    times.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_second_exceeds_five_quarters_of_the_budget(
        budget in 1_u32..60,
        arrivals in prop::collection::vec((0_u64..400, 1_usize..40, any::<bool>(), 0_u8..12), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut times = runtime.block_on(permit_times(budget, arrivals));
        times.sort();
        let most = (budget as usize * 5 / 4).max(1);
        for (first, start) in times.iter().enumerate() {
            let within = times[first..].iter().take_while(|at| **at < *start + Duration::from_secs(1)).count();
            prop_assert!(within <= most, "{} in a second with a budget of {}", within, budget);
        }
    }
}
