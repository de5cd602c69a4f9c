//! The labels at Confidence.

use proptest::prelude::*;

use super::*;

fn is_label(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    text.len() <= MAX_LABEL_LENGTH && text.chars().all(allowed)
}

/// Design, section 3: the first 12 digits of SHA-256 of the instance, and the uid. The digest is FIPS 180-2's of "abc".
#[test]
fn owner_label_has_the_documented_form() {
    let label = OwnerLabel::new("abc", "3f1c2d4e-0000-4000-8000-123456789abc");
    assert_eq!(label.to_string(), "ba7816bf8f01_3f1c2d4e-0000-4000-8000-123456789abc");
}

/// Another cluster with a copy of the same object makes another label.
#[test]
fn owner_label_differs_by_instance_and_uid() {
    assert_ne!(OwnerLabel::new("a", "uid"), OwnerLabel::new("b", "uid"));
    assert_ne!(OwnerLabel::new("a", "uid"), OwnerLabel::new("a", "other"));
}

proptest! {
    #[test]
    fn resource_label_always_fits(namespace in "[a-z0-9-]{1,63}", name in "[a-z0-9.-]{1,253}") {
        prop_assert!(is_label(&resource_label(&namespace, &name)));
    }

    /// Names that share their beginning still differ.
    #[test]
    fn shortened_resource_labels_differ(name in "[a-z]{80}") {
        prop_assert_ne!(resource_label("n", &format!("{name}a")), resource_label("n", &format!("{name}b")));
    }

    #[test]
    fn attempt_survives_printing_and_parsing(number: u32, nonce: u64) {
        let attempt = Attempt { number, nonce };
        prop_assert!(is_label(&attempt.to_string()));
        prop_assert_eq!(attempt.to_string().parse(), Ok(attempt));
    }

    #[test]
    fn attempt_has_one_text(text in "[0-9+]{0,3}-?[0-9a-fA-F+]{0,17}") {
        if let Ok(attempt) = text.parse::<Attempt>() {
            prop_assert_eq!(attempt.to_string(), text);
        }
    }
}
