use std::time::Duration;

use super::*;
use crate::confidence::error::Remedy;
use crate::confidence::gate::BlockCause;

const RPC: &str = r#"{"code":5,"message":"no such thing","details":[]}"#;

fn now() -> Now {
    Now { instant: Instant::now(), wall: "2026-01-01T00:00:00Z".parse().unwrap() }
}

fn answer(effect: Effect, status: u16, body: &str) -> Error {
    let answer = Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    Error::of_answer(effect, &answer, &Secrets::default(), now())
}

fn no_answer(effect: Effect, fault: TransportFault) -> Error {
    Error::of_transport(effect, &TransportError { fault, detail: "why".to_owned() })
}

#[test]
fn each_status_has_its_cause_and_what_to_do_about_a_read_and_about_a_write() {
    use Remedy::{FixCredentials, FixResource, LookFirst, RetrySoon, WaitForAccount};
    for (status, cause, read, write) in [
        (302, Cause::Unsupported, FixResource, FixResource),
        (400, Cause::InvalidRequest, FixResource, FixResource),
        (401, Cause::Unauthenticated, FixCredentials, FixCredentials),
        (403, Cause::Forbidden, FixResource, FixResource),
        (404, Cause::NotFound, FixResource, FixResource),
        (405, Cause::Unsupported, FixResource, FixResource),
        (407, Cause::Unreachable, RetrySoon, RetrySoon),
        (408, Cause::TimedOut, RetrySoon, LookFirst),
        (409, Cause::Conflict, RetrySoon, RetrySoon),
        (410, Cause::NotFound, FixResource, FixResource),
        (413, Cause::InvalidRequest, FixResource, FixResource),
        (422, Cause::InvalidRequest, FixResource, FixResource),
        (429, Cause::RateLimited, WaitForAccount, WaitForAccount),
        (500, Cause::ServerError, RetrySoon, LookFirst),
        (501, Cause::Unsupported, FixResource, FixResource),
        (502, Cause::ServerError, RetrySoon, LookFirst),
        (503, Cause::ServerError, RetrySoon, LookFirst),
        (504, Cause::ServerError, RetrySoon, LookFirst),
        (599, Cause::ServerError, RetrySoon, LookFirst),
    ] {
        for (effect, remedy) in [(Effect::Read, read), (Effect::Write, write)] {
            let error = answer(effect, status, RPC);
            assert_eq!((error.cause(), error.remedy()), (cause, remedy), "{status} {effect:?}");
            assert_eq!(error.outcome_unknown(), remedy == LookFirst, "{status} {effect:?}");
        }
    }
}

#[test]
fn each_fault_of_the_transport_has_its_cause_and_only_what_may_be_sent_is_unknown() {
    for (fault, cause, unknown) in [
        (TransportFault::Refused, Cause::Unreachable, false),
        (TransportFault::Dns, Cause::Unreachable, false),
        (TransportFault::Connect, Cause::Unreachable, false),
        (TransportFault::Tls, Cause::TlsFailed, false),
        (TransportFault::Broken, Cause::ConnectionLost, true),
        (TransportFault::TimedOut, Cause::TimedOut, true),
        (TransportFault::TooLarge, Cause::ResponseTooLarge, true),
    ] {
        let (read, write) = (no_answer(Effect::Read, fault), no_answer(Effect::Write, fault));
        assert_eq!((read.cause(), write.cause()), (cause, cause));
        assert_eq!((read.outcome_unknown(), write.outcome_unknown()), (false, unknown), "{fault:?}");
        assert_eq!(read.remedy(), Remedy::RetrySoon);
        assert_eq!(write.remedy(), if unknown { Remedy::LookFirst } else { Remedy::RetrySoon }, "{fault:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_leaves_a_write_unknown() {
    assert_eq!(Error::of_unreadable(Effect::Write, "x").remedy(), Remedy::LookFirst);
    assert_eq!(Error::of_unreadable(Effect::Read, "x").remedy(), Remedy::RetrySoon);
}

#[test]
fn a_404_of_a_proxy_is_not_a_missing_credential() {
    for body in [
        "",
        "<html>not found</html>",
        r#"{"error":"not found"}"#,
        r#"{"code":"404","message":"no route"}"#,
        r#"{"type":"x","title":"y","status":404}"#,
    ] {
        assert_eq!(answer(Effect::Read, 404, body).cause(), Cause::Unsupported, "{body}");
    }
}

#[test]
fn the_time_that_the_server_names_is_the_time_to_come_back() {
    let answer = Response::builder().status(409).header("retry-after", "7").body(Bytes::new()).unwrap();
    let now = now();
    let error = Error::of_answer(Effect::Read, &answer, &Secrets::default(), now);
    assert_eq!(error.remedy(), Remedy::RetryAt(now.instant + Duration::from_secs(7)));
}

#[test]
fn while_the_account_is_held_the_way_out_is_the_accounts_and_an_unknown_outcome_stays_known_as_such() {
    let lost = no_answer(Effect::Write, TransportFault::Broken);
    let held = answer(Effect::Read, 503, "").for_the_account(BlockCause::ServiceUnavailable).with_outcome_of(&lost);
    assert_eq!((held.cause(), held.remedy()), (Cause::ServiceUnavailable, Remedy::WaitForAccount));
    assert!(held.outcome_unknown());
    assert!(held.to_string().contains("HTTP 503"), "{held}");
}

#[test]
fn the_sentence_repeats_the_servers_words_on_one_short_line() {
    let text =
        answer(Effect::Write, 400, &format!(r#"{{"code":3,"message":"bad\nname\u001b[31m {}"}}"#, "x".repeat(999)))
            .to_string();
    assert!(text.contains("HTTP 400: bad name"), "{text}");
    assert!(!text.contains(char::is_control) && text.len() < 500, "{text}");
}

#[test]
fn html_is_not_repeated() {
    assert!(!answer(Effect::Read, 502, "<html>nginx</html>").to_string().contains("nginx"));
}
