//! Tells a Prometheus Pushgateway how many findings there are: an audit ends before anything could scrape it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use reqwest::{Method, Request};
use url::Url;

use super::finding::{Finding, Kind};
use crate::cli::plugin::CommandError;
use crate::confidence::transport::HttpClient;
use crate::metrics::PREFIX;

/// How long a push may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The metrics of the findings, as Prometheus reads them: every kind, so that one that is gone is told too.
pub(super) fn metrics(findings: &[Finding]) -> Result<String, CommandError> {
    let mut registry = Registry::with_prefix(PREFIX);
    let gauges = Family::<Vec<(String, String)>, Gauge>::default();
    registry.register("audit_findings", "Findings of the last audit, by kind", gauges.clone());
    for kind in Kind::value_variants() {
        let name = kind.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
        let count = findings.iter().filter(|it| it.kind == *kind).count();
        gauges.get_or_create(&vec![("kind".to_owned(), name)]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| CommandError::new(error.to_string()))?;
    Ok(text)
}

/// Where the metrics of one audit are at a Pushgateway: those of another namespace or account are left alone.
pub(super) fn group_url(pushgateway: &Url, namespace: &str, account: &str) -> String {
    // The name of an account may have a slash, which only this form of the Pushgateway takes.
    let account = URL_SAFE_NO_PAD.encode(account);
    let base = pushgateway.as_str().trim_end_matches('/');
    format!("{base}/metrics/job/confidence-operator-audit/namespace/{namespace}/account@base64/{account}")
}

/// Replaces the metrics of a group.
pub(super) async fn push(http: &HttpClient, url: &str, metrics: String) -> Result<(), CommandError> {
    let failed =
        |why: String| CommandError::new(format!("--pushgateway {url}: {why}; check the URL and that it is reachable"));
    let mut request =
        Request::new(Method::PUT, url.parse().map_err(|error: url::ParseError| failed(error.to_string()))?);
    *request.timeout_mut() = Some(TIMEOUT);
    *request.body_mut() = Some(metrics.into());
    let answer = http.execute(request).await.map_err(|error| failed(error.without_url().to_string()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(failed(format!("it answered HTTP {}", status.as_u16()))) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A kind without findings is 0, so that an alert ends.
    #[test]
    fn every_kind_has_its_metric() {
        let finding = Finding {
            kind: Kind::NeverSeen,
            credential: "clients/c/credentials/k".to_owned(),
            display_name: String::new(),
            resource: None,
            last_seen_time: None,
            fix: String::new(),
        };
        let text = metrics(&[finding]).unwrap();
        assert!(text.contains("confidence_operator_audit_findings{kind=\"never-seen\"} 1\n"), "{text}");
        assert!(text.contains("confidence_operator_audit_findings{kind=\"orphan\"} 0\n"), "{text}");
        assert_eq!(text.matches("{kind=").count(), Kind::value_variants().len());
    }

    /// Two accounts do not overwrite each other's metrics, whatever their names are.
    #[test]
    fn group_names_namespace_and_account() {
        let url = |account| group_url(&"http://gateway:9091/".parse().unwrap(), "ops", account);
        let expected =
            "http://gateway:9091/metrics/job/confidence-operator-audit/namespace/ops/account@base64/c2hvcC9ldQ";
        assert_eq!(url("shop/eu"), expected);
    }
}
