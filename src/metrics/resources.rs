//! How many resources stand how, counted as the watch shows them: a scrape goes through none of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use crate::api::ConfidenceClientCredential;
use crate::api::conditions::{Reason, Type, find};
use crate::confidence::metrics::write_metric;
use crate::engine::watch::Tally;

/// For how long a credential may not have been seen, in hours. Cumulative, as the buckets of a histogram are: a series for
/// each credential would be unbounded.
const AGES: [(&str, i64); 4] = [("1d", 24), ("7d", 7 * 24), ("30d", 30 * 24), ("90d", 90 * 24)];

/// In the place of an age: credentials that have never been seen.
const EVER: &str = "ever";

/// The reasons of the Rotating condition.
const ROTATING: [Reason; 3] = [Reason::Rotating, Reason::OldStillInUse, Reason::NewNotSeen];

/// The counts. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(super) struct ResourceCounts(Arc<Tallies>);

#[derive(Debug, Default)]
struct Tallies {
    reasons: Tally<String>,
    last_seen: Tally<LastSeen>,
    rotating: Tally<String>,
    /// By the server time at which the rotation began.
    rotating_since: Tally<Timestamp>,
    unresolved: Tally<()>,
}

/// When a credential was last seen, to the hour, which is all that its age needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LastSeen {
    Never,
    Hour(i64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgeLabel {
    longer_than: &'static str,
}

impl ResourceCounts {
    /// A resource that was as before, or not there, is as now, or gone.
    pub(super) fn change(&self, before: Option<&ConfidenceClientCredential>, now: Option<&ConfidenceClientCredential>) {
        let Tallies { reasons, last_seen, rotating, rotating_since, unresolved } = &*self.0;
        reasons.change(before.map(reason), now.map(reason));
        last_seen.change(before.and_then(seen), now.and_then(seen));
        rotating.change(before.and_then(rotation), now.and_then(rotation));
        rotating_since.change(before.and_then(since), now.and_then(since));
        unresolved.change(before.and_then(lost), now.and_then(lost));
    }

    /// How many credentials have not been seen for longer than each age, of those that were observed.
    fn unseen(&self, now: Timestamp) -> Vec<(&'static str, u64)> {
        let mut counts: Vec<_> = AGES.iter().map(|(label, _)| (*label, 0)).chain([(EVER, 0)]).collect();
        for (seen, number) in self.0.last_seen.counts() {
            match seen {
                LastSeen::Never => counts[AGES.len()].1 += number,
                LastSeen::Hour(hour) => {
                    let age = hour_of(now) - hour;
                    let older = AGES.iter().take_while(|(_, hours)| age >= *hours).count();
                    counts[..older].iter_mut().for_each(|(_, count)| *count += number);
                }
            }
        }
        counts
    }
}

impl Collector for ResourceCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        let reasons = by_reason(self.0.reasons.counts());
        write_metric(encoder, "resources", "Resources by the reason of their Ready condition", &reasons)?;
        let unseen: Family<AgeLabel, Gauge> = Family::default();
        for (longer_than, number) in self.unseen(Timestamp::now()) {
            unseen.get_or_create(&AgeLabel { longer_than }).set(gauge(number));
        }
        let help = "Managed credentials whose lastSeenTime is longer ago than this, or that were never seen";
        write_metric(encoder, "credentials_unseen", help, &unseen)?;
        let none = ROTATING.iter().map(|reason| (reason.to_string(), 0));
        let rotating = by_reason(none.chain(self.0.rotating.counts()).collect());
        let help = "Resources whose credential is being rotated, by the reason of their Rotating condition";
        write_metric(encoder, "resources_rotating", help, &rotating)?;
        let oldest: Family<[(&str, &str); 0], Gauge> = Family::default();
        if let Some((since, _)) = self.0.rotating_since.counts().first_key_value() {
            oldest.get_or_create(&[]).set(since.as_second());
        }
        let help = "When the longest of the rotations that are under way began; no value while there is none";
        write_metric(encoder, "oldest_rotation_start_timestamp_seconds", help, &oldest)?;
        let unresolved = ConstGauge::new(gauge(self.0.unresolved.counts().into_values().sum()));
        let help = "Resources with a creation at Confidence whose outcome stayed unknown";
        write_metric(encoder, "resources_with_unresolved_attempts", help, &unresolved)
    }
}

fn by_reason(counts: BTreeMap<String, u64>) -> Family<ReasonLabel, Gauge> {
    let family: Family<ReasonLabel, Gauge> = Family::default();
    for (reason, number) in counts {
        family.get_or_create(&ReasonLabel { reason }).set(gauge(number));
    }
    family
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(3600)
}

fn condition(object: &ConfidenceClientCredential, r#type: Type) -> Option<String> {
    Some(find(&object.status.as_ref()?.conditions, r#type)?.reason.clone())
}

fn reason(object: &ConfidenceClientCredential) -> String {
    condition(object, Type::Ready).unwrap_or_else(|| "Pending".to_owned())
}

fn rotation(object: &ConfidenceClientCredential) -> Option<String> {
    condition(object, Type::Rotating)
}

fn seen(object: &ConfidenceClientCredential) -> Option<LastSeen> {
    let status = object.status.as_ref().filter(|it| it.name.is_some())?;
    Some(status.last_seen_time.as_ref().map_or(LastSeen::Never, |time| LastSeen::Hour(hour_of(time.0))))
}

fn since(object: &ConfidenceClientCredential) -> Option<Timestamp> {
    let rotation = object.status.as_ref()?.rotation.as_ref()?;
    rotation.superseded.iter().map(|it| it.since.0).min()
}

fn lost(object: &ConfidenceClientCredential) -> Option<()> {
    let rotation = object.status.as_ref()?.rotation.as_ref()?;
    (!rotation.unresolved_attempts.is_empty()).then_some(())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::api::conditions::{Truth, Verdict, transition};
    use crate::api::status::{Rotation, Superseded, Time};
    use crate::api::{ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus as Status};

    fn object(status: Option<Status>) -> ConfidenceClientCredential {
        ConfidenceClientCredential {
            status,
            ..ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default())
        }
    }

    #[test]
    fn unused_credentials_are_counted_in_few_series() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
        let counts = ResourceCounts::default();
        for hours in [Some(1), Some(24), Some(200), Some(24 * 100), None] {
            let last_seen_time = hours.map(|hours| Time(now - SignedDuration::from_hours(hours)));
            let name = Some("clients/c/credentials/k".to_owned());
            counts.change(None, Some(&object(Some(Status { name, last_seen_time, ..Status::default() }))));
        }
        counts.change(None, Some(&object(None)));
        assert_eq!(counts.unseen(now), [("1d", 3), ("7d", 2), ("30d", 1), ("90d", 1), ("ever", 1)]);
    }

    #[test]
    fn scrape_shows_rotations_until_they_end() {
        let mut registry = prometheus_client::registry::Registry::default();
        let counts = ResourceCounts::default();
        registry.register_collector(Box::new(counts.clone()));
        let scrape = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).map(|()| text).unwrap_or_default()
        };
        let rotating = |since| {
            let superseded = |second| Superseded {
                name: "clients/c/credentials/old".to_owned(),
                since: Time(Timestamp::from_second(second).unwrap_or_default()),
                last_seen_time: None,
                why: "Rotated".to_owned(),
            };
            let message = String::new();
            let verdict =
                Verdict { r#type: Type::Rotating, truth: Truth::True, reason: Reason::OldStillInUse, message };
            object(Some(Status {
                conditions: transition(&[], vec![verdict], None, Timestamp::UNIX_EPOCH),
                rotation: Some(Rotation {
                    superseded: vec![superseded(since + 5), superseded(since)],
                    unresolved_attempts: vec!["1-0".to_owned()],
                    ..Rotation::default()
                }),
                ..Status::default()
            }))
        };
        let (first, second) = (rotating(100), rotating(200));
        counts.change(None, Some(&first));
        counts.change(None, Some(&second));
        for line in [
            r#"resources_rotating{reason="OldStillInUse"} 2"#,
            r#"resources_rotating{reason="NewNotSeen"} 0"#,
            "oldest_rotation_start_timestamp_seconds{} 100",
            "resources_with_unresolved_attempts 2",
        ] {
            assert!(scrape().contains(line), "{line} is missing in\n{}", scrape());
        }
        counts.change(Some(&first), Some(&object(None)));
        assert!(scrape().contains("oldest_rotation_start_timestamp_seconds{} 200"), "{}", scrape());
        counts.change(Some(&second), None);
        assert!(!scrape().contains("start_timestamp_seconds{} "), "{}", scrape());
        assert!(scrape().contains(r#"resources{reason="Pending"} 1"#), "{}", scrape());
    }
}
