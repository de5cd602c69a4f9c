//! The calls of the API: what happens to each, from its arrival to its answer.

mod answer;
mod credentials;
mod offer;
mod request;
mod token;

use std::time::Duration;

use axum::body::{self, Body};
use axum::extract::State as Extract;
use axum::http::{Request, StatusCode};
use axum::response::Response;

pub(crate) use answer::{Answer, Ending, Payload};
use request::Asked;

use crate::faults::FaultKind;
use crate::record::{CallKind, Settlement};
use crate::simulator::Simulator;
use crate::state::State;

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Why a call is refused: the HTTP status, and what the answer says.
#[derive(Debug)]
struct Refusal(u16, String);

/// What carrying a call out comes to.
struct Done {
    answer: Answer,
    violations: Vec<String>,
    changed: Option<bool>,
}

/// Answers one call: it meets its fault, is recorded, travels, is carried out, and its answer travels back.
pub(crate) async fn answer(Extract(simulator): Extract<Simulator>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let mut asked = Asked::from_head(&head);
    asked.call.fault = simulator.state().faults.take(&asked.call);
    let mut readable = true;
    if asked.call.fault != Some(FaultKind::Reset) {
        match body::to_bytes(body, MAX_BODY_BYTES).await {
            Ok(body) => asked.take_body(&body),
            Err(_) => readable = false,
        }
    }
    let index = simulator.arrived(&asked.call);
    let delay = asked.call.fault.as_ref().map_or(Duration::ZERO, FaultKind::delay);
    travel(simulator.half_latency() + delay).await;
    let ending = simulator.carry_out(index, &asked, readable);
    travel(simulator.half_latency()).await;
    ending.into_response().await
}

/// Not even a yield where there is no way to go.
async fn travel(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Simulator {
    /// Carries a call out, in one moment, and settles its record.
    fn carry_out(&self, index: usize, asked: &Asked, readable: bool) -> Ending {
        let mut state = self.state();
        let fault = asked.call.fault.as_ref();
        let instead = fault.and_then(|fault| fault.instead(&asked.call, state.config.contract));
        let (ending, violations, changed) = if let Some(ending) = instead {
            (ending, Vec::new(), None)
        } else {
            let Done { answer, violations, changed } = state.respond(asked, readable);
            let ending = match fault {
                Some(fault) => fault.spoil(answer),
                None => Ending::Answer(answer),
            };
            (ending, violations, changed)
        };
        let answer = (asked.call.kind == CallKind::Update).then(|| ending.json().cloned()).flatten();
        state.record.settle(index, Settlement { status: ending.status(), answer, violations, changed });
        drop(state);
        self.stir();
        ending
    }
}

impl State {
    fn respond(&mut self, asked: &Asked, readable: bool) -> Done {
        let without = |answer| Done { answer, violations: Vec::new(), changed: None };
        if !readable {
            return without(self.refuse(&Refusal(413, "the body could not be read, or is too large".to_owned())));
        }
        if let Some(answer) = self.not_offered(asked) {
            return without(answer);
        }
        if self.over_quota() {
            let answer = self.refuse(&Refusal(429, "the account is over its quota".to_owned()));
            return without(answer.with_retry_after(self.config.quota_retry_after.as_deref()));
        }
        self.call(asked).unwrap_or_else(|refusal| without(self.refuse(&refusal)))
    }

    fn call(&mut self, asked: &Asked) -> Result<Done, Refusal> {
        if asked.call.kind == CallKind::Token {
            return self.exchange(asked).map(Done::of);
        }
        let token = self.authorize(&asked.call)?;
        match asked.call.kind {
            CallKind::Get => self.get(asked).map(Done::of),
            CallKind::List => self.list(asked).map(Done::of),
            CallKind::Create => self.create(asked, &token).map(Done::of),
            CallKind::Delete => self.delete(asked).map(Done::of),
            _ => self.update(asked, &token),
        }
    }

    fn refuse(&self, Refusal(code, message): &Refusal) -> Answer {
        let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer::error(self.config.contract, status, message)
    }
}

impl Done {
    fn of(answer: Answer) -> Self {
        Self { answer, violations: Vec::new(), changed: None }
    }
}
