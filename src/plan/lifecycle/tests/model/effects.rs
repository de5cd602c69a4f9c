//! How a replica carries out a step, and how each effect can go wrong.

use std::time::Duration;

use super::super::super::*;
use super::replica::{Replica, version_of};
use super::world::{Post, SecretObject, Tells, World};
use crate::confidence::name::CredentialName;

/// The kind of a step, with its reason where it has one.
fn kind(step: &Step) -> String {
    match step {
        Step::Create { reason, .. } => format!("Create {reason:?}"),
        Step::Publish(publication) => format!("Publish {:?}", publication.source),
        Step::Delete(evidence) => format!("Delete {:?}", evidence.grounds()),
        Step::Stall(reason) => format!("Stall {reason:?}"),
        Step::Get { purpose, .. } => format!("Get {purpose:?}"),
        Step::Wait { reason, .. } => format!("Wait {reason:?}"),
        Step::RemoveFinalizer(reason) => format!("RemoveFinalizer {reason:?}"),
        Step::DeleteSecret { .. } => "DeleteSecret".to_owned(),
        Step::Relabel(_) => "Relabel".to_owned(),
        Step::Report(_) => "Report".to_owned(),
        _ => "another".to_owned(),
    }
}

impl Replica {
    /// Carries out a step. True while the reconcile goes on.
    pub(super) fn carry_out(&mut self, world: &mut World, step: &Step) -> bool {
        world.carried_out.insert(kind(step));
        match step {
            Step::List => self.list(world),
            Step::Get { name, .. } => self.get(world, name),
            Step::Create { attempt, reason, replaces } => {
                world.judge_post(*attempt, *reason, replaces.as_ref());
                self.post(world, *attempt)
            }
            Step::Publish(publication) => self.publish(world, publication),
            Step::Delete(evidence) => self.delete(world, evidence),
            Step::Relabel(name) => self.relabel(world, name),
            Step::DryRunSecret => {
                self.memory.dry_run = DryRun::Accepted;
                true
            }
            Step::WriteAttempt { attempt, with_finalizer } => self.write_attempt(world, *attempt, *with_finalizer),
            Step::Record { records, stall } => self.write(world, |resource, bar| {
                resource.records = records.clone();
                *bar = stall.or(*bar);
            }),
            Step::AddFinalizer => self.write(world, |resource, _| resource.has_finalizer = true),
            Step::RemoveFinalizer(reason) => self.remove_finalizer(world, *reason),
            Step::DeleteSecret { name, version } => self.delete_secret(world, name, version),
            Step::Correct(_) => unreachable!("the model's credentials are in sync"),
            Step::Wait { .. } | Step::Stall(_) | Step::Rest { .. } | Step::Suspended | Step::Report(_) => false,
        }
    }

    fn list(&mut self, world: &mut World) -> bool {
        world.tick(Duration::from_secs(1));
        self.server_time = Some(world.now);
        if world.strikes(10) {
            self.listing = Some(Listing::Failed);
            return false;
        }
        let newest = world.live.values().map(|stored| stored.credential.clone()).collect();
        let credentials = if world.strikes(6) { world.lagging.clone() } else { newest };
        if world.tells == Tells::Always {
            let live = credentials.iter().filter_map(|it| world.live.get(&it.name));
            self.returned.extend(live.map(|stored| (stored.credential.name.clone(), stored.secret)));
        }
        if let Some(created) = &self.memory.created
            && credentials.iter().any(|it| it.name == created.credential.name)
            && !created.holds_secret
        {
            self.memory.created = None;
        }
        if let Some(attempt) = self.memory.attempt.as_mut().filter(|it| it.since < world.clock) {
            attempt.lists += 1;
        }
        self.listing = Some(Listing::Complete { began: world.clock, credentials });
        true
    }

    fn get(&mut self, world: &mut World, name: &CredentialName) -> bool {
        world.tick(Duration::from_millis(200));
        self.server_time = Some(world.now);
        let fails = world.strikes(12);
        let answer = match world.live.get(name) {
            _ if fails => Answer::Failed,
            None => Answer::NotFound,
            Some(stored) if world.tells == Tells::Always => {
                self.returned.insert(name.clone(), stored.secret);
                Answer::Found(stored.credential.clone(), Disclosure::Returned)
            }
            Some(stored) => Answer::Found(stored.credential.clone(), Disclosure::Withheld),
        };
        let is_gone = matches!(answer, Answer::NotFound);
        if is_gone && self.memory.created.as_ref().is_some_and(|it| it.credential.name == *name) {
            self.memory.created = None;
        }
        self.memory.fetched.retain(|fetched| fetched.name != *name);
        self.memory.fetched.push(Fetched { name: name.clone(), answer });
        self.secrets.clone_from(&world.secrets);
        self.is_fresh = true;
        true
    }

    fn post(&mut self, world: &mut World, attempt: Attempt) -> bool {
        self.memory.last_change = Some(world.clock);
        self.memory.dry_run = DryRun::NotDone;
        let mut set = |outcome| self.memory.attempt.as_mut().unwrap().outcome = outcome;
        if world.strikes(10) {
            set(AttemptOutcome::NothingCreated);
            return false;
        }
        let delay = if world.strikes(8) { world.rng.u64(20..600) } else { world.rng.u64(..10) };
        let is_lost = world.strikes(4);
        let lands = is_lost.then(|| later(world.now, Duration::from_secs(delay)));
        let never = is_lost && world.rng.u8(..3) == 0;
        world.posts.push(Post { attempt, sent: world.now, lands: lands.filter(|_| !never) });
        if is_lost {
            set(AttemptOutcome::Unknown);
            return false;
        }
        set(AttemptOutcome::Answered);
        let stored = {
            let name = world.land(attempt);
            world.live[&name].clone()
        };
        let holds_secret = world.tells != Tells::Never;
        if holds_secret {
            self.published.insert(stored.credential.name.clone(), stored.secret);
        }
        self.server_time = Some(world.now);
        self.memory.created = Some(Created { credential: stored.credential, holds_secret, posted: world.clock });
        true
    }

    fn publish(&mut self, world: &mut World, publication: &Publication) -> bool {
        let value = match publication.source {
            ValueSource::Held => self.published.get(&publication.credential).copied(),
            ValueSource::Returned => self.returned.get(&publication.credential).copied(),
            ValueSource::Published => self.published_value(world),
        };
        let value = value.expect("a value that is known");
        let name = self.resource.as_ref().unwrap().0.secret_name.clone();
        let over = world.secrets.get(&name).map(version_of);
        if over != publication.over || world.strikes(10) {
            return false;
        }
        world.judge_publication(&publication.credential, publication.source, value);
        let version = world.fresh_number();
        let uid = over.map_or_else(|| format!("s{version}"), |it| it.uid);
        let secret = SecretObject {
            uid,
            version,
            credential: publication.credential.clone(),
            attempt: publication.attempt,
            published_at: publication.published_at,
            value,
            is_ours: true,
        };
        self.written.insert(name.clone());
        world.secrets.insert(name, secret);
        if world.strikes(8) {
            return false;
        }
        self.published.insert(publication.credential.clone(), value);
        self.secrets.clone_from(&world.secrets);
        if let Some(created) = &mut self.memory.created {
            created.holds_secret &= created.credential.name != publication.credential;
        }
        true
    }

    fn delete(&mut self, world: &mut World, evidence: &Evidence) -> bool {
        world.judge_deletion(evidence);
        self.memory.last_change = Some(world.clock);
        self.memory.fetched.retain(|fetched| fetched.name != *evidence.name());
        if !world.strikes(8) {
            world.live.remove(evidence.name());
        }
        true
    }

    fn relabel(&mut self, world: &mut World, name: &CredentialName) -> bool {
        self.memory.fetched.retain(|fetched| fetched.name != *name);
        let is_confused = world.is_confused();
        let Some(stored) = world.live.get_mut(name) else { return true };
        assert!(stored.is_operators || is_confused, "labels put on a credential of somebody else");
        stored.credential.owner = Some(super::super::resource().owner);
        stored.was_relabelled = true;
        false
    }

    fn write_attempt(&mut self, world: &mut World, attempt: Attempt, with_finalizer: bool) -> bool {
        let generation = self.resource.as_ref().map(|(resource, ..)| resource.generation);
        let is_stored = self.write(world, |resource, _| {
            resource.attempt = Some(attempt);
            resource.has_finalizer |= with_finalizer;
        });
        if world.resource.as_ref().and_then(|it| it.attempt) == Some(attempt) {
            world.stored_attempts.insert(attempt);
        }
        let (since, outcome) = (world.clock, AttemptOutcome::NotSent);
        if is_stored {
            self.memory.attempt = Some(AttemptMemory { attempt, since, generation, outcome, lists: 0 });
        }
        is_stored
    }

    /// Writes over the version that the facts are from. The answer may be lost.
    fn write(&mut self, world: &mut World, what: impl FnOnce(&mut Resource, &mut Option<StallReason>)) -> bool {
        let Some((_, version, _)) = self.resource else { return false };
        let Some(resource) = world.resource.as_mut().filter(|_| world.version == version) else { return false };
        what(resource, &mut world.bar);
        world.version += 1;
        if world.strikes(10) {
            return false;
        }
        self.resource = world.resource.clone().map(|resource| (resource, world.version, world.bar));
        true
    }

    fn remove_finalizer(&mut self, world: &mut World, reason: Option<ReleaseReason>) -> bool {
        let is_end = self.resource.as_ref().is_some_and(|(resource, ..)| resource.is_being_deleted);
        self.write(world, |resource, _| resource.has_finalizer = false);
        let is_written = world.resource.as_ref().is_some_and(|resource| !resource.has_finalizer);
        if is_end && is_written {
            let listed = match self.listing {
                Some(Listing::Complete { began, .. }) => Some(began),
                _ => None,
            };
            world.judge_end(reason, listed);
            world.resource = None;
        }
        false
    }

    fn delete_secret(&mut self, world: &mut World, name: &str, version: &SecretVersion) -> bool {
        if world.secrets.get(name).map(version_of).as_ref() == Some(version) {
            world.secrets.remove(name);
            self.written.remove(name);
        }
        self.secrets.clone_from(&world.secrets);
        true
    }
}
