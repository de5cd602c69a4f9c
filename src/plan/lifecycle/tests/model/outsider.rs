//! What people and other programs do behind the operator's back.

use super::super::super::*;
use super::world::{Stored, World, name};

impl World {
    /// One act of an outsider.
    pub(super) fn meddle(&mut self) {
        let act = self.rng.u8(..16);
        if self.acts & (1 << act) == 0 || self.may_hide_a_secret(act) {
            return;
        }
        let secret = self.secrets.keys().next().cloned();
        let victim = self.secrets.values().next().map(|secret| secret.credential.clone());
        self.note(|_| format!("outsider {act}"));
        match (act, secret, victim) {
            (0, Some(secret), _) => self.touch(|world| drop(world.secrets.remove(&secret))),
            (1, Some(secret), _) => self.touch(|world| world.edit_secret(&secret)),
            (2, Some(secret), _) if self.serves() => {
                self.backup = Some((secret.clone(), self.secrets[&secret].clone()));
            }
            (3, _, _) => self.touch(World::restore_secret),
            (4, _, Some(victim)) => self.touch(|world| drop(world.live.remove(&victim))),
            (5, _, Some(victim)) => self.touch(|world| world.strip_labels(&victim)),
            (6, _, Some(victim)) => self.copy_credential(&victim),
            (7, _, _) => self.lose(|resource| resource.records = Records::default()),
            (8, _, _) => self.lose(|resource| resource.attempt = None),
            (9 | 10, _, _) => self.request_rotation(),
            (11, _, _) => self.rename_secret(),
            (12, _, _) => self.change(|resource| resource.reports_only = !resource.reports_only),
            (13, _, _) => self.change(|resource| resource.is_suspended = !resource.is_suspended),
            (14, _, _) if self.rng.u8(..4) == 0 => self.change(|resource| resource.is_being_deleted = true),
            (15, _, _) => self.retire_one(),
            _ => {}
        }
    }

    /// Whether afterwards no record would name a Secret. Without a watch that is the end of the story: it is not found again.
    fn may_hide_a_secret(&self, act: u8) -> bool {
        let resource = self.resource.as_ref();
        let recorded = resource.and_then(|resource| resource.records.published.as_ref()).map(|it| &it.name);
        let is_recorded = self.secrets.is_empty() || recorded == resource.map(|resource| &resource.secret_name);
        !self.shows_all_secrets && (matches!(act, 3 | 7) || act == 11 && !is_recorded)
    }

    fn touch(&mut self, act: impl FnOnce(&mut Self)) {
        (self.was_touched, self.was_ever_touched) = (true, true);
        // What the status does not say yet is as good as lost.
        self.lost_records |= self.resource.as_ref().is_some_and(|resource| resource.records.name.is_none());
        act(self);
    }

    fn edit_secret(&mut self, secret: &str) {
        let version = self.fresh_number();
        // A Secret that was restored and not applied again yet has no history that could tell.
        if let Some(secret) = self.secrets.get_mut(secret).filter(|secret| secret.is_ours) {
            (secret.value, secret.is_ours, secret.version) = (7, false, version);
        }
    }

    /// The copy comes back as a new object.
    fn restore_secret(&mut self) {
        let Some((name, mut secret)) = self.backup.clone() else { return };
        secret.version = self.fresh_number();
        secret.is_ours = false;
        secret.uid = format!("s{}", secret.version);
        self.secrets.insert(name, secret);
    }

    fn strip_labels(&mut self, victim: &crate::confidence::name::CredentialName) {
        if let Some(stored) = self.live.get_mut(victim) {
            (stored.credential.owner, stored.credential.attempt) = (None, None);
        }
    }

    fn copy_credential(&mut self, victim: &crate::confidence::name::CredentialName) {
        let Some(original) = self.live.get(victim).cloned() else { return };
        self.was_copied = true;
        let id = self.fresh_number();
        let credential = Credential {
            name: name(id),
            creator: Some("somebody".to_owned()),
            create_time: Some(self.now),
            last_seen_time: None,
            ..original.credential
        };
        self.live.insert(
            name(id),
            Stored {
                credential,
                secret: 2000 + id,
                last_use: None,
                is_operators: false,
                landed_late: None,
                was_relabelled: false,
            },
        );
    }

    fn lose(&mut self, what: impl FnOnce(&mut Resource)) {
        self.lost_records = true;
        self.change(what);
    }

    /// A person gives up the oldest superseded credential, or any other but the current one.
    pub(super) fn retire_one(&mut self) {
        self.change(|resource| resource.retire = resource.records.superseded.first().map(|it| it.name.clone()));
        let current = self.resource.as_ref().and_then(|resource| resource.records.name.clone());
        let other =
            self.known().into_iter().map(|it| it.credential.name.clone()).find(|it| Some(it) != current.as_ref());
        self.change(|resource| resource.retire = resource.retire.take().or(other));
        self.retire_requests.extend(self.resource.as_ref().and_then(|resource| resource.retire.clone()));
    }

    fn request_rotation(&mut self) {
        let value = self.fresh_number().to_string();
        self.is_request_open = true;
        self.change(|resource| resource.rotate_requested_at = Some(value));
    }

    fn rename_secret(&mut self) {
        let name = format!("s-{}", self.rng.u8(..3));
        self.change(|resource| {
            resource.secret_name = name;
            resource.generation += 1;
        });
    }

    fn change(&mut self, what: impl FnOnce(&mut Resource)) {
        if let Some(resource) = &mut self.resource {
            what(resource);
            self.touch_resource();
        }
    }
}
