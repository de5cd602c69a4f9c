//! Who makes a call, and how urgent it is.

use std::sync::Arc;

/// Which calls go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Somebody asked for it: ahead of all background work.
    Interactive,
    /// A check for drift, or the correction of it.
    #[default]
    Background,
}

impl Priority {
    /// Every priority.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Background];

    /// The label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Background => "background",
        }
    }
}

/// Who makes a call.
///
/// Within each priority the account serves flows in turn, as the API server does in its priority and fairness. Here a flow
/// is a namespace, so one with ten thousand resources delays another by one call at most.
///
/// ```
/// use confidence_operator::confidence::{Priority, Requester};
///
/// let requester = Requester::interactive("team-checkout");
/// assert_eq!((requester.priority, &*requester.flow), (Priority::Interactive, "team-checkout"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// How urgent the call is.
    pub priority: Priority,
    /// Whose calls take turns with those of others.
    pub flow: Arc<str>,
}

impl Requester {
    /// A requester of a flow.
    pub fn new(priority: Priority, flow: impl Into<Arc<str>>) -> Self {
        Self { priority, flow: flow.into() }
    }

    /// For what somebody asked for.
    pub fn interactive(flow: impl Into<Arc<str>>) -> Self {
        Self::new(Priority::Interactive, flow)
    }

    /// For checks, and for corrections of drift.
    pub fn background(flow: impl Into<Arc<str>>) -> Self {
        Self::new(Priority::Background, flow)
    }
}
