//! The instance id: it tells the credentials of this installation from those of another.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use crate::api::conditions::Reason;
use crate::credential::outcome::Failure;

/// The id that was given, else the uid of the namespace `kube-system`.
///
/// The first resource in create mode reads the uid, so an operator without such a resource needs no right to the namespace.
pub(in crate::credential) struct InstanceId(OnceCell<Arc<str>>);

impl InstanceId {
    pub(in crate::credential) fn new(given: Option<&str>) -> Self {
        Self(given.map_or_else(OnceCell::new, |given| OnceCell::new_with(Some(given.into()))))
    }

    /// Returns the id.
    ///
    /// # Errors
    /// When the API server does not tell it: then nothing may be created.
    pub(super) async fn get(&self, client: &Client) -> Result<Arc<str>, Failure> {
        self.0.get_or_try_init(async || read(client).await).await.cloned()
    }
}

async fn read(client: &Client) -> Result<Arc<str>, Failure> {
    let unknown = "the operator does not know which installation it is, so it creates nothing";
    match Api::<Namespace>::all(client.clone()).get_metadata("kube-system").await {
        Ok(namespace) => namespace.metadata.uid.map(Into::into).ok_or_else(|| {
            Failure::retry(Reason::Creating, format!("{unknown}: the namespace kube-system has no uid"))
        }),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Err(Failure::stalled(
            Reason::InvalidSpec,
            format!(
                "spec.client: {unknown}; grant its ServiceAccount get on the namespace kube-system, or start it with \
                 --instance-id"
            ),
        )),
        Err(error) => Err(Failure::retry(Reason::Creating, format!("{unknown}: {error}"))),
    }
}
