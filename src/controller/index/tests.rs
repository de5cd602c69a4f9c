//! The index.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::ConfidenceClientCredentialSpec;
use crate::api::spec::{ClientSecret, SecretKeyRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const MINUTE: Duration = Duration::from_mins(1);

const CREDENTIAL: &str = "clients/c/credentials/k";

fn object(name: &str, created: i64, credential: &str) -> ConfidenceClientCredential {
    let spec = ConfidenceClientCredentialSpec {
        name: Some(credential.to_owned()),
        ..ConfidenceClientCredentialSpec::default()
    };
    let mut object = ConfidenceClientCredential::new(name, spec);
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
    object
}

fn key(name: &str) -> Key {
    Key::new("ns", name)
}

fn apply(index: &Index, object: &ConfidenceClientCredential) -> Vec<Key> {
    index.apply(&Key::of(object), object)
}

fn owner(index: &Index, asking: &str) -> Option<Key> {
    index.other_owner(&CREDENTIAL.parse().unwrap(), &key(asking))
}

#[test]
fn the_older_resource_owns_the_credential_in_whichever_order_they_appear() {
    for order in [["old", "young"], ["young", "old"]] {
        let index = Index::new(MINUTE);
        for name in order {
            apply(&index, &object(name, if name == "old" { 1 } else { 2 }, "clients/c/clientCredentials/k"));
        }
        assert_eq!(owner(&index, "old"), None);
        assert_eq!(owner(&index, "young"), Some(key("old")));
    }
}

#[test]
fn a_rival_is_whoever_names_what_another_owns() {
    let index = Index::new(MINUTE);
    apply(&index, &object("young", 2, CREDENTIAL));
    assert!(index.rivals().is_empty());
    apply(&index, &object("old", 1, CREDENTIAL));
    apply(&index, &object("alone", 1, "clients/c/credentials/other"));
    assert_eq!(index.rivals(), [key("young")]);
}

#[test]
fn of_the_same_age_the_first_by_name_owns_it() {
    let index = Index::new(MINUTE);
    apply(&index, &object("b", 1, CREDENTIAL));
    apply(&index, &object("a", 1, CREDENTIAL));
    assert_eq!(owner(&index, "b"), Some(key("a")));
}

#[test]
fn the_next_is_named_when_the_owner_goes_and_nobody_when_another_goes() {
    let index = Index::new(MINUTE);
    for (name, created) in [("a", 1), ("b", 2), ("c", 3)] {
        apply(&index, &object(name, created, CREDENTIAL));
    }
    assert!(index.delete(&key("c")).is_empty());
    assert_eq!(index.delete(&key("a")), [key("b")]);
    assert_eq!(owner(&index, "b"), None);
}

#[test]
fn an_owner_that_an_older_one_displaces_is_told() {
    let index = Index::new(MINUTE);
    assert!(apply(&index, &object("young", 2, CREDENTIAL)).is_empty());
    assert_eq!(apply(&index, &object("old", 1, CREDENTIAL)), [key("young")]);
}

#[test]
fn a_change_that_leaves_the_claims_as_they_are_names_nobody() {
    let index = Index::new(MINUTE);
    apply(&index, &object("a", 1, CREDENTIAL));
    apply(&index, &object("b", 2, CREDENTIAL));
    assert!(apply(&index, &object("a", 1, CREDENTIAL)).is_empty());
    assert!(apply(&index, &object("b", 2, CREDENTIAL)).is_empty());
}

fn user_of_s() -> ConfidenceClientCredential {
    let mut user = object("a", 1, CREDENTIAL);
    user.spec.client_secret =
        Some(ClientSecret { secret_key_ref: SecretKeyRef { name: "s".to_owned(), key: "k".to_owned() } });
    user
}

fn index_with_user() -> Index {
    let index = Index::new(MINUTE);
    apply(&index, &user_of_s());
    index
}

#[test]
fn a_version_that_was_read_is_no_news_and_another_is_once() {
    let index = index_with_user();
    assert!(!index.secret_read("ns", "s", Some("1")));
    assert!(index.secret_changed("ns", "s", Some("1")).is_empty());
    assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
    assert!(index.secret_changed("ns", "s", Some("2")).is_empty());
    assert_eq!(index.secret_changed("ns", "s", None), [key("a")]);
    assert!(index.secret_changed("ns", "other", Some("1")).is_empty());
    assert!(index.secret_changed("other", "s", Some("1")).is_empty());
    index.delete(&key("a"));
    assert!(index.secret_changed("ns", "s", Some("3")).is_empty());
}

#[test]
fn before_the_first_pass_has_read_a_secret_the_watch_has_no_news_of_it() {
    let index = index_with_user();
    assert!(index.secret_changed("ns", "s", Some("1")).is_empty());
    assert!(!index.secret_read("ns", "s", Some("1")));
    assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
}

#[test]
fn a_version_that_the_watch_named_while_another_was_read_is_looked_for_again() {
    let index = index_with_user();
    assert!(index.secret_changed("ns", "s", Some("2")).is_empty());
    assert!(index.secret_read("ns", "s", Some("1")), "2 may be newer than what was read");
    assert!(!index.secret_read("ns", "s", Some("2")));
}

#[test]
fn another_version_than_the_one_that_a_resource_was_found_in_order_with_is_news() {
    let index = index_with_user();
    index.secret_served(&key("a"));
    assert!(index.secret_changed("ns", "s", Some("1")).is_empty(), "nothing was known of it");
    index.secret_served(&key("a"));
    assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
}

#[test]
fn a_secret_that_comes_after_it_was_missed_is_news() {
    let index = index_with_user();
    assert!(!index.secret_read("ns", "s", None));
    assert_eq!(index.secret_changed("ns", "s", Some("1")), [key("a")]);
}

#[test]
fn a_status_of_the_user_changes_nothing_of_what_is_known() {
    let index = index_with_user();
    index.secret_read("ns", "s", Some("1"));
    apply(&index, &user_of_s());
    assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
}

fn group(interval: Duration) -> Group {
    Group { client: "c".into(), interval }
}

#[tokio::test]
async fn a_group_is_new_once_and_again_after_it_was_left_empty() {
    let index = Index::new(MINUTE);
    apply(&index, &object("a", 1, CREDENTIAL));
    assert_eq!(index.new_groups().await, [group(MINUTE)]);
    assert!(index.group_goes_on(&group(MINUTE)));
    index.delete(&key("a"));
    assert!(!index.group_goes_on(&group(MINUTE)));
    apply(&index, &object("b", 1, CREDENTIAL));
    assert_eq!(index.new_groups().await, [group(MINUTE)]);
}

#[test]
fn the_members_of_a_group_are_the_owners_with_its_interval_that_are_not_suspended() {
    let index = Index::new(MINUTE);
    let mut often = object("often", 1, "clients/c/credentials/2");
    often.spec.interval = Some("1s".to_owned());
    let mut suspended = object("suspended", 1, "clients/c/credentials/3");
    suspended.spec.suspend = true;
    let elsewhere = object("elsewhere", 1, "clients/other/credentials/4");
    for object in [object("a", 1, CREDENTIAL), object("loser", 2, CREDENTIAL), often, suspended, elsewhere] {
        apply(&index, &object);
    }
    assert_eq!(index.members(&group(MINUTE)), [key("a")]);
    assert_eq!(index.members(&group(Duration::from_secs(1))), [key("often")]);
    assert_eq!(index.owner("c", "3"), Some(key("suspended")), "a suspended resource still owns its credential");
}
