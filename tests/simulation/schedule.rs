//! What happens in one schedule, drawn from its seed: who is there, and who does what when.

use std::time::Duration;

use confidence_operator::credential::ObserveMode;
use confidence_simulator::{CallKind, Config, Fault, FaultKind, LabelsShape, Paging, Reading, Secrets};
use serde_json::{Value, json};

use crate::disturbance::Disturbance;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// A user applies a resource with this spec.
    Apply(usize, Value),
    /// A user deletes a resource.
    Delete(usize),
    /// A user deletes a resource and creates another of its name, which may name another credential.
    Recreate(usize, Value),
    /// A user suspends a resource, or lets it go on.
    Suspend(usize, bool),
    /// A user asks for a look.
    Annotate(usize),
    /// A user stores a secret.
    PutSecret(usize, String),
    DeleteSecret(usize),
    /// Somebody else writes a credential.
    Edit(usize, Value),
    /// Somebody else gives a credential another secret.
    EditSecret(usize, String),
    /// Somebody makes a backup of all credentials, or restores the last one: their times go back too.
    BackUp,
    Restore,
    /// Somebody else deletes a credential, or puts it back.
    Vanish(usize),
    Return(usize),
    /// A credential resolves a flag.
    Touch(usize),
    /// Confidence accepts no token any more that it has issued.
    Revoke,
    /// Confidence accepts another client secret only; the replicas are given it.
    Rotate,
    Deliver,
    /// Something goes wrong around the program, or ends.
    Disturb(Disturbance),
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub config: Config,
    pub observe: ObserveMode,
    /// Whether the account's token is exchanged for an id and a secret.
    pub exchange: bool,
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
        let reading = match random.u32(0..10) {
            0 => random.choice([Reading::MethodNotAllowed, Reading::Forbidden, Reading::NotFoundHtml]).unwrap(),
            _ => Reading::Offered,
        };
        let observe = match random.u32(0..10) {
            0..5 if reading == Reading::Offered => ObserveMode::Read,
            0 | 9 => ObserveMode::Update,
            _ => ObserveMode::Auto,
        };
        let config = Config {
            reading,
            labels: if random.u32(0..5) == 0 { LabelsShape::Array } else { LabelsShape::Object },
            token_seconds: random.u64(20..120),
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
            actions.push((Duration::ZERO, Action::Apply(resource, spec(resource, resources, random))));
        }
        for _ in 0..random.usize(4..16) {
            // Mostly in the middle of something, sometimes after it.
            let pause = if random.u32(0..4) == 0 { random.u64(0..LONGEST_PAUSE_MS) } else { random.u64(0..300) };
            actions.push((Duration::from_millis(pause), action(resources, replicas, random)));
        }
        let (exchange, watch_secrets) = (random.u32(0..3) == 0, random.u32(0..5) != 0);
        Self { config, observe, exchange, replicas, elected, watch_secrets, resources, actions }
    }
}

fn action(resources: usize, replicas: usize, random: &mut fastrand::Rng) -> Action {
    let resource = random.usize(0..resources);
    let replica = random.usize(0..replicas);
    match random.u32(0..120) {
        0..26 => Action::Apply(resource, spec(resource, resources, random)),
        26..29 => Action::Delete(resource),
        29..32 => Action::Recreate(resource, spec(resource, resources, random)),
        32..35 => Action::Suspend(resource, random.bool()),
        35..38 => Action::Annotate(resource),
        38..43 => Action::PutSecret(resource, secret(random)),
        43..45 => Action::DeleteSecret(resource),
        45..55 => Action::Edit(resource, managed(random)),
        55..59 => Action::EditSecret(resource, secret(random)),
        59..60 => Action::BackUp,
        60..62 => Action::Restore,
        62..65 => Action::Vanish(resource),
        65..68 => Action::Return(resource),
        68..70 => Action::Touch(resource),
        70..85 => Action::Disturb(Disturbance::Fault(fault(resource, random))),
        85..88 => Action::Disturb(Disturbance::Heal),
        88..91 => Action::Revoke,
        91..92 => Action::Rotate,
        92..93 => Action::Deliver,
        93..98 => Action::Disturb(Disturbance::Trouble(replica, random.choice([0, 20, 60, 100]).unwrap_or(0))),
        98..101 => Action::Disturb(Disturbance::Cut(replica)),
        101..102 => Action::Disturb(Disturbance::Silence(replica)),
        102..104 => Action::Disturb(Disturbance::Compact),
        104..111 => Action::Disturb(Disturbance::Crash(replica)),
        111..113 => Action::Disturb(Disturbance::Stop(replica)),
        113..116 => Action::Disturb(Disturbance::Partition(replica, true)),
        _ => Action::Disturb(Disturbance::Partition(replica, false)),
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

fn spec(resource: usize, resources: usize, random: &mut fastrand::Rng) -> Value {
    let mut spec = managed(random);
    // Which of the two matters when the resource is created: it cannot be changed then.
    let id = match random.u32(0..8) {
        0 | 1 => spare(resource),
        // Mostly somebody else's, so that two are at odds.
        2 => name((resource + 1) % resources),
        _ => name(resource),
    };
    spec["name"] = json!(format!("clients/{}/credentials/{id}", crate::account::CLIENT));
    if random.u32(0..3) == 0 {
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

/// The calls that a fault may be meant for.
const KINDS: [CallKind; 5] = [CallKind::Get, CallKind::List, CallKind::Update, CallKind::Update, CallKind::Token];

fn fault(resource: usize, random: &mut fastrand::Rng) -> Fault {
    let retry_after = (random.bool()).then(|| random.u32(1..5).to_string());
    let what = match random.u32(0..19) {
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
        13 => FaultKind::status(random.choice([404, 409, 422]).unwrap_or(422)),
        14 => FaultKind::status(400),
        15 => FaultKind::status(403),
        16 => FaultKind::Html { code: 200 },
        _ => FaultKind::NotTaken {
            fields: vec![random.choice(["labels", "environments", "sdk_type"]).unwrap_or("labels").to_owned()],
        },
    };
    let mut fault = Fault::once(what).times(random.u32(1..4));
    if random.bool() {
        fault = fault.on(random.choice(KINDS).unwrap_or(CallKind::Update));
    }
    if random.bool() {
        fault = fault.about(&name(resource));
    }
    fault
}
