//! Progress of what takes long. It is on standard error, so that a result can be piped, and nowhere if that is no terminal.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the picture moves while nothing else does.
const TICK: Duration = Duration::from_millis(100);

/// A line that moves until it is dropped, and then leaves nothing behind.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of something that is done at some time.
    pub fn of(work: &'static str) -> Self {
        Self::start(ProgressBar::new_spinner(), "{spinner} {prefix}{msg}", work)
    }

    /// Of so many things of a kind.
    pub fn counting(work: &'static str, total: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
        Self::start(bar, "{spinner} {prefix}: {pos}/{len}{msg}", work)
    }

    fn start(bar: ProgressBar, template: &str, work: &'static str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(work);
        bar.tick();
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// One more thing is done.
    pub fn advance(&self) {
        self.0.inc(1);
    }

    /// Says more behind the work.
    pub fn say(&self, text: impl Into<Cow<'static, str>>) {
        self.0.set_message(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
