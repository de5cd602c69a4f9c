//! The plan, by its properties for all inputs and by name where a rule is worth a sentence.
#![allow(clippy::unwrap_used)]

use proptest::option::of;
use proptest::prelude::*;

use super::*;

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

fn environments() -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set("[a-c]", 0..4)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[a-c]", "[xy]", 0..3)
}

fn sdk_type() -> impl Strategy<Value = SdkType> {
    prop_oneof![Just(SdkType::Unspecified), Just(SdkType::Backend), Just(SdkType::Frontend)]
}

fn secret() -> impl Strategy<Value = DesiredSecret> {
    ("[st]", "[12]").prop_map(|(value, version)| DesiredSecret {
        value: value.into(),
        uid: "u".to_owned(),
        resource_version: version,
        key: "k".to_owned(),
    })
}

prop_compose! {
    fn desired()(
        display_name in "[mn]", environments in of(environments()), labels in of(labels()), sdk_type in of(sdk_type()),
        client_secret in of(secret()),
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

fn told(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}

const FRESH: Knowledge<'static> =
    Knowledge { look: Look::Read, policy: DriftPolicy::Correct, written: None, same_value: false };

proptest! {
    #[test]
    fn applying_a_plan_yields_the_desired_on_managed_fields_and_changes_nothing_else(desired in desired(), observed in observed()) {
        let plan = plan(&desired, &observed, FRESH);
        let after = applied(&observed, plan.update());
        prop_assert_eq!(&after.display_name, &desired.display_name);
        prop_assert_eq!(&after.environments, desired.environments.as_ref().unwrap_or(&observed.environments));
        prop_assert_eq!(&after.labels, desired.labels.as_ref().unwrap_or(&observed.labels));
        prop_assert_eq!(&after.sdk_type, desired.sdk_type.as_ref().unwrap_or(&observed.sdk_type));
        let secret = desired.client_secret.as_ref().map(|it| &it.value).or(observed.client_secret.as_ref());
        prop_assert_eq!(told(after.client_secret.as_ref()), told(secret));
    }

    #[test]
    fn the_plan_after_a_plan_is_empty(desired in desired(), observed in observed()) {
        let after = applied(&observed, plan(&desired, &observed, FRESH).update());
        prop_assert!(plan(&desired, &after, FRESH).is_empty());
    }

    #[test]
    fn a_plan_names_a_field_only_if_it_is_managed_and_differs(desired in desired(), observed in observed()) {
        for field in plan(&desired, &observed, FRESH).drift() {
            let differs = match field {
                Field::DisplayName => desired.display_name != observed.display_name,
                Field::Environments => desired.environments.as_ref().is_some_and(|it| *it != observed.environments),
                Field::Labels => desired.labels.as_ref().is_some_and(|it| *it != observed.labels),
                Field::SdkType => desired.sdk_type.as_ref().is_some_and(|it| *it != observed.sdk_type),
                Field::ClientSecret => desired.client_secret.as_ref().is_some_and(|it| {
                    told(observed.client_secret.as_ref()) != Some(it.value.expose_secret())
                }),
            };
            prop_assert!(differs, "{field:?}");
        }
    }

    #[test]
    fn order_and_repeats_in_environments_never_matter(list in proptest::collection::vec("[a-c]", 0..6), seed in any::<u64>()) {
        let observe = |list: &[String]| {
            let text = serde_json::json!({"displayName": "m", "environments": list}).to_string();
            ClientCredential::from_json(text.as_bytes()).unwrap()
        };
        let desired = Desired {
            display_name: "m".to_owned(), environments: Some(list.iter().cloned().collect()), labels: None, sdk_type: None, client_secret: None,
        };
        let mut other: Vec<_> = list.iter().chain(&list).cloned().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        prop_assert!(plan(&desired, &observe(&list), FRESH).is_empty());
        prop_assert!(plan(&desired, &observe(&other), FRESH).is_empty());
    }

    #[test]
    fn last_seen_time_is_never_drift(desired in desired(), observed in observed(), seen in 0_i64..9) {
        let moved = ClientCredential { last_seen_time: Some(jiff::Timestamp::from_second(seen).unwrap()), ..observed.clone() };
        prop_assert_eq!(plan(&desired, &observed, FRESH).drift(), plan(&desired, &moved, FRESH).drift());
    }
}

/// A secret that the server withholds, and a record of having written it.
fn withheld(version: &str, update_time: i64) -> (Desired, ClientCredential) {
    let desired = Desired {
        display_name: "m".to_owned(),
        environments: None,
        labels: None,
        sdk_type: None,
        client_secret: Some(DesiredSecret {
            value: "s".into(),
            uid: "u".to_owned(),
            resource_version: version.to_owned(),
            key: "k".to_owned(),
        }),
    };
    let text = serde_json::json!({"displayName": "m", "updateTime": {"seconds": update_time}}).to_string();
    (desired, ClientCredential::from_json(text.as_bytes()).unwrap())
}

fn record(version: &str, update_time: i64) -> ObservedSecret {
    ObservedSecret {
        uid: "u".to_owned(),
        resource_version: version.to_owned(),
        key: "k".to_owned(),
        update_time: Some(jiff::Timestamp::from_second(update_time).unwrap().into()),
    }
}

#[test]
fn a_withheld_secret_is_written_at_first_sight_and_then_left_alone() {
    let (desired, observed) = withheld("1", 5);
    assert_eq!(plan(&desired, &observed, FRESH).drift(), [Field::ClientSecret]);
    let written = record("1", 5);
    assert!(plan(&desired, &observed, Knowledge { written: Some(&written), ..FRESH }).is_empty());
}

#[test]
fn a_withheld_secret_is_written_again_when_its_version_moved_unless_the_value_is_known_to_be_the_same() {
    let (desired, observed) = withheld("2", 5);
    let written = record("1", 5);
    let knowledge = Knowledge { written: Some(&written), ..FRESH };
    assert_eq!(plan(&desired, &observed, knowledge).drift(), [Field::ClientSecret]);
    assert!(plan(&desired, &observed, Knowledge { same_value: true, ..knowledge }).is_empty());
}

#[test]
fn a_withheld_secret_is_written_again_when_somebody_else_wrote_the_credential() {
    let (desired, observed) = withheld("1", 6);
    let written = record("1", 5);
    let knowledge = Knowledge { written: Some(&written), ..FRESH };
    assert_eq!(plan(&desired, &observed, knowledge).drift(), [Field::ClientSecret]);
}

#[test]
fn update_time_says_nothing_where_looking_is_itself_an_update() {
    let (desired, observed) = withheld("1", 6);
    let written = record("1", 5);
    let knowledge = Knowledge { written: Some(&written), look: Look::Update, ..FRESH };
    assert!(plan(&desired, &observed, knowledge).is_empty());
}

#[test]
fn under_report_a_withheld_secret_that_was_never_compared_is_not_called_different() {
    let (desired, observed) = withheld("1", 6);
    let report = Knowledge { policy: DriftPolicy::Report, ..FRESH };
    assert!(plan(&desired, &observed, report).is_empty());
    let written = record("1", 5);
    assert!(plan(&desired, &observed, Knowledge { written: Some(&written), ..report }).is_empty());
}
