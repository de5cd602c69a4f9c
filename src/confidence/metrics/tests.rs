use super::*;

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn series_carry_their_account_and_end_with_it() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (a, b) = (metrics.account("a"), metrics.account("b"));
    let admission = Arc::new(Admission::new(20, Some(7)));
    for account in [&a, &b] {
        account.observe(&admission);
        account.request(CallKind::Get, Some(Cause::NotFound), Duration::ZERO);
        account.permit(Priority::Interactive, Duration::ZERO);
        account.token_expiry(TokenSource::Given, Some(Timestamp::UNIX_EPOCH));
        account.unreadable_entries(3);
    }
    for series in [
        r#"account_blocked{account="a",cause="rate_limited"} 0"#,
        r#"account_rate_limit_requests_per_second{account="b"} 20.0"#,
        r#"account_queue_depth{account="a",priority="background"} 0"#,
        r#"account_queue_duration_seconds_count{account="b",priority="interactive"} 1"#,
        r#"api_requests_total{account="a",method="get",outcome="not_found"} 1"#,
        r#"api_request_duration_seconds_count{account="a",method="get"} 1"#,
        r#"token_expiry_timestamp_seconds{account="a",source="given"} 0.0"#,
        r#"list_entries_unreadable_total{account="b"} 3"#,
        "# HELP account_blocked Whether the account is blocked, and why (0 or 1).\n",
        "# HELP api_requests Requests to Confidence by outcome.\n",
    ] {
        assert!(text(&registry).contains(series), "{series} in\n{}", text(&registry));
    }
    let clone = a.clone();
    drop(a);
    assert!(text(&registry).contains(r#"account="a""#));
    drop(clone);
    assert!(!text(&registry).contains(r#"account="a""#), "{}", text(&registry));
    assert!(text(&registry).contains(r#"account="b""#));
}
