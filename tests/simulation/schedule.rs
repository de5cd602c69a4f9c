//! What happens in one schedule, drawn from its seed: who is there, and who does what when.

use std::time::Duration;

use confidence_simulator::{CallKind, Config, Fault, FaultKind, Paging, Secrets};
use serde_json::{Value, json};

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// A user applies a resource with this spec.
    Apply(usize, Value),
    /// A user deletes a resource.
    Delete(usize),
    /// A user asks for a look.
    Annotate(usize),
    /// A user stores a secret.
    PutSecret(usize, String),
    DeleteSecret(usize),
    /// Somebody else writes a credential.
    Edit(usize, Value),
    /// Somebody else deletes a credential, or puts it back.
    Vanish(usize),
    Return(usize),
    /// A credential resolves a flag.
    Touch(usize),
    /// Confidence misbehaves.
    Fault(Fault),
    /// All faults of Confidence end.
    Heal,
    /// So many of 100 requests of a replica to the API server go wrong.
    Trouble(usize, u32),
    /// A replica's watches break off, or are silent until that is noticed.
    Cut(usize),
    Silence(usize),
    /// The API server forgets what happened so far.
    Compact,
    /// A replica is killed, or told to stop; it starts again after a while.
    Crash(usize),
    Stop(usize),
    /// A replica reaches nobody, or everybody again.
    Partition(usize, bool),
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub config: Config,
    /// How many replicas there are. More than one elect a leader.
    pub replicas: usize,
    pub elected: bool,
    pub watch_secrets: bool,
    pub resources: usize,
    /// What happens, and how long after what happened before.
    pub actions: Vec<(Duration, Action)>,
}

/// How long the troubled part of a schedule lasts, at the most.
const LONGEST_PAUSE_MS: u64 = 6_000;

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let random = &mut random;
        let resources = random.usize(1..=4);
        let elected = random.u32(0..3) == 0;
        let replicas = if elected { 2 } else { 1 };
        let config = Config {
            secrets: if random.bool() { Secrets::Withheld } else { Secrets::Returned },
            max_page_size: random.choice([2, 1000]).unwrap_or(1000),
            paging: if random.bool() { Paging::ByKey } else { Paging::ByOffset },
            quota: (random.u32(0..6) == 0).then_some(4),
            quota_retry_after: Some("2".to_owned()),
            ..Config::default()
        };
        let mut actions: Vec<(Duration, Action)> = Vec::new();
        for resource in 0..resources {
            actions.push((Duration::ZERO, Action::PutSecret(resource, secret(random))));
            actions.push((Duration::ZERO, Action::Apply(resource, spec(resource, random))));
        }
        for _ in 0..random.usize(4..16) {
            // Mostly in the middle of something, sometimes after it.
            let pause = if random.u32(0..4) == 0 { random.u64(0..LONGEST_PAUSE_MS) } else { random.u64(0..300) };
            actions.push((Duration::from_millis(pause), action(resources, replicas, random)));
        }
        Self { config, replicas, elected, watch_secrets: random.u32(0..5) != 0, resources, actions }
    }
}

fn action(resources: usize, replicas: usize, random: &mut fastrand::Rng) -> Action {
    let resource = random.usize(0..resources);
    let replica = random.usize(0..replicas);
    match random.u32(0..100) {
        0..28 => Action::Apply(resource, spec(resource, random)),
        28..31 => Action::Delete(resource),
        31..34 => Action::Annotate(resource),
        34..39 => Action::PutSecret(resource, secret(random)),
        39..41 => Action::DeleteSecret(resource),
        41..52 => Action::Edit(resource, managed(random)),
        52..55 => Action::Vanish(resource),
        55..58 => Action::Return(resource),
        58..60 => Action::Touch(resource),
        60..74 => Action::Fault(fault(resource, random)),
        74..77 => Action::Heal,
        77..82 => Action::Trouble(replica, random.choice([0, 20, 60, 100]).unwrap_or(0)),
        82..85 => Action::Cut(replica),
        85..86 => Action::Silence(replica),
        86..88 => Action::Compact,
        88..94 => Action::Crash(replica),
        94..96 => Action::Stop(replica),
        96..98 => Action::Partition(replica, true),
        _ => Action::Partition(replica, false),
    }
}

fn secret(random: &mut fastrand::Rng) -> String {
    format!("s3cret-{}", random.u32(0..3))
}

/// Values of the fields that can be managed, some of them absent.
fn managed(random: &mut fastrand::Rng) -> Value {
    let mut fields = json!({"displayName": random.choice(["Till", "Shelf", "Door"])});
    let environments = [json!(null), json!([]), json!(["env-a"]), json!(["env-b", "env-a"])];
    let labels = [json!(null), json!({}), json!({"team": "a"}), json!({"team": "b", "tier": "1"})];
    let sdk_types = [json!(null), json!("BACKEND"), json!("FRONTEND")];
    fields["environments"] = environments[random.usize(0..4)].clone();
    fields["labels"] = labels[random.usize(0..4)].clone();
    fields["sdkType"] = sdk_types[random.usize(0..3)].clone();
    fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    fields
}

fn spec(resource: usize, random: &mut fastrand::Rng) -> Value {
    let mut spec = managed(random);
    // Which of the two matters when the resource is created: it cannot be changed then.
    let id = if random.u32(0..4) == 0 { spare(resource) } else { name(resource) };
    spec["name"] = json!(format!("clients/{}/credentials/{id}", crate::account::CLIENT));
    if random.u32(0..4) == 0 {
        spec["clientSecret"] = json!({"secretKeyRef": {"name": format!("secret-{}", name(resource)), "key": "secret"}});
    }
    if random.u32(0..16) == 0 {
        spec["suspend"] = json!(true);
    }
    if random.u32(0..16) == 0 {
        spec["driftPolicy"] = json!("Report");
    }
    spec
}

/// Another credential that a resource may name.
pub fn spare(resource: usize) -> String {
    format!("spare-{resource}")
}

/// The name of a resource, which is the id of the credential that it mostly names.
pub fn name(resource: usize) -> String {
    format!("till-{resource}")
}

fn fault(resource: usize, random: &mut fastrand::Rng) -> Fault {
    let retry_after = (random.bool()).then(|| random.u32(1..5).to_string());
    let what = match random.u32(0..14) {
        0 => FaultKind::Status { code: 429, retry_after },
        1 => FaultKind::Status { code: 503, retry_after },
        2 => FaultKind::status(500),
        3 => FaultKind::status(401),
        4 => FaultKind::Reset,
        5 | 6 => FaultKind::ResetAfter,
        7 => FaultKind::Hang,
        8 => FaultKind::HangAfter,
        9 => FaultKind::Html { code: 502 },
        10 => FaultKind::BrokenJson,
        11 => FaultKind::WrongShape,
        12 => FaultKind::Slow { milliseconds: random.u64(100..9_000) },
        _ => FaultKind::NotTaken { fields: vec!["labels".to_owned()] },
    };
    let mut fault = Fault::once(what).times(random.u32(1..4));
    if random.bool() {
        fault = fault.on(random.choice([CallKind::Get, CallKind::List, CallKind::Update]).unwrap_or(CallKind::Update));
    }
    if random.bool() {
        fault = fault.about(&name(resource));
    }
    fault
}
