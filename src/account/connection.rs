//! The client of one account, and what Confidence said of its credentials.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::connector::{BudgetKey, BudgetShare};
use super::secret::SecretSource;
use super::status::Standing;
use super::{Account, Accounts, RATE_LIMIT_PATIENCE};
use crate::api::ConfidenceAccountSpec;
use crate::confidence::settings::CredentialValues;
use crate::confidence::{AccountState, BlockCause, Cause, Requester};

/// The wait after the first question that was not answered; it doubles up to [`MAX_ASK_WAIT`].
const MIN_ASK_WAIT: Duration = Duration::from_secs(5);

const MAX_ASK_WAIT: Duration = Duration::from_mins(5);

/// The client of the account, as it was made.
pub(super) struct Connection {
    pub(super) account: Arc<Account>,
    source: SecretSource,
    pub(super) key: BudgetKey,
    values: watch::Sender<Option<CredentialValues>>,
    share: BudgetShare,
    /// The version of the credentials that Confidence said something of, and what.
    answer: Option<(Option<u64>, Answer)>,
    unanswered: u32,
    ask_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    None,
}

impl Connection {
    pub(super) fn new(
        (account, share): (Arc<Account>, BudgetShare),
        source: SecretSource,
        key: BudgetKey,
        values: watch::Sender<Option<CredentialValues>>,
    ) -> Self {
        Self { account, source, key, values, share, answer: None, unanswered: 0, ask_at: None }
    }

    /// Whether the same client will do.
    pub(super) fn is_for(&self, source: &SecretSource, key: &BudgetKey) -> bool {
        self.source == *source && self.key == *key
    }

    pub(super) fn update(
        &mut self,
        spec: &ConfidenceAccountSpec,
        values: Option<CredentialValues>,
        accounts: &Accounts,
    ) {
        if let Some(connector) = accounts.connector() {
            self.share.set(connector.per_second(spec.requests_per_second));
        }
        self.values.send_replace(values);
    }

    fn version(&self) -> Option<u64> {
        *self.account.confidence.credentials().borrow()
    }

    /// Waits until the client has other credentials, or is blocked or available, or is to be asked again.
    pub(super) async fn changed(&self) {
        let (mut credentials, mut states) = (self.account.confidence.credentials(), self.account.confidence.account());
        if self.is_unasked() {
            return;
        }
        tokio::select! {
            biased;
            _ = credentials.changed() => {}
            _ = states.changed() => {}
            () = tokio::time::sleep_until(self.ask_at.unwrap_or_else(Instant::now)), if self.ask_at.is_some() => {}
        }
    }

    /// Whether Confidence was not asked about these credentials yet.
    fn is_unasked(&self) -> bool {
        self.answer.is_none_or(|(of, _)| of != self.version()) && self.values.borrow().is_some()
    }

    pub(super) async fn ask(&mut self, name: &Arc<str>) {
        let is_due = self.ask_at.is_some_and(|at| at <= Instant::now());
        if !self.is_unasked() && !is_due {
            return;
        }
        let version = self.version();
        let requester = Requester::background(Arc::clone(name));
        let answer = match self.account.confidence.list_clients(1, None, &requester).await {
            Ok(_) => Answer::Accepted,
            Err(error) if error.blocked().is_some() => Answer::None,
            Err(error) => answer_of(error.cause()),
        };
        self.answer = Some((version, answer));
        if answer == Answer::Accepted {
            (self.unanswered, self.ask_at) = (0, None);
        } else {
            let doublings = self.unanswered.min(8);
            self.unanswered = self.unanswered.saturating_add(1);
            self.ask_at = Some(Instant::now() + (MIN_ASK_WAIT * (1 << doublings)).min(MAX_ASK_WAIT));
        }
    }

    /// How the account stands; none where it is not worth a word, or not known.
    pub(super) fn standing(&self) -> Option<Standing> {
        match *self.account.confidence.account().borrow() {
            AccountState::Blocked { cause: BlockCause::RateLimited, until }
                if until.saturating_duration_since(Instant::now()) < RATE_LIMIT_PATIENCE =>
            {
                None
            }
            AccountState::Blocked { cause, .. } => Some(cause.into()),
            AccountState::Available => match self.answer?.1 {
                Answer::Accepted => Some(Standing::Authenticated),
                Answer::Refused => Some(Standing::Unauthenticated),
                Answer::None => Some(Standing::Unavailable),
            },
        }
    }
}

/// What Confidence said of the credentials by refusing the call. It refuses a call itself only after it accepted them.
fn answer_of(cause: Cause) -> Answer {
    match cause {
        Cause::Forbidden | Cause::NotFound | Cause::Unsupported | Cause::InvalidRequest => Answer::Accepted,
        Cause::Unauthenticated => Answer::Refused,
        _ => Answer::None,
    }
}
