mod breaker;
mod order;
mod rate;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;

use super::*;

const NOTHING: Result<(), Error> = Ok(());

fn admission(requests_per_second: u32) -> Admission {
    Admission::new(requests_per_second, Some(7))
}

fn background() -> Requester {
    Requester::background("ns")
}

fn failed(cause: Cause) -> Result<(), Error> {
    Err(Error::new(cause, "why"))
}

/// As when the token call fails, or the server says when to come back.
fn failed_for_all(cause: Cause) -> Result<(), Error> {
    Err(Error::new(cause, "why").account_wide())
}

/// One call whose only request ends like this.
async fn call(admission: &Admission, about: &str, result: Result<(), Error>) -> Result<(), Error> {
    let call = admission.enter()?;
    let result = match (call.permit(&background()).await, result) {
        (Ok(permit), Ok(())) => {
            permit.accepted();
            Ok(())
        }
        (permit, result) => permit.and(result),
    };
    call.settle(about, result).0
}

fn until(admission: &Admission) -> Option<Instant> {
    match *admission.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { until, .. } => Some(until),
    }
}

fn cause(admission: &Admission) -> Option<BlockCause> {
    match *admission.account().borrow() {
        AccountState::Available => None,
        AccountState::Blocked { cause, .. } => Some(cause),
    }
}
