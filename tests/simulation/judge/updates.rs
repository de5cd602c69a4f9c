//! What an update may say, given what its process knew when it was decided on.

use std::collections::BTreeMap;
use std::time::Duration;

use confidence_operator::api::ConfidenceClientCredentialSpec;
use confidence_simulator::Credential;
use serde_json::Value;
use tokio::time::Instant;

use super::secrets::WrittenSecret;
use super::{Judge, Process, Sight};
use crate::history::{Edition, found, may_be_written, wanted};

/// How long it takes at the most until a process notices who owns a credential: a watch that died, and trouble after it.
const BEHIND: Duration = Duration::from_mins(3);

/// What the process knew that sends an update.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What was the newest that it had seen of the credential, or came while the update waited for its turn.
    pub sights: Vec<Sight>,
    /// The secret that it last wrote to the credential, if it has.
    pub secret: Option<WrittenSecret>,
    /// The versions of the Secrets that it read last, by name.
    pub read: BTreeMap<String, String>,
}

/// For which resource an update was made, and by which of its specs, at the earliest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    pub name: String,
    pub uid: String,
    pub edition: Edition,
}

/// An update, as it arrives.
pub struct Update<'a> {
    pub id: &'a str,
    pub mask: &'a [String],
    pub body: &'a Value,
}

impl Update<'_> {
    pub fn secret(&self) -> Option<&str> {
        self.body["clientSecret"]["secret"].as_str()
    }
}

/// Whether a mask names the secret.
pub fn names_secret(mask: &[String]) -> bool {
    mask.iter().any(|it| it == "client_secret")
}

impl Judge {
    /// An update arrives at Confidence, from a process that knew this when it decided on it.
    pub fn update(&self, process: &Process, known: &Known, update: &Update<'_>) {
        let id = update.id;
        self.holds_lease(process, self.api.holder().as_deref(), &format!("the update of {id}"));
        if self.lifecycle.is_some() {
            return;
        }
        let wrong = |what: String| self.record.wrong(format_args!("{process}: the update of {id} {what}"));
        let said = said(update.body);
        let differs = |field: &str| known.sights.iter().any(|sight| found(&sight.credential, field) != said(field));
        let is_look = update.mask == ["display_name"] && !differs("display_name") && self.may_look_by_update(process);
        self.with(|seen| {
            *(if is_look { &mut seen.looks } else { &mut seen.updates }) += 1;
            seen.secrets.is_updated(id, known, names_secret(update.mask), is_look);
        });
        for field in update.mask.iter().filter(|it| *it != "client_secret" && !is_look) {
            if !differs(field) {
                wrong(format!("writes {field}, which did not differ in what was last seen"));
            }
        }
        let whose = self.is_wanted(update, &wrong);
        self.with(|seen| seen.written_for.insert((process.clone(), id.to_owned()), whose.clone()));
        if let Some(whose) = whose.filter(|_| names_secret(update.mask)) {
            self.may_write_secret(&whose, known, update, &wrong);
        }
    }

    /// Some spec says what the update says, of a resource that owned the credential, and none was written before that is newer.
    /// Tells whose, if that can be told.
    fn is_wanted(&self, update: &Update<'_>, wrong: &impl Fn(String)) -> Option<Whose> {
        let said = said(update.body);
        let mut says_it = Vec::new();
        self.history(|history| {
            for name in history.owners_since(update.id, Instant::now().checked_sub(BEHIND)) {
                let secrets = history.secrets(&format!("secret-{name}")).to_vec();
                let is_wanted = |spec: &ConfidenceClientCredentialSpec, field: &String| {
                    if field == "client_secret" {
                        return spec.client_secret.is_some()
                            && update.secret().is_some_and(|it| secrets.iter().any(|known| known.value == it));
                    }
                    wanted(spec, field).is_some() && wanted(spec, field) == said(field)
                };
                let specs = history.wishes(&name).unwrap().specs.iter().filter(|(_, spec)| {
                    may_be_written(spec)
                        && spec.name.as_deref().is_some_and(|it| it.ends_with(&format!("/{}", update.id)))
                        && update.mask.iter().all(|field| is_wanted(spec, field))
                });
                let editions: Vec<_> = specs.map(|(edition, _)| *edition).collect();
                says_it.extend(editions.first().map(|first| (name, *first, *editions.last().unwrap())));
            }
            match &says_it[..] {
                [] => {
                    wrong(format!("says what no owner's spec has said: {:?} {}", update.mask, update.body));
                    None
                }
                [(name, first, last)] => {
                    let wishes = history.wishes(name).unwrap();
                    if *last < wishes.written {
                        let written = wishes.written;
                        wrong(format!("goes back to {last:?} after {written:?} was written"));
                    }
                    wishes.written = wishes.written.max(*first);
                    // Of two resources with one name, the process may not know the newer one yet.
                    let is_one = first.0 == last.0;
                    is_one.then(|| Whose { name: name.clone(), uid: wishes.uid(*last).to_owned(), edition: *first })
                }
                _ => None,
            }
        })
    }

    /// What a process knows of a credential, for what it decided on at that time or later.
    pub fn known(&self, process: &Process, id: &str, since: Instant) -> Known {
        self.with(|seen| {
            let key = (process.clone(), id.to_owned());
            let sights = seen.sights.get(&key).map(|it| it.to_plan_from(since).cloned().collect());
            Known {
                sights: sights.unwrap_or_default(),
                secret: seen.written_secrets.get(&key).cloned(),
                read: seen.read_secrets.get(process).cloned().unwrap_or_default(),
            }
        })
    }
}

/// What the body of an update says of a field, in a form that can be compared.
fn said(body: &Value) -> impl Fn(&str) -> Option<String> {
    let draft = Credential {
        display_name: body["displayName"].as_str().unwrap_or_default().to_owned(),
        environments: body["environments"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
        labels: labels(&body["labels"]),
        sdk_type: Some(body["sdkType"].as_str().unwrap_or_default())
            .filter(|it| *it != "SDK_TYPE_UNSPECIFIED")
            .unwrap_or_default()
            .to_owned(),
        ..Credential::default()
    };
    move |field| found(&draft, field)
}

/// Labels in either form.
pub fn labels(said: &Value) -> BTreeMap<String, String> {
    let maps = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
    maps.into_iter().filter_map(|it| serde_json::from_value::<BTreeMap<_, _>>(it).ok()).flatten().collect()
}
