//! What an event says, and where it is written.
#![allow(clippy::unwrap_used)]

use super::*;

fn recorder() -> EventRecorder {
    let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("there is no API server"))
    });
    EventRecorder::new(Client::new(nobody, "default"), "example.com/operator", "pod", Counter::default())
}

fn draft(note: &str) -> EventDraft {
    EventDraft { warning: true, reason: "Failed".to_owned(), action: "Update", note: note.to_owned() }
}

/// The API server refuses notes of more than 1 KiB.
#[tokio::test]
async fn long_note_is_cut_to_fit() {
    let event = recorder().event(draft(&"ü".repeat(2000)), &ObjectReference::default(), Timestamp::UNIX_EPOCH);
    assert!(event.note.unwrap().len() <= 1024);
}

/// An object without a namespace has its events in `default`, where kubectl looks for them.
#[tokio::test]
async fn event_about_cluster_scoped_object_is_in_default() {
    let namespaced = ObjectReference { namespace: Some("shop".to_owned()), ..ObjectReference::default() };
    let of = |regarding: &ObjectReference| {
        recorder().event(draft("n"), regarding, Timestamp::UNIX_EPOCH).metadata.namespace.unwrap()
    };
    assert_eq!((of(&namespaced).as_str(), of(&ObjectReference::default()).as_str()), ("shop", "default"));
}

/// An event that cannot be written is counted and let go.
#[tokio::test]
async fn unwritable_event_is_counted() {
    let recorder = recorder();
    recorder.record(&ObjectReference::default(), vec![draft("n")]).await;
    assert_eq!(recorder.failures.get(), 1);
}
