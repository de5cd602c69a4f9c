//! What is known of a credential, and what counts no more.
#![allow(clippy::unwrap_used)]

use super::*;

fn key() -> Key {
    Key::new("shop", "web")
}

fn credential(name: &str, update_time: i64) -> ClientCredential {
    let time = jiff::Timestamp::from_second(update_time).unwrap();
    let json = serde_json::json!({"displayName": name, "updateTime": time.to_string()});
    ClientCredential::from_json(json.to_string().as_bytes()).unwrap()
}

fn put(cache: &ObservationCache, name: &str, update_time: i64, at: Instant) -> Age {
    cache.put(&key(), Observation::read(credential(name, update_time)), at)
}

/// A cache that knows one resource, whose credential was observed with this name.
fn observed(name: &str) -> ObservationCache {
    let cache = ObservationCache::new();
    cache.apply(&key(), "uid");
    put(&cache, name, 1, Instant::now());
    cache
}

fn name(cache: &ObservationCache) -> Option<String> {
    cache.get(&key(), Duration::MAX).map(|(observation, _)| observation.credential.display_name)
}

/// A lost answer, a resumed resource and the annotation all ask for a fresh read.
#[tokio::test(start_paused = true)]
async fn invalidated_observation_counts_no_more() {
    let cache = observed("x");
    let before = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    cache.invalidate(&key());
    assert_eq!(name(&cache), None);
    assert_eq!(put(&cache, "late", 2, before), Age::Older, "it was asked for before");
    assert_eq!(put(&cache, "new", 2, Instant::now()), Age::New);
    assert_eq!(name(&cache).as_deref(), Some("new"));
}

/// It may name another credential.
#[tokio::test(start_paused = true)]
async fn recreated_resource_inherits_no_observation() {
    let cache = observed("x");
    cache.apply(&key(), "uid");
    assert_eq!(name(&cache).as_deref(), Some("x"));
    cache.apply(&key(), "another");
    assert_eq!(name(&cache), None);
}

/// Nothing stays behind for resources that are gone.
#[tokio::test(start_paused = true)]
async fn gone_resource_keeps_no_entry() {
    let cache = observed("x");
    cache.remove(&key());
    assert_eq!(put(&cache, "y", 2, Instant::now()), Age::Older);
    assert!(!cache.has_one(&key()));
}

/// An observation is as old as its read.
#[tokio::test(start_paused = true)]
async fn old_observation_is_not_returned() {
    let cache = observed("x");
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(cache.get(&key(), Duration::from_secs(10)).is_some());
    assert!(cache.get(&key(), Duration::from_secs(9)).is_none());
}

/// Reads may come from a replica of the server that lags; after a minute an earlier time is the truth, restored from a
/// backup.
#[tokio::test(start_paused = true)]
async fn earlier_update_time_is_believed_after_a_minute() {
    let cache = observed("x");
    put(&cache, "written", 5, Instant::now());
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(put(&cache, "lagging", 4, Instant::now()), Age::Older);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(put(&cache, "restored", 2, Instant::now()), Age::New);
    assert_eq!(name(&cache).as_deref(), Some("restored"));
}

/// A page that was asked for before our own write shows the state before it.
#[tokio::test(start_paused = true)]
async fn own_write_wins_over_an_older_page() {
    let cache = observed("x");
    let page = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    put(&cache, "written", 5, Instant::now());
    assert_eq!(put(&cache, "stale", 5, page), Age::Older);
    assert_eq!(put(&cache, "written", 5, Instant::now()), Age::Same);
}

/// Only a read of the credential itself tells whether it is gone.
#[tokio::test(start_paused = true)]
async fn missing_credential_is_read_again() {
    let cache = observed("x");
    cache.set_missing(&key());
    assert!(cache.is_missing(&key()));
    assert_eq!(name(&cache), None);
    put(&cache, "x", 1, Instant::now());
    assert!(!cache.is_missing(&key()));
}
