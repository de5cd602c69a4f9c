//! The calls of the API: what happens to each, from its arrival to its answer.
//!
//! A call arrives (it meets its fault and goes on record), travels, lands (it is carried out in one moment, and observers
//! see what it writes), is settled (its answer is decided on), and the answer travels back. A fault lets a call never
//! land, land late or land twice, and it changes the answer.

mod answer;
mod authorization;
mod credentials;
mod offer;
mod pages;
mod request;
mod resolve;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use answer::{Answer, Payload, Reply};
use request::ApiRequest;
pub(crate) use resolve::resolve;

use crate::faults::{Answered, FaultKind};
use crate::record::{CallKind, Landing};
use crate::simulator::Simulator;
use crate::state::State;

/// Why a call is refused: the HTTP status, and what the answer says.
#[derive(Debug)]
struct Refusal(u16, String);

/// What carrying a call out comes to.
struct CarriedOut {
    answer: Answer,
    landing: Landing,
}

/// Answers one call.
pub(crate) async fn answer(Extract(simulator): Extract<Simulator>, request: Request<Body>) -> Response {
    let request = Arc::new(simulator.arrive(ApiRequest::read(request).await));
    let delay = request.call.fault.as_ref().map_or(Duration::ZERO, FaultKind::delay);
    travel(simulator.half_latency() + delay).await;
    let reply = simulator.process(&request).await;
    travel(simulator.half_latency()).await;
    reply.into_response().await
}

/// Not even a yield where there is no way to go.
async fn travel(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Simulator {
    fn arrive(&self, mut request: ApiRequest) -> ApiRequest {
        let mut state = self.state();
        (request.call.account, request.call.identity) = state.identify(&request);
        request.call.fault = state.faults.take(&request.call);
        if request.call.fault == Some(FaultKind::Reset) {
            request.call.body = Value::Null;
        }
        request.call.index = state.arrive(&request.call);
        drop(state);
        self.notify();
        request
    }

    /// Carries a call out as its fault has it, and decides on the answer.
    async fn process(&self, request: &Arc<ApiRequest>) -> Reply {
        let reply = match &request.call.fault {
            None => Reply::Answer(self.land(request)),
            Some(FaultKind::LandsLate { milliseconds, hangs }) => {
                drop(self.land_later(request, *milliseconds));
                if *hangs { Reply::Hang } else { Reply::Reset }
            }
            Some(FaultKind::Repeated { milliseconds, answered }) => {
                let first = self.land(request);
                let second = self.land_later(request, *milliseconds);
                Reply::Answer(match answered {
                    Answered::First => first,
                    Answered::Second => second.await.unwrap_or(first),
                })
            }
            Some(fault) => match fault.instead(&request.call, self.config().contract) {
                Some(reply) => reply,
                None => fault.spoil(self.land(request)),
            },
        };
        self.settle(request, reply)
    }

    /// Carries a call out, in one moment.
    fn land(&self, request: &ApiRequest) -> Answer {
        let answer = self.state().respond(request);
        self.notify();
        answer
    }

    /// Carries a call out later, whether or not its caller is still there by then.
    fn land_later(&self, request: &Arc<ApiRequest>, milliseconds: u64) -> JoinHandle<Answer> {
        let (simulator, request) = (self.clone(), request.clone());
        let time = Instant::now() + Duration::from_millis(milliseconds);
        tokio::spawn(async move {
            tokio::time::sleep_until(time).await;
            simulator.land(&request)
        })
    }

    fn settle(&self, request: &ApiRequest, reply: Reply) -> Reply {
        let mut state = self.state();
        let is_write = matches!(request.call.kind, CallKind::Create | CallKind::Update);
        let answer = reply.json().filter(|_| is_write).cloned();
        state.record.settle(request.call.index, reply.status(), answer);
        let now = state.now();
        drop(state);
        self.notify();
        if request.call.fault == Some(FaultKind::WithoutDate) { reply } else { reply.with_date(now) }
    }
}

impl State {
    fn respond(&mut self, request: &ApiRequest) -> Answer {
        if !request.is_readable {
            return self.refuse(&Refusal(413, "the body could not be read, or is too large".to_owned()));
        }
        if let Some(answer) = self.not_offered(request) {
            return answer;
        }
        let account = request.call.account.as_deref();
        if self.is_over_quota(account) {
            let answer = self.refuse(&Refusal(429, "the account is over its quota".to_owned()));
            return answer.with_retry_after(self.config.quota_of(account.unwrap_or_default()).1);
        }
        match self.carry_out(request) {
            Ok(CarriedOut { answer, landing }) => {
                let now = self.now();
                self.record.land(request.call.index, now, landing);
                answer
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn carry_out(&mut self, request: &ApiRequest) -> Result<CarriedOut, Refusal> {
        if request.call.kind == CallKind::Token {
            return self.exchange(request).map(CarriedOut::of);
        }
        let caller = self.authorize(&request.call)?;
        match request.call.kind {
            CallKind::Get => self.get(request, &caller).map(CarriedOut::of),
            CallKind::List => self.list(request, &caller).map(CarriedOut::of),
            CallKind::ListClients => self.list_clients(request, &caller).map(CarriedOut::of),
            CallKind::Create => self.create(request, &caller),
            CallKind::Delete => self.delete(request, &caller).map(CarriedOut::of),
            _ => self.update(request, &caller),
        }
    }

    fn refuse(&self, Refusal(code, message): &Refusal) -> Answer {
        let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer::error(self.config.contract, status, message)
    }
}

impl CarriedOut {
    fn of(answer: Answer) -> Self {
        Self { answer, landing: Landing::default() }
    }
}
