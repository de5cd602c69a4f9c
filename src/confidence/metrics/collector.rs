//! What the admissions of the accounts know, read at each scrape.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{AccountLabels, Accounts, CauseLabels, PriorityLabels};
use crate::confidence::admission::{AccountState, BlockCause, Priority};

impl Collector for Accounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let blocked: Family<CauseLabels, Gauge> = Family::default();
        let rate: Family<AccountLabels, Gauge<f64, AtomicU64>> = Family::default();
        let depth: Family<PriorityLabels, Gauge> = Family::default();
        let accounts: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for account in accounts {
            let Some(snapshot) = account.admission().map(|it| it.snapshot()) else { continue };
            let label = || Arc::clone(&account.name);
            for cause in BlockCause::ALL {
                let is_it = matches!(snapshot.state, AccountState::Blocked { cause: it, .. } if it == cause);
                let labels = CauseLabels { account: label(), cause: cause.label() };
                blocked.get_or_create(&labels).set(i64::from(is_it));
            }
            rate.get_or_create(&AccountLabels { account: label() }).set(snapshot.requests_per_second);
            for priority in Priority::ALL {
                let waiting = match priority {
                    Priority::Interactive => snapshot.interactive,
                    Priority::Background => snapshot.background,
                };
                let labels = PriorityLabels { account: label(), priority: priority.label() };
                depth.get_or_create(&labels).set(i64::try_from(waiting).unwrap_or(i64::MAX));
            }
        }
        write_metric(&mut encoder, "account_blocked", "Whether the account is blocked, and why (0 or 1)", &blocked)?;
        write_metric(
            &mut encoder,
            "account_rate_limit_requests_per_second",
            "The requests a second that the account makes at most",
            &rate,
        )?;
        write_metric(&mut encoder, "account_queue_depth", "Calls that wait for a permit", &depth)
    }
}

/// Writes a metric whose value was read just now.
///
/// # Errors
/// As the encoder has them.
pub fn write_metric(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Result<(), fmt::Error> {
    // The registry ends a help text with a full stop; a collector does it itself.
    metric.encode(encoder.encode_descriptor(name, &format!("{help}."), None, metric.metric_type())?)
}
