//! What the API server counts of the operator's requests, from its own metrics.

use std::collections::BTreeMap;

use kube::Client;

/// Requests so far, by verb and resource, of the resources that the operator touches.
pub(super) type Requests = BTreeMap<String, u64>;

/// Reads the counts.
pub(super) async fn requests(client: &Client) -> Result<Requests, String> {
    let request = http::Request::get("/metrics").body(Vec::new()).map_err(|error| error.to_string())?;
    let text = client.request_text(request).await.map_err(|error| error.to_string())?;
    let mut requests = Requests::new();
    for line in text.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
        let (labels, value) = line.rsplit_once(' ').unwrap_or((line, "0"));
        let label = |name: &str| labels.split(&format!("{name}=\"")).nth(1)?.split('"').next();
        // A dry run writes nothing.
        if label("dry_run").is_some_and(|it| !it.is_empty()) {
            continue;
        }
        let (Some(resource), Some(verb)) = (label("resource"), label("verb")) else { continue };
        if !["confidenceclientcredentials", "secrets", "leases", "events"].contains(&resource) {
            continue;
        }
        let subresource = label("subresource").filter(|it| !it.is_empty());
        let what = subresource.map_or_else(|| resource.to_owned(), |it| format!("{resource}/{it}"));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count
        let count = value.parse::<f64>().unwrap_or_default() as u64;
        *requests.entry(format!("{verb} {what}")).or_default() += count;
    }
    Ok(requests)
}

/// What came between two readings.
pub(super) fn between(before: &Requests, after: &Requests) -> Requests {
    let more = |(what, count): (&String, &u64)| {
        let more = count.saturating_sub(before.get(what).copied().unwrap_or_default());
        (more > 0).then(|| (what.clone(), more))
    };
    after.iter().filter_map(more).collect()
}
