//! The lifecycle by example, by its properties, and in a model of the world.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;

mod model;

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
