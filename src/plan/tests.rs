//! The plan, by its properties for all inputs and by name where a rule is worth a sentence.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::option::of;
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::api::spec::DriftPolicy;
use crate::api::status::ObservedSecret;
use crate::confidence::wire::{ClientCredential, CredentialUpdate, Field, SdkType};

/// What a server does with an update, by the rules of AIP-134: the named fields take the value of the body.
fn applied(observed: &ClientCredential, update: Option<&CredentialUpdate>) -> ClientCredential {
    let mut after = observed.clone();
    let Some(update) = update else { return after };
    for field in update.mask() {
        match field {
            Field::DisplayName => after.display_name.clone_from(&update.display_name),
            Field::Environments => after.environments = update.environments.clone().unwrap(),
            Field::Labels => after.labels = update.labels.clone().unwrap(),
            Field::SdkType => after.sdk_type = update.sdk_type.clone().unwrap(),
            Field::ClientSecret => after.client_secret.clone_from(&update.client_secret),
        }
    }
    after
}

fn planned(desired: &Desired, observed: &ClientCredential) -> Plan {
    plan(desired, &Observation::read(observed.clone()), &SecretKnowledge::default(), DriftPolicy::Correct)
}

fn request(plan: &Plan) -> Option<&CredentialUpdate> {
    match plan {
        Plan::Update(update) => Some(update.request()),
        Plan::InSync | Plan::NeedsFreshRead => None,
    }
}

fn environments() -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set("[a-c]", 0..4)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[a-c]|confidence-operator-[ab]", "[xy]", 0..3)
}

fn sdk_type() -> impl Strategy<Value = SdkType> {
    prop_oneof![Just(SdkType::Unspecified), Just(SdkType::Backend), Just(SdkType::Frontend)]
}

fn desired_secret(value: &str, version: &str) -> DesiredSecret {
    DesiredSecret {
        value: value.into(),
        uid: "u".to_owned(),
        resource_version: version.to_owned(),
        key: "k".to_owned(),
    }
}

prop_compose! {
    fn desired()(
        display_name in "[mn]", environments in of(environments()), labels in of(labels()), sdk_type in of(sdk_type()),
        client_secret in of(("[st]", "[12]").prop_map(|(value, version)| desired_secret(&value, &version))),
    ) -> Desired {
        Desired { display_name, environments, labels, sdk_type, client_secret }
    }
}

prop_compose! {
    fn observed()(
        display_name in "[mn]", environments in environments(), labels in labels(),
        sdk_type in prop_oneof![3 => sdk_type(), 1 => Just(SdkType::Unknown("EDGE".to_owned()))],
        client_secret in of("[st]"), update_time in of(0_i64..3),
    ) -> ClientCredential {
        ClientCredential {
            name: None, display_name, environments, labels, sdk_type, labels_shape: None,
            client_secret: client_secret.map(Into::into),
            create_time: None, update_time: update_time.map(|it| jiff::Timestamp::from_second(it).unwrap()),
            last_seen_time: None, creator: None, updater: None,
        }
    }
}

fn text(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}

fn own(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels.clone().into_iter().filter(|(key, _)| key.starts_with("confidence-operator-")).collect()
}

fn asked(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels.clone().into_iter().filter(|(key, _)| !key.starts_with("confidence-operator-")).collect()
}

proptest! {
    /// An update brings exactly the managed fields in line, and carries the operator's own labels through.
    #[test]
    fn applied_plan_yields_desired_and_nothing_else(desired in desired(), observed in observed()) {
        let plan = planned(&desired, &observed);
        let after = applied(&observed, request(&plan));
        prop_assert_eq!(&after.display_name, &desired.display_name);
        prop_assert_eq!(&after.environments, desired.environments.as_ref().unwrap_or(&observed.environments));
        let labels = desired.labels.as_ref().map_or_else(|| asked(&observed.labels), asked);
        prop_assert_eq!(asked(&after.labels), labels);
        prop_assert_eq!(own(&after.labels), own(&observed.labels));
        prop_assert_eq!(&after.sdk_type, desired.sdk_type.as_ref().unwrap_or(&observed.sdk_type));
        let secret = desired.client_secret.as_ref().map(|it| &it.value).or(observed.client_secret.as_ref());
        prop_assert_eq!(text(after.client_secret.as_ref()), text(secret));
    }

    /// What a plan brought in line needs no other plan.
    #[test]
    fn plan_after_a_plan_is_in_sync(desired in desired(), observed in observed()) {
        let after = applied(&observed, request(&planned(&desired, &observed)));
        prop_assert!(matches!(planned(&desired, &after), Plan::InSync));
    }

    /// A field that is not managed, or does not differ, is never in the mask; and each change says so.
    #[test]
    fn plan_names_only_managed_fields_that_differ(desired in desired(), observed in observed()) {
        let plan = planned(&desired, &observed);
        prop_assert_eq!(request(&plan).map(CredentialUpdate::mask).unwrap_or_default(), plan.fields());
        for field in plan.fields() {
            let differs = match field {
                Field::DisplayName => desired.display_name != observed.display_name,
                Field::Environments => desired.environments.as_ref().is_some_and(|it| *it != observed.environments),
                Field::Labels => desired.labels.as_ref().is_some_and(|it| asked(it) != asked(&observed.labels)),
                Field::SdkType => desired.sdk_type.as_ref().is_some_and(|it| *it != observed.sdk_type),
                Field::ClientSecret => desired.client_secret.as_ref().is_some_and(|it| {
                    text(observed.client_secret.as_ref()) != Some(it.value.expose_secret())
                }),
            };
            prop_assert!(differs, "{:?}", field);
        }
    }

    /// Environments are a set.
    #[test]
    fn order_and_repeats_of_environments_never_matter(list in proptest::collection::vec("[a-c]", 0..6), seed in any::<u64>()) {
        let observe = |list: &[String]| {
            let text = serde_json::json!({"displayName": "m", "environments": list}).to_string();
            ClientCredential::from_json(text.as_bytes()).unwrap()
        };
        let desired = Desired { environments: Some(list.iter().cloned().collect()), ..named("m") };
        let mut other: Vec<_> = list.iter().chain(&list).cloned().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        prop_assert!(matches!(planned(&desired, &observe(&list)), Plan::InSync));
        prop_assert!(matches!(planned(&desired, &observe(&other)), Plan::InSync));
    }

    /// It moves with every flag that is resolved.
    #[test]
    fn last_seen_time_is_never_drift(desired in desired(), observed in observed(), seen in 0_i64..9) {
        let moved = ClientCredential { last_seen_time: Some(jiff::Timestamp::from_second(seen).unwrap()), ..observed.clone() };
        prop_assert_eq!(planned(&desired, &observed).fields(), planned(&desired, &moved).fields());
    }

    /// A plan is shown to people: no value of a secret is in it, in whatever form it is printed.
    #[test]
    fn changes_never_show_a_secret(observed in observed()) {
        let desired = Desired { client_secret: Some(desired_secret("hunter2", "1")), ..named("m") };
        let returned = ClientCredential { client_secret: Some("hunter3".into()), ..observed };
        let plan = planned(&desired, &returned);
        let shown = plan.changes().iter().map(ToString::to_string).collect::<String>();
        let printed = format!("{shown} {plan:?}");
        prop_assert!(!printed.contains("hunter"));
    }
}

fn named(display_name: &str) -> Desired {
    Desired {
        display_name: display_name.to_owned(),
        environments: None,
        labels: None,
        sdk_type: None,
        client_secret: None,
    }
}

/// A secret that the server withholds, with the times of the credential in milliseconds.
struct Withheld {
    desired: Desired,
    observed: Observation,
    known: SecretKnowledge,
}

impl Withheld {
    /// The Secret is at a version, and the credential was last written then.
    fn new(version: &str, update_time: i64) -> Self {
        let desired = Desired { client_secret: Some(desired_secret("s", version)), ..named("m") };
        let credential = ClientCredential {
            update_time: Some(jiff::Timestamp::from_millisecond(update_time).unwrap()),
            ..ClientCredential::from_json(br#"{"displayName":"m"}"#).unwrap()
        };
        Self { desired, observed: Observation::read(credential), known: SecretKnowledge::default() }
    }

    /// A version was written, and the credential had this time then.
    fn written(self, version: &str, update_time: i64) -> Self {
        let record = ObservedSecret {
            uid: "u".to_owned(),
            resource_version: version.to_owned(),
            key: "k".to_owned(),
            update_time: Some(jiff::Timestamp::from_millisecond(update_time).unwrap().into()),
        };
        Self { known: SecretKnowledge { record: Some(record), ..self.known }, ..self }
    }

    fn fields(&self, policy: DriftPolicy) -> Vec<Field> {
        plan(&self.desired, &self.observed, &self.known, policy).fields()
    }

    fn is_written(&self) -> bool {
        self.fields(DriftPolicy::Correct) == [Field::ClientSecret]
    }
}

/// Nobody can tell whether it is the right one: it is written once.
#[test]
fn withheld_secret_is_written_at_first_sight() {
    assert!(Withheld::new("1", 5).is_written());
    assert!(!Withheld::new("1", 5).written("1", 5).is_written());
}

/// A new version of the Secret is written, unless only its metadata moved.
#[test]
fn withheld_secret_follows_the_version_of_its_value() {
    let mut moved = Withheld::new("2", 5).written("1", 5);
    assert!(moved.is_written());
    moved.known.is_same_value = true;
    assert!(!moved.is_written());
}

/// Another writer may have changed the secret too. The same time in another precision is no other writer.
#[test]
fn withheld_secret_is_rewritten_after_another_writer() {
    assert!(Withheld::new("1", 6).written("1", 5).is_written());
    let mut precise = Withheld::new("1", 5).written("1", 5);
    let time = |text: &str| Some(text.parse().unwrap());
    for (observed, recorded, is_same) in [
        ("2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.123456789Z", true),
        ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123456789Z", true),
        ("2026-01-01T00:00:00.124Z", "2026-01-01T00:00:00.123456789Z", true),
        ("2026-01-01T00:00:00.125Z", "2026-01-01T00:00:00.123456789Z", false),
        ("2026-01-01T00:00:00.123457Z", "2026-01-01T00:00:00.123456Z", false),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", false),
    ] {
        precise.observed.credential.update_time = time(observed);
        precise.known.record.as_mut().unwrap().update_time = Some(crate::api::status::Time(time(recorded).unwrap()));
        assert_eq!(precise.is_written(), !is_same, "{observed} {recorded}");
    }
}

/// A server whose responses show the state before a write would have the secret written at every interval.
#[test]
fn rewrite_that_shows_late_is_not_repeated() {
    let mut late = Withheld::new("1", 6).written("1", 5);
    late.known.is_rewrite_unconfirmed = true;
    assert!(!late.is_written(), "the same writer as before: ourselves");
    late.observed.credential.updater = Some("identities/other".to_owned());
    assert!(late.is_written(), "it was somebody else");
}

/// Observing by an update moves `updateTime` itself.
#[test]
fn update_time_of_an_update_tells_of_nobody() {
    let mut observed = Withheld::new("1", 6).written("1", 5);
    observed.observed.method = Method::Update;
    assert!(!observed.is_written());
}

/// A difference that nobody saw is not reported.
#[test]
fn report_never_calls_an_uncompared_secret_different() {
    assert!(Withheld::new("1", 6).fields(DriftPolicy::Report).is_empty());
    assert!(Withheld::new("1", 6).written("1", 5).fields(DriftPolicy::Report).is_empty());
}

/// Our own write moves `updateTime`, which alone tells of another writer: so a write needs a fresh read first.
#[test]
fn cached_observation_hides_no_other_writer() {
    let mut cached = Withheld::new("1", 5).written("1", 5);
    cached.observed.method = Method::Cached;
    cached.desired.display_name = "n".to_owned();
    let planned = |it: &Withheld| plan(&it.desired, &it.observed, &it.known, DriftPolicy::Correct);
    assert!(matches!(planned(&cached), Plan::NeedsFreshRead));
    cached.observed.method = Method::Read;
    assert_eq!(planned(&cached).fields(), [Field::DisplayName]);
    cached.observed.method = Method::Cached;
    cached.desired.client_secret = None;
    assert_eq!(planned(&cached).fields(), [Field::DisplayName], "without a secret there is nothing to hide");
}
