//! What the server answers to a request that is not a watch.

use axum::body::Body;
use http::{Method, Response};
use serde_json::{Value, json};

use super::apply::apply;
use super::store::{Kind, Store, merge};
use super::{Asked, Lost, Write};

/// Answers, and tells of a write that is carried out.
pub fn answer(store: &mut Store, asked: &Asked, on_write: impl Fn(Write<'_>)) -> Result<Response<Body>, Lost> {
    let answer = match (&asked.method, &asked.name) {
        (&Method::GET, None) => Ok(list(store, asked)),
        (&Method::GET, Some(name)) => get(store, asked, name),
        (&Method::POST, None) => create(store, asked, on_write),
        (&Method::PUT, Some(name)) if asked.is_status => update_status(store, asked, name, on_write),
        (&Method::PUT, Some(name)) => update(store, asked, name, on_write),
        (&Method::PATCH, Some(name)) if asked.is_apply => apply_secret(store, asked, name, on_write),
        (&Method::PATCH, Some(name)) => patch_metadata(store, asked, name, on_write),
        (&Method::DELETE, Some(name)) => delete(store, asked, name, on_write),
        (method, _) => panic!("the operator asked for {method} of {:?}", asked.kind),
    };
    let (code, body) = match answer {
        Ok(object) => (200, object),
        Err((code, reason)) => (code, failure(code, reason)),
    };
    Ok(Response::builder().status(code).body(Body::from(body.to_string()))?)
}

/// A `Status` that tells of a failure.
pub fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason,
        "code": code})
}

/// What of an object is given.
pub fn seen(object: &Value, metadata_only: bool) -> Value {
    if metadata_only {
        return json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]});
    }
    object.clone()
}

pub type Answer = Result<Value, (u16, &'static str)>;

const NOT_FOUND: (u16, &str) = (404, "NotFound");
pub const CONFLICT: (u16, &str) = (409, "Conflict");

fn list(store: &Store, asked: &Asked) -> Value {
    let (api_version, kind) = asked.kind.names();
    let items: Vec<Value> = store.list(asked.kind).map(|it| seen(it, asked.metadata_only)).collect();
    let metadata = json!({"resourceVersion": store.version().to_string()});
    json!({"apiVersion": api_version, "kind": format!("{kind}List"), "metadata": metadata, "items": items})
}

fn get(store: &Store, asked: &Asked, name: &str) -> Answer {
    store.get(asked.kind, name).map(|it| seen(it, asked.metadata_only)).ok_or(NOT_FOUND)
}

fn create(store: &mut Store, asked: &Asked, on_write: impl Fn(Write<'_>)) -> Answer {
    let name = asked.body["metadata"]["name"].as_str().unwrap();
    let mut object = store.new_object(asked.kind, name);
    merge(&mut object, &asked.body);
    if asked.kind == Kind::Event {
        on_write(Write { kind: asked.kind, name, before: &Value::Null, after: &object, holder: store.holder() });
        return Ok(object);
    }
    if store.get(asked.kind, name).is_some() {
        return Err((409, "AlreadyExists"));
    }
    if asked.is_dry_run {
        return Ok(object);
    }
    on_write(Write { kind: asked.kind, name, before: &Value::Null, after: &object, holder: store.holder() });
    Ok(store.replace(asked.kind, name, object))
}

fn update(store: &mut Store, asked: &Asked, name: &str, on_write: impl Fn(Write<'_>)) -> Answer {
    let old = store.get(asked.kind, name).ok_or(NOT_FOUND)?;
    if old["metadata"]["resourceVersion"] != asked.body["metadata"]["resourceVersion"] {
        return Err(CONFLICT);
    }
    Ok(write(store, asked, name, asked.body.clone(), on_write))
}

/// A PUT of the status alone. As with the real one, uid and resourceVersion are preconditions, and the rest is ignored.
fn update_status(store: &mut Store, asked: &Asked, name: &str, on_write: impl Fn(Write<'_>)) -> Answer {
    let old = store.get(asked.kind, name).ok_or(NOT_FOUND)?;
    let differs = |field: &str| asked.body["metadata"][field] != old["metadata"][field];
    if differs("uid") || differs("resourceVersion") {
        return Err(CONFLICT);
    }
    let mut object = old.clone();
    object["status"] = asked.body["status"].clone();
    Ok(write(store, asked, name, object, on_write))
}

fn write(store: &mut Store, asked: &Asked, name: &str, object: Value, on_write: impl Fn(Write<'_>)) -> Value {
    if asked.is_dry_run {
        return object;
    }
    let before = store.get(asked.kind, name).unwrap_or(&Value::Null);
    on_write(Write { kind: asked.kind, name, before, after: &object, holder: store.holder() });
    store.replace(asked.kind, name, object)
}

fn apply_secret(store: &mut Store, asked: &Asked, name: &str, on_write: impl Fn(Write<'_>)) -> Answer {
    assert!(asked.kind == Kind::Secret && asked.body["metadata"]["name"] == name, "only Secrets are applied");
    let manager = asked.manager.as_deref().expect("an apply names its manager");
    let live = store.get(asked.kind, name);
    let object = apply(live, store.new_object(asked.kind, name), &asked.body, manager, asked.is_forced)?;
    if live == Some(&object) {
        return Ok(object);
    }
    Ok(write(store, asked, name, object, on_write))
}

/// A merge patch of the metadata alone. As with the real one, uid and resourceVersion are preconditions, an object that is
/// being deleted takes no new finalizer, and goes with its last one.
fn patch_metadata(store: &mut Store, asked: &Asked, name: &str, on_write: impl Fn(Write<'_>)) -> Answer {
    let old = store.get(asked.kind, name).ok_or(NOT_FOUND)?;
    let patch = asked.body["metadata"].as_object().expect("only metadata is patched");
    assert!(asked.body.as_object().unwrap().len() == 1, "only metadata is patched: {}", asked.body);
    let differs = |field: &str| patch.get(field).is_some_and(|it| *it != old["metadata"][field]);
    if differs("uid") || differs("resourceVersion") {
        return Err(CONFLICT);
    }
    let mut object = old.clone();
    merge(&mut object, &asked.body);
    let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let before = finalizers(old);
    if !old["metadata"]["deletionTimestamp"].is_null() && finalizers(&object).iter().any(|it| !before.contains(it)) {
        return Err((422, "Invalid"));
    }
    if object == *old {
        return Ok(object);
    }
    Ok(write(store, asked, name, object, on_write))
}

fn delete(store: &mut Store, asked: &Asked, name: &str, on_write: impl Fn(Write<'_>)) -> Answer {
    let old = store.get(asked.kind, name).ok_or(NOT_FOUND)?;
    let precondition = |field: &str| asked.body["preconditions"].get(field);
    let differs = |field: &str| precondition(field).is_some_and(|it| *it != old["metadata"][field]);
    if differs("uid") || differs("resourceVersion") {
        return Err(CONFLICT);
    }
    on_write(Write { kind: asked.kind, name, before: old, after: &Value::Null, holder: store.holder() });
    store.delete(asked.kind, name);
    Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}))
}
