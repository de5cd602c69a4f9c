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

    /// In the mask's own order.
    #[test]
    fn snake_case_paths_are_read() {
        assert_eq!(read_mask("labels,display_name").unwrap(), [Field::Labels, Field::DisplayName]);
        let all = Field::ALL.map(Field::path).join(",");
        assert_eq!(read_mask(&all).unwrap(), Field::ALL);
    }

    /// Empty, in camelCase, with a prefix, with a blank, a wildcard, a field that nobody may write.
    #[test]
    fn other_paths_are_refused() {
        for mask in
            ["", ",", "labels,", "displayName", "client_credential.labels", "labels, sdk_type", "*", "name", "Labels"]
        {
            assert!(read_mask(mask).is_err(), "{mask:?} was accepted");
        }
    }
}
