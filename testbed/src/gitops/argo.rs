//! Argo CD's judgement: `deploy/argocd/health.lua`, run as Argo CD runs it.

use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib, Table};
use serde_json::Value;

/// The health check as users install it.
pub const SCRIPT: &str = include_str!("../../../deploy/argocd/health.lua");

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

/// Runs a script with the libraries that Argo CD gives it: the basic functions and `table`.
fn run(script: &str, object: &Value) -> mlua::Result<Health> {
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default())?;
    // As in Argo CD: null is nil, and a list is a bare table.
    let bare =
        SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false).set_array_metatable(false);
    lua.globals().set("obj", lua.to_value_with(object, bare)?)?;
    let answer: Table = lua.load(script).set_name("health.lua").eval()?;
    Ok(Health { status: answer.get("status")?, message: answer.get("message")? })
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
    fn null_is_nil_for_a_script() {
        let script = "return { status = type(obj.absent), message = type(obj.list[1]) }";
        let health = run(script, &json!({"absent": null, "list": [1]})).unwrap();
        assert_eq!((health.status.as_str(), health.message.as_str()), ("nil", "number"));
    }
}
