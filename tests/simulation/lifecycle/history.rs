//! What happened to created credentials, in order: what the judges judge.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use confidence_operator::api::{ATTEMPT, FINALIZER, secret_annotations};
use confidence_simulator::Credential;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Kind, Write};
use crate::judge::labels;
use crate::record::Record;

/// Something that happened. Resources are named by their uids, credentials by their ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A user deletes a resource, or allows a credential to be retired.
    Deleting {
        uid: String,
    },
    Retire {
        credential: String,
    },
    /// A user asks for a rotation, or applies a spec that asks for them by age.
    RotationAsked {
        uid: String,
    },
    Scheduled {
        uid: String,
    },
    /// The server's clock goes on by so much more than ours.
    Jumped {
        by: Duration,
    },
    /// An attempt is stored in the annotation.
    Attempt {
        uid: String,
        attempt: String,
    },
    /// Our finalizer goes from a resource that is being deleted. Whether it asked for its credential to be kept.
    Released {
        uid: String,
        is_kept: bool,
    },
    /// A POST arrives at Confidence.
    Posted {
        uid: String,
        attempt: String,
    },
    /// Its process was told how it ended.
    PostEnded {
        attempt: String,
    },
    /// A process got the secret with the answer to its POST.
    Held {
        process: String,
        attempt: String,
    },
    /// A process is over, and what it knew with it.
    ProcessEnded {
        process: String,
    },
    /// A LIST is answered.
    Listed,
    /// A credential is there. Without an attempt: somebody else's.
    Landed {
        uid: String,
        credential: String,
        attempt: Option<String>,
        secret: String,
    },
    /// Somebody else gives it other labels.
    Relabelled {
        credential: String,
    },
    /// A GET shows how long it was unused: none if it never was.
    Fetched {
        credential: String,
        unused_for: Option<Duration>,
    },
    /// A DELETE of the operator's arrives.
    Delete {
        credential: String,
    },
    /// A credential is gone.
    Gone {
        credential: String,
    },
    /// A Secret holds this value for this credential.
    Published {
        secret: String,
        uid: String,
        credential: String,
        value: String,
    },
    /// Somebody else changes or deletes a Secret, or a credential.
    Meddled {
        uid: String,
    },
    /// The status of a resource is lost; or that, or its Secret, is as it was before.
    RecordsLost {
        uid: String,
        /// The attempt annotation too.
        with_attempt: bool,
    },
    /// The operator deletes a Secret.
    SecretGone {
        secret: String,
    },
    /// A call at Confidence, or a write at the API server that is no lease.
    Call {
        method: String,
    },
    Wrote {
        what: String,
    },
    /// Everything is as wanted, and nobody does anything any more.
    Rest,
}

/// The events so far, and when each was. Cheap to clone.
#[derive(Clone)]
pub struct History {
    record: Record,
    events: Arc<Mutex<Vec<(Instant, Event)>>>,
}

/// When, since the first event, and what.
pub type At = (Duration, Event);

impl History {
    pub fn new(record: Record) -> Self {
        Self { record, events: Arc::default() }
    }

    pub fn add(&self, event: Event) {
        if !matches!(event, Event::Call { .. } | Event::Listed | Event::Fetched { .. }) {
            self.record.tell(format_args!("  {event:?}"));
        }
        self.events.lock().unwrap().push((Instant::now(), event));
    }

    pub fn events(&self) -> Vec<At> {
        let events = self.events.lock().unwrap();
        let began = events.first().map_or_else(Instant::now, |(at, _)| *at);
        events.iter().map(|(at, event)| (*at - began, event.clone())).collect()
    }

    /// The credentials that POSTs for a resource created, gone ones too.
    pub fn created_for(&self, owner: &str) -> Vec<String> {
        let created = |(_, event): &(Instant, Event)| match event {
            Event::Landed { uid, credential, attempt: Some(_), .. } if uid == owner => Some(credential.clone()),
            _ => None,
        };
        self.events.lock().unwrap().iter().filter_map(created).collect()
    }

    /// The operator writes at the API server.
    pub fn write(&self, write: &Write<'_>) {
        if matches!(write.kind, Kind::Lease) {
            return;
        }
        // The names of events hold the time of day.
        let name =
            if write.kind == Kind::Event { write.after["reason"].as_str().unwrap_or_default() } else { write.name };
        self.add(Event::Wrote { what: format!("{:?} {name}", write.kind) });
        match write.kind {
            Kind::Resource => self.resource(write),
            Kind::Secret if write.after.is_null() => self.add(Event::SecretGone { secret: write.name.to_owned() }),
            Kind::Secret => {
                if let Some(event) = published(write.name, write.after) {
                    self.add(event);
                }
            }
            _ => {}
        }
    }

    fn resource(&self, write: &Write<'_>) {
        let uid = || write.before["metadata"]["uid"].as_str().unwrap().to_owned();
        let attempt = |object: &Value| object["metadata"]["annotations"][ATTEMPT].as_str().map(str::to_owned);
        if let Some(attempt) = attempt(write.after).filter(|it| attempt(write.before).as_ref() != Some(it)) {
            self.add(Event::Attempt { uid: uid(), attempt });
        }
        let has_finalizer = |object: &Value| {
            object["metadata"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|it| it == FINALIZER))
        };
        let is_deleted = !write.before["metadata"]["deletionTimestamp"].is_null();
        if is_deleted && has_finalizer(write.before) && !has_finalizer(write.after) {
            let spec = &write.before["spec"];
            let is_kept =
                spec["deletionPolicy"] == "Orphan" || spec["suspend"] == true || spec["driftPolicy"] == "Report";
            self.add(Event::Released { uid: uid(), is_kept });
        }
    }

    /// A call arrives at Confidence.
    pub fn arrives(&self, method: &Method, path: &str, body: &[u8]) {
        self.add(Event::Call { method: method.to_string() });
        if let Some(attempt) = attempt_of(method, path, body) {
            let body: Value = serde_json::from_slice(body).unwrap();
            let uid =
                labels(&body["labels"]).get("confidence-operator-owner").map(|it| owner_of(it)).unwrap_or_default();
            self.add(Event::Posted { uid, attempt });
        } else if *method == Method::DELETE {
            self.add(Event::Delete { credential: id_of(path) });
        }
    }

    /// It is answered.
    pub fn is_answered(&self, method: &Method, path: &str, body: &[u8], date: Option<SystemTime>) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let now = date.and_then(|it| Timestamp::try_from(it).ok()).unwrap_or(Timestamp::MIN);
        if *method == Method::GET && body["displayName"].is_string() {
            let seen: Option<Timestamp> = body["lastSeenTime"].as_str().map(|it| it.parse().unwrap());
            let unused_for = seen.map(|seen| now.duration_since(seen).unsigned_abs());
            self.add(Event::Fetched { credential: id_of(path), unused_for });
        } else if *method == Method::GET {
            self.add(Event::Listed);
        }
    }

    /// A write lands at Confidence.
    pub fn lands(&self, write: &confidence_simulator::Write) {
        let is_operators = write.call.is_some();
        match (&write.before, &write.after) {
            (None, Some(after)) => {
                let attempt = label(after, "attempt").filter(|_| is_operators);
                let uid = owner_of(&label(after, "owner").unwrap_or_default());
                let (credential, secret) = (write.credential.clone(), after.secret.clone());
                self.add(Event::Landed { uid, credential, attempt, secret });
            }
            (Some(before), None) => {
                if !is_operators {
                    self.add(Event::Meddled { uid: owner_of(&label(before, "owner").unwrap_or_default()) });
                }
                self.add(Event::Gone { credential: write.credential.clone() });
            }
            (Some(before), Some(after)) if !is_operators && label(before, "owner") != label(after, "owner") => {
                self.add(Event::Relabelled { credential: write.credential.clone() });
            }
            _ => {}
        }
    }
}

/// The attempt that a POST of a credential names.
pub fn attempt_of(method: &Method, path: &str, body: &[u8]) -> Option<String> {
    let is_create = *method == Method::POST && path.contains("/clients/");
    let body: Value = if is_create { serde_json::from_slice(body).ok()? } else { return None };
    Some(labels(&body["labels"]).get("confidence-operator-attempt").map_or("none", String::as_str).to_owned())
}

/// What a Secret of ours publishes.
pub fn published(name: &str, secret: &Value) -> Option<Event> {
    let annotation = |key: &str| secret["metadata"]["annotations"][key].as_str();
    let uid = annotation(secret_annotations::OWNER)?.rsplit('/').next()?.to_owned();
    let credential = id_of(annotation(secret_annotations::CREDENTIAL)?);
    Some(Event::Published { secret: name.to_owned(), uid, credential, value: value_of(secret) })
}

/// The value in a Secret, as pods read it.
pub fn value_of(secret: &Value) -> String {
    let data = secret["data"]["clientSecret"].as_str().unwrap_or_default();
    String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
}

/// A label of the operator's.
pub fn label(credential: &Credential, name: &str) -> Option<String> {
    credential.labels.get(&format!("confidence-operator-{name}")).cloned()
}

/// The uid in an owner label.
pub fn owner_of(label: &str) -> String {
    label.split_once('_').map(|(_, uid)| uid.to_owned()).unwrap_or_default()
}

/// The last part of a name or a path.
pub fn id_of(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}
