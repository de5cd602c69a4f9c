//! Server-side apply, and who owns which field: for the data, labels and annotations of a Secret.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::answer::{Answer, CONFLICT};

/// The maps whose entries have owners.
const MAPS: [&[&str]; 3] = [&["data"], &["metadata", "labels"], &["metadata", "annotations"]];

/// An entry of one of the maps: its path.
type Field = (usize, String);

/// The object that comes of an apply by a manager; the fields of others are theirs unless it is forced.
pub fn apply(live: Option<&Value>, fresh: Value, applied: &Value, manager: &str, force: bool) -> Answer {
    let precondition = |field: &str| {
        let asked = &applied["metadata"][field];
        asked.is_null() || live.is_some_and(|live| live["metadata"][field] == *asked)
    };
    if !precondition("uid") || !precondition("resourceVersion") {
        return Err(CONFLICT);
    }
    let mut object = live.cloned().unwrap_or(fresh);
    let wanted = fields(applied);
    let differs = |field: &Field| value(&object, field) != value(applied, field);
    let is_others =
        |field: &Field| owners(&object).iter().any(|(owner, _, owned)| owner != manager && owned.contains(field));
    let taken: BTreeSet<Field> = wanted.iter().filter(|field| differs(field) && is_others(field)).cloned().collect();
    if !taken.is_empty() && !force {
        return Err(CONFLICT);
    }
    let mut all = owners(&object);
    let is_ours = |owner: &str, operation: &str| owner == manager && operation == "Apply";
    let before: BTreeSet<Field> = all
        .iter()
        .filter(|(owner, operation, _)| is_ours(owner, operation))
        .flat_map(|(.., owned)| owned.clone())
        .collect();
    all.retain(|(owner, operation, _)| !is_ours(owner, operation));
    for (_, _, owned) in &mut all {
        owned.retain(|field| !taken.contains(field));
    }
    for field in before.difference(&wanted).filter(|field| all.iter().all(|(.., owned)| !owned.contains(field))) {
        set(&mut object, field, None);
    }
    for field in &wanted {
        set(&mut object, field, value(applied, field).cloned());
    }
    all.push((manager.to_owned(), "Apply".to_owned(), wanted));
    set_owners(&mut object, all);
    Ok(object)
}

/// The object that comes of a write that is no apply: its author owns what it changes.
pub fn owned_update(before: &Value, mut after: Value, manager: &str) -> Value {
    let touched = fields(before).into_iter().chain(fields(&after));
    let changed: BTreeSet<Field> = touched.filter(|field| value(before, field) != value(&after, field)).collect();
    let mut all = owners(before);
    for (_, _, owned) in &mut all {
        owned.retain(|field| !changed.contains(field));
    }
    let there: BTreeSet<Field> = changed.into_iter().filter(|field| value(&after, field).is_some()).collect();
    match all.iter_mut().find(|(owner, operation, _)| owner == manager && operation == "Update") {
        Some((.., owned)) => owned.extend(there),
        None => all.push((manager.to_owned(), "Update".to_owned(), there)),
    }
    set_owners(&mut after, all);
    after
}

fn map<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    path.iter().fold(object, |object, field| &object[*field]).as_object()
}

fn fields(object: &Value) -> BTreeSet<Field> {
    let of_map = |(index, path): (usize, &&[&str])| {
        let keys = map(object, path).into_iter().flat_map(|it| it.keys());
        keys.map(move |key| (index, key.clone())).collect::<Vec<_>>()
    };
    MAPS.iter().enumerate().flat_map(of_map).collect()
}

fn value<'a>(object: &'a Value, (index, key): &Field) -> Option<&'a Value> {
    map(object, MAPS[*index])?.get(key)
}

fn set(object: &mut Value, (index, key): &Field, value: Option<Value>) {
    let there = MAPS[*index].iter().fold(object, |object, field| &mut object[*field]);
    match (value, there.is_object()) {
        (None, true) => drop(there.as_object_mut().unwrap().remove(key)),
        (None, false) => {}
        (Some(value), _) => there[key.as_str()] = value,
    }
}

fn owners(object: &Value) -> Vec<(String, String, BTreeSet<Field>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| {
        let owned = |(index, path): (usize, &&[&str])| {
            let marked: Vec<String> = path.iter().map(|it| format!("f:{it}")).collect();
            let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
            let keys: Vec<String> =
                map(&entry["fieldsV1"], &marked).into_iter().flat_map(|it| it.keys().cloned()).collect();
            keys.into_iter().map(move |key| (index, key.strip_prefix("f:").unwrap().to_owned()))
        };
        let owned = MAPS.iter().enumerate().flat_map(owned).collect();
        (text(&entry["manager"]), text(&entry["operation"]), owned)
    };
    object["metadata"]["managedFields"].as_array().into_iter().flatten().map(entry).collect()
}

fn set_owners(object: &mut Value, all: Vec<(String, String, BTreeSet<Field>)>) {
    let entry = |(manager, operation, owned): (String, String, BTreeSet<Field>)| {
        let mut fields = json!({});
        for (index, key) in owned {
            let there = MAPS[index].iter().fold(&mut fields, |fields, it| &mut fields[format!("f:{it}")]);
            there[format!("f:{key}")] = json!({});
        }
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let entries = all.into_iter().filter(|(.., owned)| !owned.is_empty()).map(entry).collect();
    object["metadata"]["managedFields"] = Value::Array(entries);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Value {
        json!({"metadata": {"name": "s"}, "data": {"clientSecret": value}})
    }

    fn keys_of<'a>(object: &'a Value, manager: &str) -> Vec<&'a str> {
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        let entry = entries.iter().find(|it| it["manager"] == manager);
        entry
            .and_then(|it| it["fieldsV1"]["f:data"].as_object())
            .into_iter()
            .flat_map(|it| it.keys().map(String::as_str))
            .collect()
    }

    /// As the real one answers: 409 without force, and with it the key changes hands.
    #[test]
    fn edited_key_is_taken_back_by_force_alone() {
        let ours = apply(None, secret("x"), &secret("a"), "us", false).unwrap();
        let mut edited = ours.clone();
        edited["data"]["clientSecret"] = json!("b");
        let edited = owned_update(&ours, edited, "them");
        assert_eq!((keys_of(&edited, "us"), keys_of(&edited, "them")), (vec![], vec!["f:clientSecret"]));
        assert_eq!(apply(Some(&edited), Value::Null, &secret("a"), "us", false).unwrap_err().0, 409);
        let forced = apply(Some(&edited), Value::Null, &secret("a"), "us", true).unwrap();
        assert_eq!((keys_of(&forced, "us"), keys_of(&forced, "them")), (vec!["f:clientSecret"], vec![]));
    }

    /// The key of others stays, one of ours that is asked for no more goes.
    #[test]
    fn keys_left_out_go_if_nobody_else_owns_them() {
        let ours = apply(None, json!({"metadata": {"name": "s"}}), &secret("a"), "us", false).unwrap();
        let mut added = ours.clone();
        added["data"]["theirs"] = json!("b");
        let added = owned_update(&ours, added, "them");
        let renamed = json!({"metadata": {"name": "s"}, "data": {"other": "a"}});
        let after = apply(Some(&added), Value::Null, &renamed, "us", true).unwrap();
        assert_eq!(after["data"], json!({"other": "a", "theirs": "b"}));
    }

    #[test]
    fn another_version_is_a_conflict() {
        let mut live = secret("a");
        live["metadata"]["resourceVersion"] = json!("2");
        let mut asked = secret("b");
        asked["metadata"]["resourceVersion"] = json!("1");
        assert_eq!(apply(Some(&live), Value::Null, &asked, "us", true).unwrap_err().0, 409);
    }
}
