//! The world of the model: a server with credentials, an API server with a resource and its Secrets, and their faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::super::super::*;
use crate::confidence::name::CredentialName;

pub(super) const CLIENT: &str = "c";
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// After how long the operator may have given up a POST: what it waits for, from the POST and not from the annotation.
pub(super) const LATE: Duration = Duration::from_mins(1);
/// How late the server reports a use.
pub(super) const REPORT_DELAY: Duration = Duration::from_mins(2);

/// When the server tells a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Always,
    Once,
    Never,
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) credential: Credential,
    pub(super) secret: u64,
    pub(super) last_use: Option<Timestamp>,
    /// Whether a POST of the operator made it.
    pub(super) is_operators: bool,
    /// When it landed, by the clock, if that was after the operator may have given up its POST.
    pub(super) landed_late: Option<Duration>,
    /// Whether an outsider took its labels off and the operator put them back.
    pub(super) was_relabelled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) attempt: Attempt,
    pub(super) sent: Timestamp,
    pub(super) lands: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct SecretObject {
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) credential: CredentialName,
    pub(super) attempt: Option<Attempt>,
    pub(super) published_at: Timestamp,
    pub(super) value: u64,
    /// Whether the operator's field manager wrote the value.
    pub(super) is_ours: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each tells one thing that happened")]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Timestamp,
    pub(super) clock: Duration,
    pub(super) tells: Tells,
    pub(super) keeps_labels: bool,
    /// Whether replicas find Secrets of ours that no record names, by a watch.
    pub(super) shows_all_secrets: bool,
    /// Which acts of outsiders happen in this world, a bit each: a few kinds make longer stories than all of them.
    pub(super) acts: u16,
    pub(super) live: BTreeMap<CredentialName, Stored>,
    /// What a LIST that lags shows.
    pub(super) lagging: Vec<Credential>,
    pub(super) posts: Vec<Post>,
    pub(super) resource: Option<Resource>,
    pub(super) version: u64,
    pub(super) bar: Option<StallReason>,
    pub(super) secrets: BTreeMap<String, SecretObject>,
    /// A copy of a Secret that an outsider may restore.
    pub(super) backup: Option<(String, SecretObject)>,
    pub(super) stored_attempts: BTreeSet<Attempt>,
    /// The values that pods run with.
    pub(super) pods: Vec<u64>,
    next: u64,
    pub(super) is_calm: bool,
    pub(super) last_published: Option<CredentialName>,
    /// Whether an outsider acted since the Secret worked last.
    pub(super) was_touched: bool,
    /// Whether an outsider ever touched a Secret or a credential.
    pub(super) was_ever_touched: bool,
    pub(super) lost_records: bool,
    pub(super) was_copied: bool,
    pub(super) is_request_open: bool,
    /// The credentials that a person asked to retire.
    pub(super) retire_requests: BTreeSet<CredentialName>,
    pub(super) is_traced: bool,
    /// The kinds of steps that were carried out.
    pub(super) carried_out: BTreeSet<String>,
    trace: Vec<String>,
}

pub(super) fn name(id: u64) -> CredentialName {
    format!("clients/{CLIENT}/credentials/k{id}").parse().unwrap()
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let tells = [Tells::Always, Tells::Once, Tells::Always, Tells::Once, Tells::Never][rng.usize(..5)];
        let mut resource = super::super::resource();
        resource.rotation.every = rng.bool().then(|| Duration::from_hours(48));
        resource.rotation.at_most = (rng.u8(..4) == 0).then(|| Duration::from_hours(30));
        Self {
            keeps_labels: rng.u8(..10) > 0,
            shows_all_secrets: rng.bool(),
            acts: if rng.u8(..4) == 0 { 0 } else { rng.u16(..) },
            rng,
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            clock: Duration::from_secs(1),
            tells,
            live: BTreeMap::new(),
            lagging: Vec::new(),
            posts: Vec::new(),
            resource: Some(resource),
            version: 1,
            bar: None,
            secrets: BTreeMap::new(),
            backup: None,
            stored_attempts: BTreeSet::new(),
            pods: vec![0, 0],
            next: 1,
            is_calm: false,
            last_published: None,
            was_touched: false,
            was_ever_touched: false,
            lost_records: false,
            was_copied: false,
            is_request_open: false,
            retire_requests: BTreeSet::new(),
            is_traced: false,
            carried_out: BTreeSet::new(),
            trace: Vec::new(),
        }
    }

    pub(super) fn fresh_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Keeps a line for whoever looks into a seed (`LIFECYCLE_SEED`).
    pub(super) fn note(&mut self, line: impl FnOnce(Timestamp) -> String) {
        if self.is_traced {
            self.trace.push(line(self.now));
        }
    }

    /// One chance in so many; none when the world is calm.
    pub(super) fn strikes(&mut self, one_in: u32) -> bool {
        !self.is_calm && self.rng.u32(..one_in) == 0
    }

    /// Time goes on: posts land, pods restart and use what they have.
    pub(super) fn tick(&mut self, by: Duration) {
        self.now = self.now.checked_add(by).unwrap();
        self.clock += by;
        let due = |post: &Post, now| post.lands.is_some_and(|lands| lands <= now);
        let landing: Vec<Attempt> = self.posts.iter().filter(|it| due(it, self.now)).map(|it| it.attempt).collect();
        for attempt in landing {
            self.land(attempt);
        }
        self.report_uses();
        self.use_secrets();
        if by > Duration::from_secs(30) || self.rng.bool() {
            self.lagging = self.live.values().map(|stored| stored.credential.clone()).collect();
        }
    }

    fn use_secrets(&mut self) {
        let asked_for = self.resource.as_ref().and_then(|resource| self.secrets.get(&resource.secret_name));
        let published = asked_for.or_else(|| self.secrets.values().next()).map(|secret| secret.value);
        for pod in 0..self.pods.len() {
            if self.is_calm || self.rng.u8(..4) == 0 {
                self.pods[pod] = published.unwrap_or(self.pods[pod]);
            }
            let value = self.pods[pod];
            let is_active = self.is_calm || self.rng.bool();
            let used = self.live.values_mut().find(|stored| stored.secret == value && is_active);
            if let Some(stored) = used {
                stored.last_use = Some(self.now);
            }
        }
    }

    fn report_uses(&mut self) {
        for stored in self.live.values_mut() {
            let reported = stored.last_use.filter(|used| later(*used, REPORT_DELAY) <= self.now);
            stored.credential.last_seen_time = stored.credential.last_seen_time.max(reported);
        }
    }

    /// A POST takes effect at the server.
    pub(super) fn land(&mut self, attempt: Attempt) -> CredentialName {
        let post = self.posts.iter_mut().find(|post| post.attempt == attempt).unwrap();
        post.lands = None;
        let is_late = later(post.sent, LATE) < self.now;
        let owner = super::super::resource().owner;
        let id = self.fresh_number();
        let credential = Credential {
            name: name(id),
            owner: self.keeps_labels.then_some(owner),
            attempt: self.keeps_labels.then_some(attempt),
            creator: Some("operator".to_owned()),
            create_time: Some(self.now),
            last_seen_time: None,
            is_in_sync: true,
        };
        let stored = Stored {
            credential,
            secret: 1000 + id,
            last_use: None,
            is_operators: true,
            landed_late: is_late.then_some(self.clock),
            was_relabelled: false,
        };
        self.live.insert(name(id), stored);
        name(id)
    }

    pub(super) fn operators(&self) -> Vec<&Stored> {
        self.live.values().filter(|stored| stored.is_operators).collect()
    }

    pub(super) fn touch_resource(&mut self) {
        self.version += 1;
    }

    /// What happened, for a message.
    pub(super) fn story(&self) -> String {
        self.trace.join("\n")
    }

    /// Whether nothing is left that could tell a copy from what was copied.
    pub(super) fn is_confused(&self) -> bool {
        self.lost_records && self.was_copied
    }

    /// Whether the published Secret works.
    pub(super) fn serves(&self) -> bool {
        self.secrets
            .values()
            .any(|secret| self.live.get(&secret.credential).is_some_and(|stored| stored.secret == secret.value))
    }
}
