//! Who gets the next permit.

use super::*;

/// Lets these calls queue in this order, and gives the order in which they get their permits.
async fn order(calls: &[(Priority, &'static str)]) -> Vec<&'static str> {
    let admission = admission(4);
    let order = Mutex::new(Vec::new());
    join_all(calls.iter().map(|(priority, flow)| {
        let (admission, order) = (&admission, &order);
        async move {
            let call = admission.enter().unwrap();
            drop(call.permit(&Requester::new(*priority, *flow)).await.unwrap());
            order.lock().unwrap().push(*flow);
            call.settle(flow, NOTHING).0.unwrap();
        }
    }))
    .await;
    order.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn interactive_calls_go_first() {
    use Priority::{Background, Interactive};
    let calls = [(Background, "check 1"), (Background, "check 2"), (Interactive, "edit 1"), (Interactive, "edit 2")];
    assert_eq!(order(&calls).await, ["edit 1", "edit 2", "check 1", "check 2"]);
}

#[tokio::test(start_paused = true)]
async fn flows_of_a_priority_take_turns() {
    for priority in Priority::ALL {
        let calls = ["a", "a", "a", "a", "b", "b", "c"].map(|flow| (priority, flow));
        assert_eq!(order(&calls).await, ["a", "b", "c", "a", "b", "a", "a"]);
    }
}

/// Edits in a loop must not end all checks for drift.
#[tokio::test(start_paused = true)]
async fn background_calls_get_every_fifth_permit() {
    let calls: Vec<_> = std::iter::repeat_n((Priority::Interactive, "edit"), 10)
        .chain(std::iter::repeat_n((Priority::Background, "check"), 2))
        .collect();
    let order = order(&calls).await;
    let checks: Vec<_> = order.iter().enumerate().filter(|(_, it)| **it == "check").map(|(at, _)| at).collect();
    assert_eq!(checks, [4, 9]);
}

#[tokio::test(start_paused = true)]
async fn caller_that_goes_away_gives_its_place_up() {
    let admission = admission(1);
    call(&admission, "a", NOTHING).await.unwrap();
    let (gone, stays) = (admission.enter().unwrap(), admission.enter().unwrap());
    let (began, by) = (Instant::now(), Requester::interactive("ns"));
    tokio::select! {
        biased;
        _ = gone.permit(&by) => panic!("too early"),
        () = tokio::time::sleep(Duration::from_millis(10)) => {}
    }
    drop(stays.permit(&background()).await.unwrap());
    assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn snapshot_counts_callers_that_still_wait() {
    let admission = admission(1);
    call(&admission, "a", NOTHING).await.unwrap();
    let (gone, stays) = (admission.enter().unwrap(), admission.enter().unwrap());
    let by = background();
    let waits = stays.permit(&by);
    tokio::pin!(waits);
    tokio::select! {
        biased;
        _ = gone.permit(&by) => panic!("too early"),
        _ = &mut waits => panic!("too early"),
        () = tokio::time::sleep(Duration::from_millis(10)) => {}
    }
    let snapshot = admission.snapshot();
    assert_eq!((snapshot.interactive, snapshot.background), (0, 1));
}
