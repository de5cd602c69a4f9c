//! JSON Schemas of the kinds, for kubeconform and for editors, in the layout of the CRDs catalog.

use std::path::Path;

use serde_json::{Value, json};

use super::{archive, files, repository};

/// Writes `schemas/GROUP/KIND_VERSION.json` for each version of each CRD, and an archive of them.
pub(super) fn write(out: &Path) -> Result<(), String> {
    for path in files::entries(&repository("crds"))? {
        let crd = parse(&path)?;
        let (group, kind) = (text(&crd, "/spec/group"), text(&crd, "/spec/names/kind").to_lowercase());
        for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
            let file = format!("schemas/{group}/{kind}_{}.json", text(version, "/name"));
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            strict(&mut schema);
            schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
            let schema = serde_json::to_string_pretty(&schema).map_err(|error| error.to_string())?;
            files::write(&out.join(file), &format!("{schema}\n"))?;
        }
    }
    archive::write_folder(&out.join("schemas"))
}

/// A manifest of one document.
pub(super) fn parse(path: &Path) -> Result<Value, String> {
    serde_saphyr::from_str(&files::read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// The text at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses unknown fields, as `kubectl apply` does, and leaves out what only the API server understands.
fn strict(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.retain(|name, _| !name.starts_with("x-kubernetes-"));
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(strict);
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for name in ["additionalProperties", "items"] {
        object.get_mut(name).into_iter().for_each(strict);
    }
}
