//! Misbehaviour: which calls it meets, how often, and what it is.

use serde::{Deserialize, Serialize};

use crate::api::{Call, CallKind};

/// A fault that meets some calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only calls of this kind.
    #[serde(default)]
    pub kind: Option<CallKind>,
    /// Only calls about the credential with this id.
    #[serde(default)]
    pub credential: Option<String>,
    /// So many calls that would match go by first.
    #[serde(default)]
    pub skip: u32,
    /// So many calls are met; all, where this is absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub what: FaultKind,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// This status, with a `google.rpc.Status`, before anything is done.
    Status {
        /// The HTTP status.
        code: u16,
        /// The `Retry-After` header.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The connection is reset before anything is done.
    Reset,
    /// The call is carried out, and the connection is reset before the answer.
    ResetAfter,
    /// Nothing is done, and there is never an answer.
    Hang,
    /// The call is carried out, and there is never an answer.
    HangAfter,
    /// A page of HTML, with this status, before anything is done.
    Html {
        /// The HTTP status.
        code: u16,
    },
    /// No body, with this status, before anything is done.
    Empty {
        /// The HTTP status.
        code: u16,
    },
    /// The call is carried out; the answer breaks off in the middle of the JSON.
    BrokenJson,
    /// The call is carried out; the answer is JSON of another shape.
    WrongShape,
    /// The call is carried out; the answer is this large.
    Huge {
        /// In bytes.
        bytes: usize,
    },
    /// The call is carried out; the answer has fields and an SDK type that nobody knows.
    Unknown,
    /// The call is answered with success, but these fields (paths of the mask) keep their values.
    NotTaken {
        /// The paths.
        fields: Vec<String>,
    },
    /// The call takes this much longer.
    Slow {
        /// In milliseconds.
        milliseconds: u64,
    },
    /// The call is carried out; the name in the answer is none.
    BadName,
}

impl Fault {
    /// A fault that meets every call.
    pub fn always(what: FaultKind) -> Self {
        Self { kind: None, credential: None, skip: 0, times: None, what }
    }

    /// Meets only so many calls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets so many calls go by first.
    #[must_use]
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Meets only calls of a kind.
    #[must_use]
    pub fn on(self, kind: CallKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Meets only calls about a credential.
    #[must_use]
    pub fn about(self, credential: &str) -> Self {
        Self { credential: Some(credential.to_owned()), ..self }
    }

    fn matches(&self, call: &Call) -> bool {
        self.kind.is_none_or(|kind| kind == call.kind)
            && self.credential.as_ref().is_none_or(|id| call.credential.as_ref() == Some(id))
    }
}

/// The fault that meets a call, counted down.
pub(crate) fn take(faults: &mut Vec<Fault>, call: &Call) -> Option<FaultKind> {
    for fault in faults.iter_mut().filter(|fault| fault.matches(call)) {
        if fault.skip > 0 {
            fault.skip -= 1;
            continue;
        }
        let what = fault.what.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        faults.retain(|fault| fault.times != Some(0));
        return Some(what);
    }
    None
}
