//! Update masks.

use crate::store::Field;

const NOT_DOCUMENTED: &str = "is not a field that can be updated; paths are snake_case and relative to the credential";

/// Reads the value of `updateMask`.
///
/// # Errors
/// A message for whoever sent it: an empty mask, or a path that is not exactly one of a writable field.
pub(crate) fn read_mask(text: &str) -> Result<Vec<Field>, String> {
    if text.is_empty() {
        return Err("updateMask is empty".to_owned());
    }
    text.split(',')
        .map(|path| Field::from_path(path).ok_or_else(|| format!("updateMask: `{path}` {NOT_DOCUMENTED}")))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn snake_case_paths_are_read_in_order() {
        assert_eq!(read_mask("labels,display_name").unwrap(), [Field::Labels, Field::DisplayName]);
        let all = Field::ALL.map(Field::path).join(",");
        assert_eq!(read_mask(&all).unwrap(), Field::ALL);
    }

    #[test]
    fn anything_else_is_refused() {
        for mask in
            ["", ",", "labels,", "displayName", "client_credential.labels", "labels, sdk_type", "*", "name", "Labels"]
        {
            assert!(read_mask(mask).is_err(), "{mask:?} was accepted");
        }
    }
}
