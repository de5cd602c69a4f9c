//! Argo CD's judgement and its actions: the scripts in `deploy/argocd`, run as Argo CD runs them.

use std::collections::BTreeMap;

use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib, Table};
use serde_json::Value;

/// The health check as users install it.
pub const SCRIPT: &str = include_str!("../../../deploy/argocd/health.lua");

/// Says which actions are offered.
pub const DISCOVERY: &str = include_str!("../../../deploy/argocd/actions/discovery.lua");

/// The actions by name, as users install them.
pub const ACTIONS: [(&str, &str); 4] = [
    ("reconcile", include_str!("../../../deploy/argocd/actions/reconcile.lua")),
    ("rotate", include_str!("../../../deploy/argocd/actions/rotate.lua")),
    ("suspend", include_str!("../../../deploy/argocd/actions/suspend.lua")),
    ("resume", include_str!("../../../deploy/argocd/actions/resume.lua")),
];

/// What Argo CD shows for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `Healthy`, `Progressing`, `Degraded` or `Suspended`.
    pub status: String,
    /// What it shows beside it.
    pub message: String,
}

/// Judges an object.
///
/// # Errors
/// Where the script fails, or answers what Argo CD does not take.
pub fn health(object: &Value) -> crate::Result<Health> {
    let health = run(SCRIPT, object).map_err(|error| format!("health.lua: {error}"))?;
    // More there are, `Missing` and `Unknown`, but not for a script to say.
    if !["Healthy", "Progressing", "Degraded", "Suspended"].contains(&health.status.as_str()) {
        return Err(format!("health.lua: {:?} is no health that Argo CD knows", health.status));
    }
    Ok(health)
}

/// The actions that can be chosen for an object.
///
/// # Errors
/// Where the script fails, or answers what Argo CD does not take.
pub fn actions(object: &Value) -> crate::Result<Vec<&'static str>> {
    let run = || -> mlua::Result<BTreeMap<String, BTreeMap<String, bool>>> {
        let lua = lua(StdLib::TABLE, object)?;
        lua.from_value(lua.load(DISCOVERY).set_name("discovery.lua").eval()?)
    };
    let offered = run().map_err(|error| format!("discovery.lua: {error}"))?;
    let is_enabled = |name: &str| offered.get(name).is_some_and(|it| it.get("disabled") != Some(&true));
    Ok(ACTIONS.map(|(name, _)| name).into_iter().filter(|name| is_enabled(name)).collect())
}

/// The object after an action.
///
/// # Errors
/// Where there is no such action, or its script fails.
pub fn act(name: &str, object: &Value) -> crate::Result<Value> {
    let (_, script) = ACTIONS.iter().find(|(action, _)| *action == name).ok_or("no such action")?;
    let run = || -> mlua::Result<Value> {
        // An action may ask for `os`, of which Argo CD leaves the clock.
        let lua = lua(StdLib::TABLE | StdLib::OS, object)?;
        let os: Table = lua.globals().get("os")?;
        let clock = lua.create_table_from([("date", os.get::<mlua::Function>("date")?), ("time", os.get("time")?)])?;
        lua.globals().set("os", mlua::Nil)?;
        let require = lua.create_function(move |_, name: String| {
            (name == "os").then(|| clock.clone()).ok_or_else(|| mlua::Error::external(format!("no library {name}")))
        })?;
        lua.globals().set("require", require)?;
        lua.from_value(lua.load(*script).set_name(name).eval()?)
    };
    run().map_err(|error| format!("{name}.lua: {error}"))
}

/// Runs a script with the libraries that Argo CD gives it: the basic functions and `table`.
fn run(script: &str, object: &Value) -> mlua::Result<Health> {
    let lua = lua(StdLib::TABLE, object)?;
    let answer: Table = lua.load(script).set_name("health.lua").eval()?;
    Ok(Health { status: answer.get("status")?, message: answer.get("message")? })
}

/// An interpreter with the object as `obj`, as in Argo CD: null is nil, and a list is a bare table.
fn lua(libraries: StdLib, object: &Value) -> mlua::Result<Lua> {
    let lua = Lua::new_with(libraries, LuaOptions::default())?;
    let bare =
        SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false).set_array_metatable(false);
    lua.globals().set("obj", lua.to_value_with(object, bare)?)?;
    Ok(lua)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_script_has_no_library_that_argo_cd_does_not_give_it() {
        for library in ["string", "io", "math", "debug"] {
            let script = format!("return {{ status = type({library}), message = '' }}");
            assert_eq!(run(&script, &json!({})).unwrap().status, "nil", "{library}");
        }
    }

    fn judged(observed: i64, conditions: &Value) -> Health {
        health(&json!({
            "metadata": {"generation": 2}, "spec": {},
            "status": {"observedGeneration": observed, "conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn what_nobody_has_looked_at_is_progressing() {
        for status in [Value::Null, json!({}), json!({"observedGeneration": -1}), json!({"observedGeneration": 2})] {
            let object = json!({"metadata": {"generation": 2}, "spec": {"suspend": false}, "status": status});
            assert_eq!(health(&object).unwrap().status, "Progressing", "{object}");
        }
        let suspended = json!({"metadata": {"generation": 2}, "spec": {"suspend": true}});
        assert_eq!(health(&suspended).unwrap().status, "Progressing", "the operator may still be at work");
    }

    #[test]
    fn a_condition_of_an_older_spec_counts_for_nothing() {
        let ready =
            |generation| json!([{"type": "Ready", "status": "True", "message": "m", "observedGeneration": generation}]);
        assert_eq!(judged(2, &ready(1)).status, "Progressing");
        assert_eq!(judged(1, &ready(1)).status, "Progressing");
        assert_eq!(judged(2, &ready(2)).status, "Healthy");
    }

    #[test]
    fn the_message_is_that_of_the_condition_which_decides() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "message": kind});
        let both = |other| judged(2, &json!([condition("Ready", "False"), condition(other, "True")]));
        assert_eq!(both("Stalled"), Health { status: "Degraded".into(), message: "Stalled".into() });
        assert_eq!(both("Reconciling"), Health { status: "Progressing".into(), message: "Reconciling".into() });
        let drifted = json!([condition("Ready", "True"), condition("Drifted", "True")]);
        assert_eq!(judged(2, &drifted), Health { status: "Healthy".into(), message: "Ready".into() });
        let neither = json!([condition("Ready", "False"), condition("Stalled", "False")]);
        assert_eq!(judged(2, &neither), Health { status: "Progressing".into(), message: "Ready".into() });
    }

    #[test]
    fn actions_fit_the_resource() {
        let offered = |spec: Value| actions(&json!({"metadata": {}, "spec": spec})).unwrap();
        assert_eq!(offered(json!({"name": "n"})), ["reconcile", "suspend"]);
        assert_eq!(offered(json!({"client": "c", "suspend": false})), ["reconcile", "rotate", "suspend"]);
        assert_eq!(offered(json!({"client": "c", "suspend": true})), ["resume"]);
    }

    #[test]
    fn action_changes_what_it_is_for() {
        let object = json!({"metadata": {"name": "a", "annotations": {"mine": "kept"}}, "spec": {"client": "c"}});
        for (action, annotation) in [("reconcile", "reconcile-requested-at"), ("rotate", "rotate-requested-at")] {
            let mut after = act(action, &object).unwrap();
            let annotations = after["metadata"]["annotations"].as_object_mut().unwrap();
            let asked = annotations.remove(&format!("iam.confidence.dev/{annotation}")).unwrap();
            assert!(asked.as_str().unwrap().ends_with('Z'), "{asked}");
            assert_eq!(after, object, "and nothing else");
        }
        let suspended = act("suspend", &object).unwrap();
        assert_eq!(suspended["spec"], json!({"client": "c", "suspend": true}));
        assert_eq!(act("resume", &suspended).unwrap(), object);
    }

    #[test]
    fn null_is_nil_for_a_script() {
        let script = "return { status = type(obj.absent), message = type(obj.list[1]) }";
        let health = run(script, &json!({"absent": null, "list": [1]})).unwrap();
        assert_eq!((health.status.as_str(), health.message.as_str()), ("nil", "number"));
    }
}
