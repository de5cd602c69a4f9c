//! The invariants of the lifecycle, judged at each effect.

use std::time::Duration;

use super::super::super::*;
use super::world::{LATE, REPORT_DELAY, SecretObject, Stored, World};
use crate::confidence::name::CredentialName;

impl World {
    fn fail(&self, what: &str) -> ! {
        panic!("{what}\n{}", self.story())
    }

    fn require(&self, is_kept: bool, what: &str) {
        if !is_kept {
            self.fail(what);
        }
    }

    /// Invariants 1 and 7.
    pub(super) fn judge_post(&self, attempt: Attempt, reason: CreateReason, replaces: Option<&CredentialName>) {
        self.require(self.stored_attempts.contains(&attempt), "1: a POST without an attempt that was stored");
        self.require(self.posts.iter().all(|post| post.attempt != attempt), "1: two POSTs of one attempt");
        let is_outstanding = |sent| later(sent, LATE) > self.now;
        let outstanding = self.posts.iter().any(|post| post.lands.is_some() && is_outstanding(post.sent));
        self.require(!outstanding || self.lost_records, "1: two POSTs outstanding");
        if matches!(reason, CreateReason::SecretLost | CreateReason::CredentialGone) {
            let was_published = replaces.is_some() && replaces == self.last_published.as_ref();
            let may_be_lost = self.was_ever_touched || self.has_hidden_secret();
            self.require(!was_published || may_be_lost, "7: a repair of what nobody touched");
        }
        if reason == CreateReason::Rotated {
            let resource = self.resource.as_ref().unwrap_or_else(|| self.fail("a POST for no resource"));
            let current = replaces.and_then(|name| self.live.get(name));
            let earliest = resource.rotation.every.map(|every| every.mul_f64(0.89));
            let created = current.and_then(|stored| stored.credential.create_time);
            let is_due = earliest.zip(created).is_some_and(|(every, created)| later(created, every) <= self.now);
            self.require(is_due || created.is_none() || self.is_request_open, "7: a rotation that nobody asked for");
        }
    }

    /// Invariant 5.
    ///
    /// A value that a person put into a Secret is carried into the next one as it is.
    pub(super) fn judge_publication(&mut self, name: &CredentialName, source: ValueSource, value: u64) {
        let told = self.live.get(name).map(|stored| stored.secret);
        let may_be_edited = source == ValueSource::Published && self.was_touched;
        self.require(told.is_none() || told == Some(value) || may_be_edited, "5: a value that is another credential's");
        self.last_published = Some(name.clone());
    }

    /// Invariant 3.
    pub(super) fn judge_deletion(&self, evidence: &Evidence) {
        let name = evidence.name();
        let Some(stored) = self.live.get(name) else { return };
        self.require(stored.is_operators || self.is_confused(), "3: a DELETE of what no POST of ours created");
        let Grounds::Retired(reason) = evidence.grounds() else { return };
        let is_published = self.secrets_in_reach().any(|secret| secret.credential == *name);
        self.require(!is_published || self.was_touched, "3: a DELETE of what the Secret names");
        let silent = super::super::resource().rotation.until_unused_for;
        let newest = later(self.now, Duration::ZERO).checked_sub(REPORT_DELAY + Duration::from_secs(5)).unwrap();
        let was_used = stored.last_use.is_some_and(|used| used < newest && later(used, silent) > self.now);
        let at_most = self.resource.as_ref().and_then(|resource| resource.rotation.at_most);
        let is_allowed = match reason {
            RetireReason::AtMost => at_most.is_some(),
            RetireReason::Requested => self.retire_requests.contains(name),
            RetireReason::Unused | RetireReason::NeverPublished => !was_used,
        };
        self.require(is_allowed, "3: a DELETE of what is in use");
    }

    /// Invariant 8.
    ///
    /// A POST that lands after the operator gave it up, and after its last LIST began, is beyond what it can know: as if it
    /// landed after the end.
    pub(super) fn judge_end(&self, reason: Option<ReleaseReason>, listed: Option<Duration>) {
        let may_stay = reason.is_some() || self.lost_records || self.posts.iter().any(|post| post.lands.is_some());
        let mut left = self.known();
        left.retain(|stored| stored.landed_late.is_none() || listed.is_none() || stored.landed_late <= listed);
        self.require(may_stay || left.is_empty(), "8: the finalizer went before the credential");
        let may_keep_secret = reason.is_some() || self.was_touched;
        self.require(
            may_keep_secret || self.secrets_in_reach().next().is_none(),
            "8: the finalizer went before the Secret",
        );
    }

    /// The Secrets that can be found again after a crash. Without a watch that is not the one whose name was changed in the
    /// spec between its write and that of the status.
    pub(super) fn secrets_in_reach(&self) -> impl Iterator<Item = &SecretObject> {
        let resource = self.resource.as_ref();
        let recorded = resource.and_then(|resource| resource.records.published.as_ref()).map(|it| &it.name);
        let asked_for = resource.map(|resource| &resource.secret_name);
        let is_in_reach = move |name| self.shows_all_secrets || asked_for == Some(name) || recorded == Some(name);
        self.secrets.iter().filter(move |(name, _)| is_in_reach(name)).map(|(_, secret)| secret)
    }

    fn has_hidden_secret(&self) -> bool {
        self.secrets_in_reach().count() < self.secrets.len()
    }

    /// The live credentials of the operator that it can know of: one without labels that no record names is lost.
    pub(super) fn known(&self) -> Vec<&Stored> {
        let records = self.resource.as_ref().map(|resource| &resource.records);
        let mut known = self.operators();
        known.retain(|stored| {
            let name = Some(&stored.credential.name);
            let is_superseded = |it: &Records| it.superseded.iter().any(|it| Some(&it.name) == name);
            let is_recorded = records.is_some_and(|it| it.name.as_ref() == name || is_superseded(it));
            stored.credential.owner.is_some() || is_recorded
        });
        known
    }

    /// Invariants 2 and 4.
    ///
    /// The cap is on what is created. One that an outsider hid by its labels, and that a restored Secret brings back, counts
    /// for the decision but not here: the operator made room for no other.
    pub(super) fn judge_state(&mut self) {
        let created = self.known().into_iter().filter(|stored| !stored.was_relabelled).count();
        self.require(created <= MAX_LIVE, "2: too many live credentials");
        let Some(resource) = &self.resource else { return };
        let is_due = self.last_published.is_some() && !resource.is_being_deleted;
        self.is_request_open &= resource.records.last_handled_rotate_at != resource.rotate_requested_at;
        self.was_touched &= !self.serves();
        self.require(!is_due || self.was_touched || self.serves(), "4: the Secret does not work");
    }
}
