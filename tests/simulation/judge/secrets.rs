//! When a secret may be written, which an answer mostly withholds.

use confidence_simulator::Credential;
use jiff::Timestamp;

use super::updates::{Known, Update, Whose, names_secret};
use super::{Judge, Process, Sight};
use crate::api::Kind;
use crate::history::{FIELDS, found};

/// A secret that a process has written.
#[derive(Clone, Debug)]
pub struct WrittenSecret {
    /// Of the Secret.
    pub version: String,
    /// What the answer to its last update of the credential told; none where it looks through updates.
    pub update_time: Option<Timestamp>,
    /// Whose it is.
    pub whose: Whose,
    /// Whether it is not known to be there: its answer was lost, or a later answer showed that somebody else had written too.
    pub unknown: bool,
}

impl Judge {
    /// A secret is written only for a reason, and as it was last read.
    pub(super) fn may_write_secret(&self, whose: &Whose, known: &Known, update: &Update<'_>, wrong: &impl Fn(String)) {
        let secret = format!("secret-{}", whose.name);
        let Some(version) = known.read.get(&secret).cloned() else {
            return wrong("writes a secret that nobody has read".to_owned());
        };
        let value = update.secret().unwrap_or_default();
        let held = self.history(|history| history.secrets(&secret).iter().find(|it| it.version == version).cloned());
        if held.is_none_or(|held| held.value != value) {
            wrong(format!("writes another secret than the one of version {version}, which was read last"));
        }
        // A secret that is told can be compared, and then nothing else counts.
        let told = |sight: &Sight| !sight.credential.secret.is_empty();
        if !known.sights.is_empty() && known.sights.iter().all(told) {
            if known.sights.iter().all(|sight| sight.credential.secret == value) {
                wrong("writes the secret that was told".to_owned());
            }
            return;
        }
        let own = known.secret.clone().filter(|it| it.whose.uid == whose.uid);
        let Some(written) = own.or_else(|| self.recorded_secret(whose)) else { return };
        // A spec that did not ask for the secret has made that record worthless.
        if self.history(|history| history.left_out_secret(&whose.name, written.whose.edition)) {
            return;
        }
        let by_others = |sight: &Sight| written.update_time.is_some_and(|it| sight.credential.update_time != Some(it));
        if !written.unknown && written.version == version && !known.sights.iter().any(by_others) {
            wrong(format!("writes version {version} of the secret again, and nothing has happened since {written:?}"));
        }
    }

    /// The secret that the status of a resource records, for a process that has written none itself.
    fn recorded_secret(&self, whose: &Whose) -> Option<WrittenSecret> {
        let object = self.api.with(|store| store.get(Kind::Resource, &whose.name).cloned())?;
        let recorded = &object["status"]["clientSecret"];
        if object["metadata"]["uid"] != whose.uid {
            return None;
        }
        Some(WrittenSecret {
            version: recorded["resourceVersion"].as_str()?.to_owned(),
            update_time: recorded["updateTime"].as_str().map(|it| it.parse().unwrap()),
            // The status forgets it by itself.
            whose: Whose { edition: (usize::MAX, 0), ..whose.clone() },
            unknown: false,
        })
    }

    /// An update is answered, or may have been carried out without an answer (`answer`: none): what its process knows of the
    /// secret by that.
    pub fn wrote(&self, process: &Process, id: &str, known: &Known, mask: &[String], answer: Option<&Credential>) {
        let is_as_expected = |answer: &Credential| {
            let same = |sight: &Sight, field: &str| found(answer, field) == found(&sight.credential, field);
            let others = || FIELDS.iter().filter(|field| !mask.iter().any(|it| it == *field));
            known.sights.iter().any(|sight| others().all(|field| same(sight, field)))
        };
        self.with(|seen| {
            let key = (process.clone(), id.to_owned());
            let Some(whose) = seen.written_for.get(&key).cloned().flatten() else {
                seen.written_secrets.remove(&key);
                return;
            };
            let update_time = answer.and_then(|it| it.update_time);
            if names_secret(mask) {
                let version = known.read.get(&format!("secret-{}", whose.name)).cloned().unwrap_or_default();
                let written = WrittenSecret { version, update_time, whose, unknown: answer.is_none() };
                seen.written_secrets.insert(key, written);
            } else if let (Some(written), Some(answer)) = (seen.written_secrets.get_mut(&key), answer) {
                written.update_time = update_time;
                written.unknown |= !is_as_expected(answer);
            }
        });
    }
}
