//! An API server that is away, begins anew, forgets versions or asks to wait.

use tokio::time::Instant;

use super::*;

/// The API server is away for a while, refuses everybody until it knows the rights, and no longer has the old version: what
/// changed is told within five seconds all the same.
#[tokio::test(start_paused = true)]
async fn watch_works_seconds_after_outage() {
    for away in [8, 12, 16, 60] {
        let began = Instant::now();
        let back = (1 + away) * SECOND;
        let mut watch = watch(&[], move |asked| {
            let elapsed = began.elapsed();
            if elapsed > SECOND && elapsed < back {
                return None;
            }
            let is_old = asked.parameter("resourceVersion").is_some_and(|version| version == "100");
            Some(match asked.is_watch() {
                _ if elapsed >= back && elapsed < back + SECOND => Answer::refusal(403, "forbidden"),
                true if elapsed < back => Answer::ended_watch(&[line("ADDED", &object("a", "old", 100))]),
                true if is_old => Answer::ended_watch(&[expired()]),
                true => Answer::watch(&[]),
                false if elapsed >= back => list_at("200", &[object("a", "new", 101)]),
                false => list(&[]),
            })
        });
        watch.until("listed new").await;
        assert!(began.elapsed() < back + 5 * SECOND, "{away} s: {:?}", began.elapsed());
    }
}

/// The token of the next page expires while a list is read: the list begins again, and that is no failure.
#[tokio::test(start_paused = true)]
async fn expired_page_begins_list_again() {
    let lists = AtomicUsize::new(0);
    let mut watch = watch(&[], move |asked| {
        Some(match asked.parameter("continue") {
            _ if asked.is_watch() => Answer::watch(&[]),
            Some(_) if lists.load(Ordering::Relaxed) == 1 => {
                Answer::refusal(410, "the provided continue parameter is too old")
            }
            Some(_) => list(&[object("a", "second", 2)]),
            None => {
                lists.fetch_add(1, Ordering::Relaxed);
                Answer::json(&json!({"metadata": {"continue": "more"}, "items": [object("a", "first", 1)]}))
            }
        })
    });
    assert_eq!(watch.until("ready").await, ["listed first", "listed second", "ready []"]);
}

/// An API server under load answers 429: neither a list nor a watch is asked for again before the time that it names.
#[tokio::test(start_paused = true)]
async fn throttled_watch_waits_as_told() {
    let asked_at = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked_at);
    let mut watch = watch(&[], move |asked| {
        let mut times = times.lock().unwrap();
        times.push(Instant::now());
        Some(match times.len() {
            1 | 3 => Answer::throttled(7),
            _ if asked.is_watch() => Answer::watch(&[line("ADDED", &object("a", "new", 101))]),
            _ => list(&[]),
        })
    });
    watch.until("applied new").await;
    let times = asked_at.lock().unwrap();
    assert!(times[1] - times[0] >= 7 * SECOND && times[3] - times[2] >= 7 * SECOND, "{times:?}");
}

/// A proxy that ends each watch at once is not asked in a loop without a pause.
#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_paced() {
    let mut watch = watch(&[], |asked| Some(if asked.is_watch() { Answer::ended_watch(&[]) } else { list(&[]) }));
    watch.until("ready").await;
    assert_eq!(watch.next_within(60 * SECOND).await, None);
    assert!(watch.count(Asked::is_watch) < 80, "{}", watch.count(Asked::is_watch));
}
