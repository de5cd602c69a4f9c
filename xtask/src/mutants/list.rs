//! The mutants: each breaks one rule of the lifecycle of a created credential (docs/lifecycle.md), as a change of the source.

/// A way to break the operator.
pub(super) struct Mutant {
    /// What it does wrong.
    pub(super) what: &'static str,
    /// Its changes: the file, what is there once, and what it puts in its place.
    pub(super) edits: &'static [Edit],
}

pub(super) struct Edit {
    pub(super) file: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "writes the status before the Secret",
        edits: &[
            edit(
                CREATE,
                "        Ownership::Ours if is_sure => Some(publish(facts, now, created, ValueSource::Held)),",
                "        Ownership::Ours if is_sure && facts.resource.records.name.as_ref() != Some(name) => Some(Step::Record {\n\
                 records: super::Records { name: Some(name.clone()), ..facts.resource.records.clone() }, stall: None }),\n\
                 Ownership::Ours if is_sure => Some(publish(facts, now, created, ValueSource::Held)),",
            ),
            edit(
                STEPS,
                "Step::Record { records, stall: None } => self.records = Some(records),",
                "Step::Record { records, stall: None } => { self.records = Some(records); self.flush().await?; }",
            ),
        ],
    },
    Mutant {
        what: "sends a POST without storing its attempt",
        edits: &[edit(
            CREATING,
            "        self.change(MetadataChange::Attempt { attempt, with_finalizer }).await?;\n",
            "        let mut object = (*self.object).clone();\n\
             kube::ResourceExt::annotations_mut(&mut object).insert(crate::api::ATTEMPT.to_owned(), attempt.to_string());\n\
             if with_finalizer { kube::ResourceExt::finalizers_mut(&mut object).push(crate::api::FINALIZER.to_owned()); }\n\
             self.object = std::sync::Arc::new(object);\n",
        )],
    },
    Mutant {
        what: "deletes what carries the label, whoever created it",
        edits: &[edit(
            RECORDS,
            "    is_named || is_requested || is_answer || has_own_creator(facts, credential).unwrap_or_else(is_attempted)\n",
            "    let _ = (is_named, is_requested, is_answer, is_attempted); true\n",
        )],
    },
    Mutant {
        what: "takes the last use from the LIST instead of a fresh GET",
        edits: &[
            edit(
                EVIDENCE,
                "            is_fetched_as_ours(facts, name) && is_recorded(facts, name) && (is_unpublished || may_be_published);",
                "            is_recorded(facts, name) && (!facts.is_published(name) || is_unpublished || may_be_published);",
            ),
            edit(
                "src/plan/lifecycle/retire.rs",
                "    let is_fetched = is_newest(facts, name) && facts.secrets.is_fresh;",
                "    let is_fetched = is_newest(facts, name) || !facts.secrets.is_fresh;",
            ),
        ],
    },
    Mutant {
        what: "rotates by a time in the status",
        edits: &[edit(
            "src/plan/lifecycle/rotation.rs",
            "    Some(later(credential.create_time?, with_jitter(every, &resource.uid)))",
            "    let published = resource.records.published.as_ref();\n\
             let since = published.map_or(Timestamp::UNIX_EPOCH, |it| it.published_at);\n\
             credential.create_time?;\n\
             Some(later(since, with_jitter(every, &resource.uid)))",
        )],
    },
    Mutant {
        what: "drops the fields that the manifest leaves out",
        edits: &[edit(
            CREATING,
            "desired.environments.clone().or_else(|| Some(replaced?.environments.clone())),",
            "desired.environments.clone(),",
        )],
    },
    Mutant {
        what: "takes a withheld secret for an empty one",
        edits: &[
            edit(
                STEPS,
                "let disclosure = if is_returned { Disclosure::Returned } else { Disclosure::Withheld };",
                "let disclosure = Disclosure::Returned; let _ = (is_returned, Disclosure::Withheld);",
            ),
            edit(
                CREATING,
                "self.newest.get(name).and_then(|it| it.client_secret.clone()),",
                "self.newest.get(name).map(|it| it.client_secret.clone().unwrap_or_else(|| SecretString::from(\"\"))),",
            ),
        ],
    },
    Mutant {
        what: "drops the finalizer when a GET fails",
        edits: &[edit(
            STEPS,
            "                Answer::NotFound\n            }\n            Err(error) => return Err(self.ended(error.into())),",
            "                Answer::NotFound\n            }\n            Err(_) => Answer::NotFound,",
        )],
    },
    Mutant {
        what: "has the same instance id in every cluster",
        edits: &[edit(
            "src/credential/lifecycle/instance.rs",
            "        self.0.get_or_try_init(async || read(client).await).await.cloned()",
            "        self.0.get_or_try_init(async || read(client).await).await.map(|_| \"constant\".into())",
        )],
    },
    Mutant {
        what: "writes the Secret by a merge instead of an apply",
        edits: &[edit(
            SECRET,
            "        api.patch(&spec.name, &parameters, &Patch::Apply(&secret)).await",
            "        parameters.force = false;\n\
             if api.get_opt(&spec.name).await?.is_none() {\n\
             let parameters = kube::api::PostParams { dry_run: is_dry_run, ..Default::default() };\n\
             return api.create(&parameters, &secret).await;\n\
             }\n\
             api.patch(&spec.name, &parameters, &Patch::Merge(&secret)).await",
        )],
    },
    Mutant {
        what: "believes a 404 that is not in Confidence's words",
        edits: &[edit(
            "src/confidence/error/classify/mod.rs",
            "            None => Cause::InvalidResponse,",
            "            None if response.status() == 404 => Cause::NotFound,\n            None => Cause::InvalidResponse,",
        )],
    },
    Mutant {
        what: "creates without a cap",
        edits: &[edit(CREATE, "pub const MAX_LIVE: usize = 5;", "pub const MAX_LIVE: usize = 50;")],
    },
    Mutant {
        what: "leaves the Secret at the end",
        edits: &[edit(
            "src/plan/lifecycle/removal.rs",
            "        Some(secret) => Step::DeleteSecret { name: secret.name.clone(), version: secret.version.clone() },\n",
            "        Some(_) => Step::RemoveFinalizer(None),\n",
        )],
    },
    Mutant {
        what: "repairs a credential in its first minute",
        edits: &[edit(
            CREATE,
            "const MIN_AGE_TO_REPLACE: Duration = Duration::from_mins(1);",
            "const MIN_AGE_TO_REPLACE: Duration = Duration::ZERO;",
        )],
    },
    Mutant {
        what: "forgets an attempt whose annotation was taken back",
        edits: &[edit(
            "src/credential/lifecycle/memory.rs",
            "        let Some(attempt) = attempt else { return };\n",
            "        let Some(attempt) = attempt else { self.facts.attempt = None; return };\n",
        )],
    },
];

const CREATE: &str = "src/plan/lifecycle/create.rs";
const CREATING: &str = "src/credential/lifecycle/creating.rs";
const EVIDENCE: &str = "src/plan/lifecycle/evidence.rs";
const RECORDS: &str = "src/plan/lifecycle/records.rs";
const SECRET: &str = "src/credential/lifecycle/published_secret.rs";
const STEPS: &str = "src/credential/lifecycle/steps.rs";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A change of the source that makes a mutant meaningless is noticed at once.
    #[test]
    fn every_mutant_still_applies() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for mutant in MUTANTS {
            for Edit { file, from, to } in mutant.edits {
                let source = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
                assert_eq!(source.matches(from).count(), 1, "{}: {file} must contain once:\n{from}", mutant.what);
                assert_ne!(from, to, "{}", mutant.what);
            }
        }
    }
}
