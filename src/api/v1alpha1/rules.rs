//! The rules of the schema that several fields share, each with a message for a person.
//!
//! Rules of CEL rather than patterns, because a pattern's message is the pattern. The oldest supported API server is 1.31:
//! it takes only the functions of 1.30 in a new CRD.

use kube::core::{Reason, Rule};

use super::{OWN_LABEL_PREFIX, durations};

/// The form of an id of Confidence, as [`CredentialName`](crate::confidence::name::CredentialName) reads it.
const ID: &str = "[A-Za-z0-9._~-]{1,128}";

/// The name of a credential, in either form.
pub(super) fn credential_name() -> Rule {
    Rule::new(format!(
        "self.matches('^clients/{ID}/(credentials|clientCredentials)/{ID}$') && !self.matches('/[.]{{1,2}}(/|$)')"
    ))
    .message(
        "must be the name of a credential as Confidence shows it: clients/{client}/credentials/{credential}, with ids of \
         up to 128 letters, digits or . _ ~ -",
    )
}

/// The same credential as before: its two ids, in either form.
pub(super) fn same_credential() -> Rule {
    let ids = |name: &str| format!("{name}.replace('/clientCredentials/', '/credentials/')");
    forbidden(
        format!("{} == {}", ids("self"), ids("oldSelf")),
        "is immutable: it names another credential than before; to manage that one, create another resource (deleting \
         this one leaves its credential at Confidence alone)",
    )
}

/// The name of a client.
pub(super) fn client_name() -> Rule {
    Rule::new(format!("self.matches('^clients/{ID}$') && !self.matches('/[.]{{1,2}}$')")).message(
        "must be the name of a client as Confidence shows it: clients/{client}, with an id of up to 128 letters, digits \
         or . _ ~ -",
    )
}

/// Names of clients.
pub(super) fn client_names() -> Rule {
    Rule::new(format!("self.all(name, name.matches('^clients/{ID}$') && !name.matches('/[.]{{1,2}}$'))"))
        .message("each must be the name of a client as Confidence shows it: clients/{client}")
}

/// The URL of an account, as [`BaseUrl`](crate::confidence::settings::BaseUrl) reads it. Plain http leads to this machine alone.
pub(super) fn account_url() -> Rule {
    let rest = "(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$";
    let host = "([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[[][0-9A-Fa-f:.]+[]])";
    let this_machine = "(localhost|127([.][0-9]{1,3}){3}|[[]::1[]])";
    Rule::new(format!("self.matches('^https://{host}{rest}') || self.matches('^http://{this_machine}{rest}')")).message(
        "must be an https URL without user, query and fragment, such as https://iam.eu.confidence.dev; http only to this \
         machine (localhost, 127.0.0.1, [::1])",
    )
}

/// A rule about what may not change.
pub(super) fn forbidden(rule: impl Into<String>, message: &str) -> Rule {
    Rule::new(rule).message(message).reason(Reason::FieldValueForbidden)
}

/// None of the operator's own labels at Confidence.
pub(super) fn no_own_labels() -> Rule {
    Rule::new(format!("self.all(key, !key.startsWith('{OWN_LABEL_PREFIX}'))")).message(format!(
        "keys that begin with {OWN_LABEL_PREFIX} are the operator's own, by which it finds the credentials that it created"
    ).as_str())
}

/// The name of a Secret.
pub(super) fn secret_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
        .message("must be the name of a Secret: lower case letters, digits, - and .")
}

/// A key in the data of a Secret.
pub(super) fn secret_key() -> Rule {
    Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("must be a key of a Secret: letters, digits, - _ and .")
}

/// A duration between a bound and [`durations::LONGEST`].
pub(super) fn duration(shortest: &str) -> Rule {
    let (form, longest) = (durations::FORM, durations::LONGEST);
    Rule::new(format!(
        "self.matches('{form}') && duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}')"
    ))
    .message(
        format!("must be a duration of {shortest} to {longest} in h, m, s or ms, such as 90s, 10m or 1h30m").as_str(),
    )
}

/// A comparison of several durations, which holds for texts that are none: each field says so itself.
pub(super) fn durations_compare(texts: &[&str], comparison: &str) -> Rule {
    let form = durations::FORM;
    Rule::new(format!("![{}].all(text, text.matches('{form}')) || {comparison}", texts.join(", ")))
}

/// The name of an object.
pub(super) fn object_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
        .message("must be the name of an object: lower case letters, digits, - and .")
}

/// The keys of labels and annotations of Kubernetes.
pub(super) fn metadata_keys() -> Rule {
    Rule::new(
        "self.all(key, key.size() <= 317 && key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
         [A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
    )
    .message("keys must be as Kubernetes has them: an optional prefix and /, then up to 63 letters, digits or - _ .")
}

/// Nothing under the operator's own prefix, by which it knows the Secrets that it wrote.
pub(super) fn not_of_the_operator() -> Rule {
    Rule::new("self.all(key, !key.startsWith('iam.confidence.dev/'))")
        .message("keys that begin with iam.confidence.dev/ are the operator's own")
}

/// The values of labels of Kubernetes.
pub(super) fn label_values() -> Rule {
    Rule::new("self.all(key, self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message(
        "values must be as Kubernetes has them: letters, digits or - _ . within, a letter or digit at each end",
    )
}

/// No two values under one key of a Secret.
pub(super) fn distinct_keys(default: &str) -> Rule {
    let secret = format!("self.?clientSecret.orValue('{default}')");
    Rule::new(format!(
        "(!has(self.client) || self.client != {secret}) && (!has(self.credential) || self.credential != {secret}) \
         && (!has(self.client) || !has(self.credential) || self.client != self.credential)"
    ))
    .message("clientSecret, client and credential must be different keys")
}
