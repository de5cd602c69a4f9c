//! The lifecycle by example, by its properties, and in a model of the world.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;

mod evidence;
mod labels;
mod model;
mod properties;
mod published;
mod removal;
mod retiring;
mod table;

/// A resource that asks for a credential and has none.
fn resource() -> Resource {
    Resource {
        uid: "uid".to_owned(),
        generation: 1,
        owner: OwnerLabel::new("cluster", "uid"),
        client: "c".to_owned(),
        secret_name: "s-0".to_owned(),
        rotation: Rotation {
            every: None,
            at_least: Duration::from_hours(1),
            until_unused_for: Duration::from_hours(24),
            at_most: None,
        },
        deletes_credential: true,
        reports_only: false,
        is_suspended: false,
        is_being_deleted: false,
        has_finalizer: false,
        attempt: None,
        rotate_requested_at: None,
        retire: None,
        records: Records::default(),
        bar: None,
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        is_crd_deleted: false,
        is_namespace_terminating: false,
        is_account_gone: false,
        request_timeout: Duration::from_secs(10),
    }
}

/// The facts about one resource, to be changed before the question.
#[derive(Clone, Debug)]
struct Scene {
    resource: Resource,
    secrets: Secrets,
    listing: Listing,
    memory: Memory,
    surroundings: Surroundings,
}

/// A change of a scene that a case makes.
type Change = fn(&mut Scene);

/// Seconds after a fixed time of the server.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// The server's time in each scene.
const NOW: i64 = 1_000_000;
/// The clock of the process in each scene.
const CLOCK: Duration = Duration::from_secs(1000);

fn name(id: &str) -> CredentialName {
    format!("clients/c/credentials/{id}").parse().unwrap()
}

fn attempt(number: u32) -> Attempt {
    Attempt { number, nonce: u64::from(number) }
}

fn credential(id: &str, number: u32) -> Credential {
    Credential {
        name: name(id),
        owner: Some(OwnerLabel::new("cluster", "uid")),
        attempt: Some(attempt(number)),
        creator: Some("operator".to_owned()),
        create_time: Some(at(0)),
        last_seen_time: None,
        is_in_sync: true,
    }
}

fn own_secret(id: &str, number: u32) -> OwnSecret {
    OwnSecret {
        name: "s-0".to_owned(),
        version: SecretVersion { uid: "s".to_owned(), resource_version: "1".to_owned() },
        credential: Some(name(id)),
        attempt: Some(attempt(number)),
        published_at: Some(at(10)),
        value: Value::AsWritten,
        in_shape: true,
    }
}

fn superseded(id: &str, why: SupersededReason) -> Superseded {
    Superseded { name: name(id), since: at(10), why }
}

impl Scene {
    /// A resource without a credential, after a LIST.
    fn new() -> Self {
        Self {
            resource: resource(),
            secrets: Secrets { current: SecretState::Absent, former: None, is_fresh: false },
            listing: Listing::Complete { began: CLOCK, credentials: Vec::new() },
            memory: Memory { dry_run: DryRun::Accepted, ..Memory::default() },
            surroundings: surroundings(),
        }
    }

    /// The credential `k1` of the first attempt is created, published and recorded.
    fn published() -> Self {
        let mut scene = Self::new();
        scene.resource.has_finalizer = true;
        scene.resource.attempt = Some(attempt(1));
        scene.resource.records = Records {
            name: Some(name("k1")),
            create_time: Some(at(0)),
            creator: Some("operator".to_owned()),
            published: Some(PublishedRecord {
                name: "s-0".to_owned(),
                uid: "s".to_owned(),
                credential: name("k1"),
                published_at: at(10),
            }),
            ..Records::default()
        };
        scene.secrets.current = SecretState::Own(own_secret("k1", 1));
        scene.list(vec![credential("k1", 1)]);
        scene
    }

    /// `k2` was published after `k1`, which is superseded.
    fn rotated() -> Self {
        let mut scene = Self::published();
        scene.resource.attempt = Some(attempt(2));
        scene.resource.records.name = Some(name("k2"));
        scene.resource.records.superseded = vec![superseded("k1", SupersededReason::Replaced)];
        if let Some(published) = &mut scene.resource.records.published {
            published.credential = name("k2");
        }
        scene.secrets.current = SecretState::Own(own_secret("k2", 2));
        scene.list(vec![credential("k1", 1), credential("k2", 2)]);
        scene
    }

    fn list(&mut self, credentials: Vec<Credential>) {
        self.listing = Listing::Complete { began: CLOCK, credentials };
    }

    fn fetch(&mut self, id: &str, answer: Answer) {
        self.memory.fetched.push(Fetched { name: name(id), answer });
        self.secrets.is_fresh = true;
    }

    fn secret(&mut self) -> &mut OwnSecret {
        match &mut self.secrets.current {
            SecretState::Own(secret) => secret,
            SecretState::Absent | SecretState::Foreign(_) => panic!("no Secret of ours"),
        }
    }

    fn remember(&mut self, number: u32, outcome: AttemptOutcome, since: u64) {
        self.resource.attempt = Some(attempt(number));
        let (attempt, generation) = (attempt(number), Some(1));
        let since = Duration::from_secs(since);
        self.memory.attempt = Some(AttemptMemory { attempt, since, generation, outcome, lists: 2 });
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            resource: &self.resource,
            secrets: &self.secrets,
            listing: &self.listing,
            memory: &self.memory,
            surroundings: self.surroundings,
            server_time: Some(at(NOW)),
            clock: CLOCK,
            nonce: 99,
        }
    }

    fn step(&self) -> Step {
        next_step(&self.facts())
    }

    fn creates(&self, reason: CreateReason) {
        let mut sent = self.clone();
        let Step::WriteAttempt { attempt, .. } = self.step() else { panic!("{:?}", self.step()) };
        sent.resource.attempt = Some(attempt);
        sent.resource.has_finalizer = true;
        let (since, outcome) = (CLOCK, AttemptOutcome::NotSent);
        sent.memory.attempt = Some(AttemptMemory { attempt, since, generation: Some(1), outcome, lists: 0 });
        let step = sent.step();
        assert!(matches!(step, Step::Create { reason: it, .. } if it == reason), "{step:?}");
    }
}
