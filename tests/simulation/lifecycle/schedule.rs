//! What happens to created credentials in one schedule, drawn from its seed.

use std::time::Duration;

use confidence_simulator::{Answered, CallKind, Config, Fault, FaultKind, Lag, Paging, Secrets};
use serde_json::{Value, json};

use crate::account::CLIENT;
use crate::disturbance::Disturbance;

/// The shortest that the CRD allows.
pub const UNTIL_UNUSED_FOR: Duration = Duration::from_hours(1);

/// How old the credentials of some resources may become.
pub const EVERY: Duration = Duration::from_hours(2);

/// How late a call lands at the most.
pub const LATEST: Duration = Duration::from_secs(200);

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// A user applies a resource with these fields over its spec; null takes one away.
    Apply(usize, Value),
    /// A user deletes a resource, or applies it again.
    Delete(usize),
    Recreate(usize),
    /// A user asks for a rotation, for a look, or for the end of a superseded credential.
    Rotate(usize),
    Reconcile(usize),
    Retire(usize),
    /// Somebody deletes the published Secret, changes its value, adds a key, or puts one of theirs in its place.
    DeleteSecret(usize),
    EditSecret(usize),
    AddKey(usize),
    ReplaceSecret(usize),
    /// The status is lost, with the attempt annotation or without; the resource or its Secret is put back as it was before.
    LoseStatus(usize),
    LoseRecords(usize),
    Restore(usize),
    RestoreSecret(usize),
    /// Somebody deletes the credential that is published, changes it, copies it with its labels, or takes those away.
    DeleteCredential(usize),
    EditCredential(usize),
    Copy(usize),
    Relabel(usize),
    /// Pods use the published value, or any one that works.
    Use(usize),
    UseAny,
    /// The server's clock goes on by so many minutes.
    Jump(i64),
    /// Something goes wrong around the program, or ends.
    Disturb(Disturbance),
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub config: Config,
    pub replicas: usize,
    pub elected: bool,
    pub watch_secrets: bool,
    pub resources: usize,
    /// Whether everything is restored into a second cluster in the end.
    pub is_copied: bool,
    /// What happens, and how long after what happened before.
    pub actions: Vec<(Duration, Action)>,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let random = &mut random;
        let resources = random.usize(1..=3);
        let elected = random.u32(0..3) == 0;
        let replicas = if elected { 2 } else { 1 };
        let lag = if random.u32(0..4) == 0 { random.u64(0..5_000) } else { 0 };
        let config = Config {
            secrets: if random.u32(0..3) == 0 { Secrets::Returned } else { Secrets::Withheld },
            max_page_size: random.choice([2, 1000]).unwrap_or(1000),
            paging: if random.bool() { Paging::ByKey } else { Paging::ByOffset },
            list_lag: Lag { milliseconds: lag, calls: 0 },
            ..Config::default()
        };
        let mut create = |resource| (Duration::ZERO, Action::Apply(resource, spec(resource, random)));
        let mut actions: Vec<(Duration, Action)> = (0..resources).map(&mut create).collect();
        for _ in 0..random.usize(4..16) {
            let pause = match random.u32(0..8) {
                0..4 => random.u64(0..300),
                4..7 => random.u64(0..6_000),
                _ => random.u64(0..90_000),
            };
            actions.push((Duration::from_millis(pause), action(resources, replicas, random)));
        }
        let watch_secrets = random.u32(0..5) != 0;
        let is_copied = random.u32(0..4) == 0;
        Self { config, replicas, elected, watch_secrets, resources, is_copied, actions }
    }
}

impl Action {
    /// Whether some calls land late by it.
    pub fn lands_late(&self) -> bool {
        matches!(self, Self::Disturb(Disturbance::Fault(Fault { what: FaultKind::LandsLate { .. }, .. })))
    }
}

fn action(resources: usize, replicas: usize, random: &mut fastrand::Rng) -> Action {
    let resource = random.usize(0..resources);
    let replica = random.usize(0..replicas);
    match random.u32(0..127) {
        0..12 => Action::Apply(resource, change(resource, random)),
        12..17 => Action::Delete(resource),
        17..20 => Action::Recreate(resource),
        20..32 => Action::Rotate(resource),
        32..35 => Action::Reconcile(resource),
        35..38 => Action::Retire(resource),
        38..42 => Action::DeleteSecret(resource),
        42..46 => Action::EditSecret(resource),
        46..47 => Action::AddKey(resource),
        47..48 => Action::ReplaceSecret(resource),
        48..53 => Action::DeleteCredential(resource),
        53..54 => Action::EditCredential(resource),
        54..56 => Action::Copy(resource),
        56..59 => Action::Relabel(resource),
        59..65 => Action::Use(resource),
        65..67 => Action::UseAny,
        67..75 => Action::Jump(random.i64(1..180)),
        75..93 => Action::Disturb(Disturbance::Fault(fault(random))),
        93..95 => Action::Disturb(Disturbance::Heal),
        95..102 => Action::Disturb(Disturbance::Trouble(replica, random.choice([0, 20, 60, 100]).unwrap_or(0))),
        102..104 => Action::Disturb(Disturbance::Cut(replica)),
        104..105 => Action::Disturb(Disturbance::Silence(replica)),
        105..107 => Action::Disturb(Disturbance::Compact),
        107..114 => Action::Disturb(Disturbance::Crash(replica)),
        114..116 => Action::Disturb(Disturbance::Stop(replica)),
        116..118 => Action::Disturb(Disturbance::Partition(replica, true)),
        118..120 => Action::LoseStatus(resource),
        120..122 => Action::LoseRecords(resource),
        122..124 => Action::Restore(resource),
        124 => Action::RestoreSecret(resource),
        _ => Action::Disturb(Disturbance::Partition(replica, false)),
    }
}

/// The name of a resource, and of its first Secret.
pub fn name(resource: usize) -> String {
    format!("till-{resource}")
}

/// The spec of a new resource.
pub fn spec(resource: usize, random: &mut fastrand::Rng) -> Value {
    let mut spec = json!({
        "client": format!("clients/{CLIENT}"),
        "displayName": "Till",
        "publishedSecret": {"name": name(resource)},
        "rotation": {"overlap": {"atLeast": "5m", "untilUnusedFor": "1h"}},
    });
    if random.u32(0..4) == 0 {
        spec["rotation"]["every"] = json!("2h");
    }
    if random.u32(0..8) == 0 {
        spec["deletionPolicy"] = json!("Orphan");
    }
    if random.bool() {
        spec["labels"] = json!({"team": "a"});
    }
    spec
}

/// A change of a spec.
fn change(resource: usize, random: &mut fastrand::Rng) -> Value {
    match random.u32(0..12) {
        0..3 => json!({"displayName": random.choice(["Till", "Shelf", "Door"])}),
        3 => json!({"labels": random.choice([json!({"team": "b"}), Value::Null])}),
        4..7 => json!({"publishedSecret": {"name": format!("{}-{}", name(resource), random.u32(0..3))}}),
        7..9 => json!({"suspend": random.bool()}),
        9 => json!({"driftPolicy": random.choice(["Report", "Correct"])}),
        10 => json!({"deletionPolicy": random.choice(["Orphan", "Delete"])}),
        _ => json!({"environments": random.choice([json!(["env-a"]), Value::Null])}),
    }
}

const KINDS: [CallKind; 7] = [
    CallKind::Create,
    CallKind::Create,
    CallKind::Create,
    CallKind::Get,
    CallKind::List,
    CallKind::Update,
    CallKind::Delete,
];

fn fault(random: &mut fastrand::Rng) -> Fault {
    let retry_after = random.bool().then(|| random.u32(1..5).to_string());
    let kind = random.choice(KINDS).unwrap_or(CallKind::Create);
    let what = match random.u32(0..16) {
        0 => FaultKind::Status { code: 429, retry_after },
        1 => FaultKind::Status { code: 503, retry_after },
        2 => FaultKind::status(random.choice([400, 401, 403, 500]).unwrap_or(500)),
        3 => FaultKind::Reset,
        4 | 5 => FaultKind::ResetAfter,
        6 => FaultKind::Hang,
        7 => FaultKind::HangAfter,
        8 => FaultKind::Html { code: random.choice([404, 502]).unwrap_or(502) },
        9 => FaultKind::BrokenJson,
        10 => FaultKind::Slow { milliseconds: random.u64(100..9_000) },
        11 | 12 => FaultKind::LandsLate { milliseconds: random.u64(0..LATEST.as_secs() * 1_000), hangs: random.bool() },
        13 => FaultKind::Repeated {
            milliseconds: random.u64(0..2_000),
            answered: random.choice([Answered::First, Answered::Second]).unwrap_or_default(),
        },
        14 => FaultKind::Without { fields: vec!["clientSecret".to_owned()] },
        _ => FaultKind::Without { fields: vec!["labels".to_owned()] },
    };
    Fault::once(what).on(kind).times(random.u32(1..4))
}
