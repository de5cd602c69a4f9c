//! Notices new credentials of the account: at once where somebody else watches them, by reading the files else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::executor::Executor;
use crate::confidence::auth::READ_INTERVAL;
use crate::confidence::settings::CredentialValues;

/// How often files are read while the server refuses nothing.
pub(super) const QUIET_INTERVAL: Duration = Duration::from_secs(15);

/// Starts the watch, if the credentials can change.
pub(super) fn start(executor: &Arc<Executor>) -> Option<AbortHandle> {
    executor.credentials().borrow().as_ref()?;
    let executor = Arc::clone(executor);
    let task = match executor.watched_credentials() {
        Some(news) => tokio::spawn(follow(executor, news)),
        None => tokio::spawn(read_files(executor)),
    };
    Some(task.abort_handle())
}

async fn follow(executor: Arc<Executor>, mut news: watch::Receiver<Option<CredentialValues>>) {
    while news.changed().await.is_ok() {
        executor.check_credentials();
    }
}

/// Reads the files more often for a while after a refusal.
async fn read_files(executor: Arc<Executor>) {
    let mut interval = QUIET_INTERVAL;
    loop {
        tokio::select! {
            biased;
            () = executor.until_refused(), if interval == QUIET_INTERVAL => interval = READ_INTERVAL,
            () = tokio::time::sleep(interval) => {
                executor.check_credentials();
                interval = QUIET_INTERVAL;
            }
        }
    }
}
