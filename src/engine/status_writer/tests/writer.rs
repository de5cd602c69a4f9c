//! The requests of the writer, to an API server that a test answers for, in simulated time.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::engine::testing::{Answer, Asked, Log, Warnings, client};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    writer: StatusWriter<Widget>,
    log: Log,
}

fn bench(guard: LeaseGuard, answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Bench {
    let (client, log) = client(answer);
    let recorder = EventRecorder::new(client.clone(), "example.com/operator", "pod", Counter::default());
    let writer = StatusWriter::new(StatusWriterParts {
        client,
        field_manager: "operator",
        guard,
        recorder,
        progress: Progress::default(),
        written: Counter::default(),
        failures: Counter::default(),
    });
    Bench { writer, log }
}

fn taken(version: &str) -> Answer {
    Answer::json(&json!({"metadata": {"resourceVersion": version}}))
}

impl Bench {
    fn put(&self, widget: &Arc<Widget>, phase: &str, events: Vec<EventDraft>) {
        self.writer.put(&Key::of(widget.as_ref()), widget, pending(phase, events));
    }

    /// Writes until everything is written, or for so long.
    async fn run_for(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.writer.run() => false,
            () = self.writer.all_written() => true,
            () = tokio::time::sleep(time) => false,
        }
    }

    fn asked(&self, method: &str) -> Vec<Asked> {
        self.log.lock().unwrap().iter().filter(|asked| asked.method == method).cloned().collect()
    }
}

/// A PUT of `/status` holds what names the object, and the status; then its events are told.
#[tokio::test(start_paused = true)]
async fn write_holds_status_and_identity_alone() {
    let bench = bench(LeaseGuard::always(), |_| Some(taken("2")));
    bench.put(&widget("1", None), "new", vec![event("told")]);
    assert!(bench.run_for(SECOND).await);
    let puts = bench.asked("PUT");
    assert_eq!(puts[0].path, "/apis/example.com/v1/namespaces/ns/widgets/a/status");
    let metadata = json!({"name": "a", "namespace": "ns", "uid": "uid of a", "resourceVersion": "1"});
    let status = json!({"phase": "new", "observedGeneration": 1});
    let whole = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "status": status});
    assert_eq!(puts[0].body, whole);
    assert_eq!(bench.asked("POST")[0].body["note"], "told");
    assert_eq!(bench.writer.parts.written.get(), 1);
}

/// Somebody changed the resource meanwhile: the status is written over the newer version. What somebody put into the
/// status, even a generation that there is not, does not stop it.
#[tokio::test(start_paused = true)]
async fn conflict_is_written_over_newer_version() {
    let fresh = json!({
        "metadata": {"uid": "uid of a", "resourceVersion": "7", "generation": 1},
        "status": {"phase": "theirs", "observedGeneration": 99},
    });
    let bench = bench(LeaseGuard::always(), move |asked| {
        Some(match asked.method.as_str() {
            "GET" => Answer::json(&fresh),
            _ if asked.body["metadata"]["resourceVersion"] == "7" => taken("8"),
            _ => Answer::refusal(409, "changed"),
        })
    });
    bench.put(&widget("1", None), "new", Vec::new());
    assert!(bench.run_for(SECOND).await);
    assert_eq!(bench.asked("PUT").len(), 2);
}

/// Another replica has reported of a newer spec, or the resource is gone: the status is dropped.
#[tokio::test(start_paused = true)]
async fn pointless_status_is_dropped() {
    let newer = json!({
        "metadata": {"uid": "uid of a", "resourceVersion": "7", "generation": 2},
        "status": {"phase": "theirs", "observedGeneration": 2},
    });
    for (code, fresh) in [(409, Some(newer)), (404, None)] {
        let bench = bench(LeaseGuard::always(), move |asked| {
            Some(match (&fresh, asked.method.as_str()) {
                (Some(fresh), "GET") => Answer::json(fresh),
                (None, "GET") => Answer::refusal(404, "not found"),
                _ => Answer::refusal(code, "no"),
            })
        });
        bench.put(&widget("1", None), "new", vec![event("not told")]);
        assert!(bench.run_for(SECOND).await);
        assert!(bench.writer.pending.is_empty() && bench.asked("POST").is_empty());
        assert_eq!(bench.asked("PUT").len(), 1);
    }
}

/// Without the right to write statuses, a thousand resources cost some sixty requests in ten minutes, not thousands a second,
/// and one line of the log.
#[tokio::test(start_paused = true)]
async fn refused_statuses_are_rarely_tried() {
    let bench = bench(LeaseGuard::always(), |_| Some(Answer::refusal(403, "forbidden")));
    let warnings = Warnings::begin();
    for number in 0..1000 {
        bench.put(&named(&number.to_string(), "1", None), "new", Vec::new());
    }
    assert!(!bench.run_for(600 * SECOND).await);
    let requests = bench.asked("PUT").len();
    assert!((16..100).contains(&requests), "{requests}");
    assert!(matches!(&warnings.lines()[..], [one] if one.contains("forbidden")), "{:?}", warnings.lines());
}

/// One status that is refused for good does not hold up the others.
#[tokio::test(start_paused = true)]
async fn refused_status_holds_up_no_other() {
    let bench = bench(LeaseGuard::always(), |asked| {
        Some(if asked.path.contains("/bad/") { Answer::refusal(422, "invalid") } else { taken("2") })
    });
    for name in ["bad", "good", "better"] {
        bench.put(&named(name, "1", None), "new", Vec::new());
    }
    assert!(bench.run_for(SECOND).await, "the end waits for none that is refused");
    assert_eq!(bench.writer.parts.written.get(), 2);
}

/// After an outage of a minute every status is written within five seconds.
#[tokio::test(start_paused = true)]
async fn statuses_are_written_soon_after_outage() {
    let began = Instant::now();
    let bench = bench(LeaseGuard::always(), move |_| (began.elapsed() >= 60 * SECOND).then(|| taken("2")));
    for number in 0..100 {
        bench.put(&named(&number.to_string(), "1", None), "new", Vec::new());
    }
    assert!(bench.run_for(66 * SECOND).await);
    let failures = bench.writer.parts.failures.get();
    assert!(failures < 100, "{failures} tries during the outage");
}

/// The API server asks for seven seconds without requests.
#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed() {
    let began = Instant::now();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let bench = bench(LeaseGuard::always(), move |_| {
        Some(match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::refusal(429, "too many requests").with_header("retry-after", "7"),
            _ => taken("2"),
        })
    });
    bench.put(&widget("1", None), "new", Vec::new());
    assert!(bench.run_for(60 * SECOND).await);
    assert!(began.elapsed() >= 7 * SECOND && began.elapsed() < 8 * SECOND, "{:?}", began.elapsed());
}

/// A replica that may not hold the lease any more writes nothing and tells nothing.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_without_lease() {
    let bench = bench(LeaseGuard::new(SECOND), |_| Some(taken("2")));
    bench.put(&widget("1", None), "new", vec![event("not told")]);
    assert!(!bench.run_for(60 * SECOND).await);
    assert!(bench.log.lock().unwrap().is_empty());
}
