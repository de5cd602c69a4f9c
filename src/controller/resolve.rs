//! First stage: from the spec, and the Secret that it names, to what is asked of the credential.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use super::Context;
use super::key::Key;
use super::memory::Wake;
use super::outcome::Problem;
use crate::api::conditions::Reason;
use crate::api::spec::{DriftPolicy, SecretKeyRef};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
use crate::confidence::name::CredentialName;
use crate::confidence::wire::SdkType;
use crate::plan::{Desired, DesiredSecret};

/// How long reading a Secret may take: kube's client repeats some failures by itself, for longer than a pass should wait.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What the resource asks for, complete and usable.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) name: CredentialName,
    pub(super) desired: Desired,
    pub(super) policy: DriftPolicy,
}

/// The credential that a spec names.
pub(super) fn credential_name(spec: &ConfidenceClientCredentialSpec) -> Result<CredentialName, Problem> {
    spec.name.as_deref().unwrap_or_default().parse().map_err(|error| invalid(format!("spec.name: {error}")))
}

/// Completes the spec.
pub(super) async fn resolve(object: &ConfidenceClientCredential, context: &Context) -> Result<Resolved, Problem> {
    let mut resolved = without_secret(&object.spec)?;
    if let Some(source) = &object.spec.client_secret {
        resolved.desired.client_secret = Some(read_secret(object, &source.secret_key_ref, context).await?);
    }
    Ok(resolved)
}

/// What the spec says by itself.
pub(super) fn without_secret(spec: &ConfidenceClientCredentialSpec) -> Result<Resolved, Problem> {
    let name = credential_name(spec)?;
    if let Some(Err(error)) = spec.own_interval() {
        return Err(invalid(format!("spec.interval: {error}")));
    }
    if spec.drift_policy == DriftPolicy::Unknown {
        return Err(invalid(
            "spec.driftPolicy: this version of the operator knows Correct and Report; upgrade it".into(),
        ));
    }
    let desired = Desired {
        display_name: spec.display_name.clone(),
        environments: spec.environment_set(),
        labels: spec.labels.clone(),
        sdk_type: sdk_type(spec)?,
        client_secret: None,
    };
    Ok(Resolved { name, desired, policy: spec.drift_policy })
}

fn sdk_type(spec: &ConfidenceClientCredentialSpec) -> Result<Option<SdkType>, Problem> {
    let Some(sdk_type) = spec.sdk_type else { return Ok(None) };
    let unknown = || invalid("spec.sdkType: this version of the operator does not know the value; upgrade it".into());
    sdk_type.to_wire().ok_or_else(unknown).map(Some)
}

async fn read_secret(
    object: &ConfidenceClientCredential,
    reference: &SecretKeyRef,
    context: &Context,
) -> Result<DesiredSecret, Problem> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let read = tokio::time::timeout(READ_TIMEOUT, api.get_opt(&reference.name)).await;
    let Ok(read) = read else {
        return Err(Problem::retrying(
            Reason::SecretUnreadable,
            format!("spec.clientSecret: the API server did not give Secret {namespace}/{} in time", reference.name),
        ));
    };
    match read {
        Ok(Some(secret)) => {
            remember_read(object, &namespace, &reference.name, secret.resource_version().as_deref(), context);
            value_of(&secret, reference)
        }
        Ok(None) => {
            remember_read(object, &namespace, &reference.name, None, context);
            Err(Problem::stalled(
                Reason::SecretNotFound,
                format!(
                    "spec.clientSecret: there is no Secret {namespace}/{}; create it, or correct the reference",
                    reference.name
                ),
            ))
        }
        Err(kube::Error::Api(status)) if status.code == 403 => Err(Problem::stalled(
            Reason::SecretUnreadable,
            format!(
                "spec.clientSecret: the operator may not read Secret {namespace}/{}; grant its ServiceAccount get on it",
                reference.name
            ),
        )),
        Err(error) => Err(Problem::retrying(
            Reason::SecretUnreadable,
            format!("spec.clientSecret: reading Secret {namespace}/{} failed: {error}", reference.name),
        )),
    }
}

/// Tells the index which version was read; where the watch knows of another, the pass is made again.
fn remember_read(
    object: &ConfidenceClientCredential,
    namespace: &str,
    name: &str,
    version: Option<&str>,
    context: &Context,
) {
    if context.index.secret_read(namespace, name, version) {
        context.memory.wake(&Key::of(object), Wake::Asked);
    }
}

/// Takes the value out of the Secret. Never says what it found, only what is wrong with it.
fn value_of(secret: &Secret, reference: &SecretKeyRef) -> Result<DesiredSecret, Problem> {
    let unusable = |what: &str| {
        Problem::stalled(
            Reason::SecretInvalid,
            format!("spec.clientSecret: key {:?} of Secret {:?} {what}", reference.key, reference.name),
        )
    };
    let bytes = secret.data.as_ref().and_then(|data| data.get(&reference.key));
    let bytes = bytes.ok_or_else(|| unusable("does not exist; add it, or correct the reference"))?;
    let text = str::from_utf8(&bytes.0).map_err(|_| unusable("is not text (UTF-8); store the secret itself there"))?;
    // An editor or `echo` leaves a newline that is never part of a secret.
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(unusable("is empty; store the secret there"));
    }
    Ok(DesiredSecret {
        value: value.into(),
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
        key: reference.key.clone(),
    })
}

fn invalid(message: String) -> Problem {
    Problem::stalled(Reason::InvalidSpec, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret;

    fn read(value: &[u8]) -> Result<DesiredSecret, Problem> {
        let data = [("token".to_owned(), ByteString(value.to_vec()))].into();
        let secret = Secret { data: Some(data), ..Secret::default() };
        value_of(&secret, &SecretKeyRef { name: "s".to_owned(), key: "token".to_owned() })
    }

    #[test]
    fn trailing_newlines_are_no_part_of_a_secret() {
        assert_eq!(read(b" se cret \r\n\n").unwrap().value.expose_secret(), " se cret ");
    }

    #[test]
    fn an_empty_or_binary_value_is_unusable_and_is_not_repeated() {
        for value in [&b""[..], b"\n", b"hunter2\xff"] {
            let problem = read(value).unwrap_err();
            assert_eq!(problem.reason, Reason::SecretInvalid);
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
    }
}
