use std::time::Duration;

use super::*;
use crate::confidence::admission::BlockCause;
use crate::confidence::error::Recovery;

fn now() -> Now {
    Now { instant: Instant::now(), wall: "2026-01-01T00:00:00Z".parse().unwrap() }
}

fn request(effect: Effect, is_proven: bool) -> RequestContext<'static> {
    RequestContext { effect, is_proven, secrets: SentSecrets::default() }
}

fn response(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn classified(effect: Effect, is_proven: bool, status: u16, body: &str) -> Error {
    Error::from_response(request(effect, is_proven), &response(status, body), now())
}

fn no_response(effect: Effect, fault: TransportFault) -> Error {
    Error::from_transport(effect, &TransportError { fault, detail: "why".to_owned() })
}

/// The names, numbers and HTTP mapping of google/rpc/code.proto, with what each asks of us.
#[test]
fn codes_of_google_rpc_decide() {
    use Recovery::{Retry, UserAction};
    for (name, code, status, cause, recovery, write_is_unknown) in [
        ("CANCELLED", 1, 499, Cause::ServerError, Retry, true),
        ("UNKNOWN", 2, 500, Cause::ServerError, Retry, true),
        ("INVALID_ARGUMENT", 3, 400, Cause::InvalidRequest, UserAction, false),
        ("DEADLINE_EXCEEDED", 4, 504, Cause::TimedOut, Retry, true),
        ("NOT_FOUND", 5, 404, Cause::NotFound, UserAction, false),
        ("ALREADY_EXISTS", 6, 409, Cause::Conflict, Retry, false),
        ("PERMISSION_DENIED", 7, 403, Cause::Forbidden, UserAction, false),
        ("RESOURCE_EXHAUSTED", 8, 429, Cause::RateLimited, Retry, false),
        ("FAILED_PRECONDITION", 9, 400, Cause::InvalidRequest, UserAction, false),
        ("ABORTED", 10, 409, Cause::Conflict, Retry, false),
        ("OUT_OF_RANGE", 11, 400, Cause::InvalidRequest, UserAction, false),
        ("UNIMPLEMENTED", 12, 501, Cause::Unsupported, UserAction, false),
        ("INTERNAL", 13, 500, Cause::ServerError, Retry, true),
        ("UNAVAILABLE", 14, 503, Cause::ServerError, Retry, true),
        ("DATA_LOSS", 15, 500, Cause::ServerError, Retry, true),
        ("UNAUTHENTICATED", 16, 401, Cause::Unauthenticated, Retry, false),
    ] {
        let body = format!(r#"{{"code":{code},"message":"so it is","details":[]}}"#);
        // The code goes first: a proxy may have changed the status.
        for status in [status, 418] {
            for (effect, is_unknown) in [(Effect::Read, false), (Effect::Write, write_is_unknown)] {
                let error = classified(effect, true, status, &body);
                if name == "UNKNOWN" && status == 418 {
                    assert_eq!(error.cause(), Cause::InvalidRequest, "the status decides");
                    continue;
                }
                assert_eq!((error.cause(), error.recovery()), (cause, recovery), "{name} as {status}");
                assert_eq!(error.outcome_unknown(), is_unknown, "{name} as {status} {effect:?}");
            }
        }
    }
}

/// HTML of a load balancer, a proxy or a captive portal says nothing of the credential.
#[test]
fn foreign_words_pass_once_the_url_is_proven() {
    for status in [301, 302, 307, 400, 403, 404, 405, 409, 410, 413, 418, 431, 451, 501] {
        for body in ["", "<html>default backend - 404</html>", r#"{"code":404,"message":"no route"}"#] {
            let read = classified(Effect::Read, true, status, body);
            assert_eq!((read.cause(), read.recovery()), (Cause::InvalidResponse, Recovery::Retry), "{status} {body}");
            assert!(classified(Effect::Write, true, status, body).outcome_unknown(), "{status} {body}");
        }
    }
}

/// Until the first good answer, the same words mean that the URL or the server is the wrong one.
#[test]
fn foreign_words_need_a_person_on_an_unproven_url() {
    for (status, cause) in [
        (302, Cause::Unsupported),
        (400, Cause::InvalidRequest),
        (403, Cause::Forbidden),
        (404, Cause::Unsupported),
        (405, Cause::Unsupported),
        (410, Cause::Unsupported),
        (413, Cause::InvalidRequest),
        (501, Cause::Unsupported),
    ] {
        for body in ["", "<html>no</html>", r#"{"type":"x","title":"y","status":404}"#] {
            let error = classified(Effect::Write, false, status, body);
            assert_eq!((error.cause(), error.recovery()), (cause, Recovery::UserAction), "{status} {body}");
            assert!(!error.outcome_unknown(), "{status} {body}");
        }
    }
}

/// A token endpoint need not speak `google.rpc.Status`.
#[test]
fn oauth_refusal_is_no_proxys_failure() {
    assert_eq!(classified(Effect::Read, true, 400, r#"{"error":"invalid_client"}"#).cause(), Cause::InvalidRequest);
    assert_eq!(classified(Effect::Read, true, 400, r#"{"error":"bad gateway"}"#).cause(), Cause::InvalidResponse);
}

/// 408, 421, 423, 425, 499 and the 5xx pass, whoever says them; so do 401, 407 and 429.
#[test]
fn passing_statuses_pass_whoever_answers() {
    for (status, cause, write_is_unknown) in [
        (401, Cause::Unauthenticated, false),
        (407, Cause::Unreachable, false),
        (408, Cause::TimedOut, true),
        (421, Cause::ServerError, true),
        (423, Cause::ServerError, true),
        (425, Cause::ServerError, true),
        (429, Cause::RateLimited, false),
        (499, Cause::ServerError, true),
        (500, Cause::ServerError, true),
        (502, Cause::ServerError, true),
        (503, Cause::ServerError, true),
        (504, Cause::TimedOut, true),
        (599, Cause::ServerError, true),
    ] {
        for is_proven in [false, true] {
            let error = classified(Effect::Write, is_proven, status, "<html>");
            assert_eq!((error.cause(), error.recovery()), (cause, Recovery::Retry), "{status}");
            assert_eq!(error.outcome_unknown(), write_is_unknown, "{status}");
        }
    }
}

#[test]
fn only_sent_requests_have_an_unknown_outcome() {
    for (fault, cause, unknown) in [
        (TransportFault::Refused, Cause::Unreachable, false),
        (TransportFault::Dns, Cause::Unreachable, false),
        (TransportFault::Connect, Cause::Unreachable, false),
        (TransportFault::Tls, Cause::TlsFailed, false),
        (TransportFault::Withheld, Cause::NotLeader, false),
        (TransportFault::Broken, Cause::ConnectionLost, true),
        (TransportFault::TimedOut, Cause::TimedOut, true),
        (TransportFault::TooLarge, Cause::ResponseTooLarge, true),
    ] {
        let (read, write) = (no_response(Effect::Read, fault), no_response(Effect::Write, fault));
        assert_eq!((read.cause(), write.cause()), (cause, cause));
        assert_eq!((read.outcome_unknown(), write.outcome_unknown()), (false, unknown), "{fault:?}");
        let recovery = if cause == Cause::NotLeader { Recovery::None } else { Recovery::Retry };
        assert_eq!((read.recovery(), write.recovery()), (recovery, recovery), "{fault:?}");
    }
}

#[test]
fn unreadable_success_leaves_a_write_unknown() {
    let unreadable = |effect| Error::from_unreadable(effect, StatusCode::OK, "x");
    assert!(unreadable(Effect::Write).outcome_unknown() && !unreadable(Effect::Read).outcome_unknown());
    assert_eq!(unreadable(Effect::Write).recovery(), Recovery::Retry);
}

#[test]
fn retry_after_is_the_time_to_come_back() {
    let answer = Response::builder().status(409).header("retry-after", "7").body(Bytes::new()).unwrap();
    let now = now();
    let error = Error::from_response(request(Effect::Read, false), &answer, now);
    assert_eq!(error.retry_at(), Some(now.instant + Duration::from_secs(7)));
}

/// While the account is blocked, recovery is the account's, and a write's unknown outcome stays known as such.
#[test]
fn blocked_account_keeps_an_unknown_outcome() {
    let lost = no_response(Effect::Write, TransportFault::Broken);
    let failed = classified(Effect::Read, true, 503, "");
    let blocked = failed.as_blocking(BlockCause::ServiceUnavailable).with_outcome_of(&lost);
    assert_eq!((blocked.cause(), blocked.recovery()), (Cause::ServiceUnavailable, Recovery::Account));
    assert!(blocked.outcome_unknown());
    assert!(blocked.to_string().contains("HTTP 503"), "{blocked}");
}

/// What every resource is told while the account is blocked holds no words about the credential of one of them.
#[test]
fn blocked_account_repeats_no_word_of_one_credential() {
    let body = r#"{"code":8,"message":"too many changes of clients/other-team/credentials/k"}"#;
    let refusal = classified(Effect::Write, true, 429, body);
    assert!(refusal.to_string().contains("other-team"), "{refusal}");
    let told = refusal.as_blocking(BlockCause::RateLimited);
    assert!(told.to_string().contains("HTTP 429"), "{told}");
    assert!(!format!("{told} {told:?}").contains("other-team"), "{told:?}");
    // A failed token call, or the lack of a connection, is everybody's.
    let exchange = classified(Effect::Read, true, 403, r#"{"code":7,"message":"this account is closed"}"#);
    assert!(exchange.account_wide().as_blocking(BlockCause::Unauthenticated).to_string().contains("is closed"));
    let unreachable = no_response(Effect::Read, TransportFault::Connect);
    assert!(unreachable.as_blocking(BlockCause::ServiceUnavailable).to_string().contains("why"));
}

#[test]
fn servers_words_are_one_short_line() {
    let body = format!(r#"{{"code":3,"message":"bad\nname\u001b[31m {}"}}"#, "x".repeat(999));
    let text = classified(Effect::Write, true, 400, &body).to_string();
    assert!(text.contains("HTTP 400: bad name"), "{text}");
    assert!(!text.contains(char::is_control) && text.len() < 500, "{text}");
}

#[test]
fn html_is_not_repeated() {
    assert!(!classified(Effect::Read, false, 502, "<html>nginx</html>").to_string().contains("nginx"));
}

#[test]
fn echoed_token_is_not_repeated() {
    let token = "t0ken-of-ours".into();
    let secrets = SentSecrets { in_body: false, token: Some(&token) };
    let answer = response(400, r#"{"code":3,"message":"no such thing: Bearer T0KEN-OF"}"#);
    let request = RequestContext { secrets, ..request(Effect::Read, true) };
    let error = Error::from_response(request, &answer, now());
    assert!(!format!("{error} {error:?}").to_lowercase().contains("t0ken"), "{error}");
}
