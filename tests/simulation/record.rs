//! What happened, a line each: printed when a schedule fails, and compared when it is replayed.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// The lines so far, and the first thing that must not happen.
#[derive(Clone)]
pub struct Record {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
    wrong: Arc<Mutex<Option<String>>>,
}

impl Record {
    pub fn new() -> Self {
        Self { began: Instant::now(), lines: Arc::default(), wrong: Arc::default() }
    }

    pub fn tell(&self, line: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        self.lines.lock().unwrap().push(format!("{at:9.3} {line}"));
    }

    /// Something that must not happen has happened.
    pub fn wrong(&self, what: impl std::fmt::Display) {
        self.tell(format_args!("WRONG: {what}"));
        self.wrong.lock().unwrap().get_or_insert_with(|| what.to_string());
    }

    pub fn first_wrong(&self) -> Option<String> {
        self.wrong.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// Shows a figure past the test harness, which shows nothing of a test that passes.
pub fn show(figure: impl std::fmt::Display) {
    let mut error = std::io::stderr().lock();
    writeln!(error, "{figure}").unwrap();
}
