//! The Helm chart and everything that is made from it, tested without the operator: what the chart renders, refuses and
//! documents, the alerts and the dashboard, the plain manifests, and what a real API server says to all of it.
//!
//! What is generated is checked against the files of the repository; `GENERATE=1` writes them anew instead.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod chart {
    mod api_server;
    mod cluster;
    mod conformance;
    mod generated;
    mod image;
    mod kubernetes;
    mod lint;
    mod monitoring;
    mod rights;
    mod schema;
    mod snapshots;
    mod support;
    mod values_schema;
}
