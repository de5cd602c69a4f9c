//! How a replica's way to the API server misbehaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// It is answered with this status, and nothing is done.
    Refused(u16),
    /// It is lost on the way there.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// There is never an answer, and nothing is done.
    Hangs,
}

/// The way to the API server. Cheap to clone.
#[derive(Clone)]
pub struct Trouble {
    random: Arc<Mutex<fastrand::Rng>>,
    /// How many of 100 requests go wrong.
    percent: watch::Sender<u32>,
    cut: watch::Sender<()>,
    dead: watch::Sender<()>,
}

impl Trouble {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            percent: watch::channel(0).0,
            cut: watch::channel(()).0,
            dead: watch::channel(()).0,
        }
    }

    /// So many of 100 requests go wrong from now on.
    pub fn set_percent(&self, percent: u32) {
        self.percent.send_replace(percent);
    }

    /// All open watches break off.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }

    /// All open watches are silent from now on, until the client notices.
    pub fn die(&self) {
        self.dead.send_replace(());
    }

    pub fn cuts(&self) -> watch::Receiver<()> {
        self.cut.subscribe()
    }

    pub fn deaths(&self) -> watch::Receiver<()> {
        self.dead.subscribe()
    }

    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(1..30))
    }

    pub fn fate(&self) -> Fate {
        let mut random = self.random.lock().unwrap();
        if random.u32(0..100) >= *self.percent.borrow() {
            return Fate::Fine;
        }
        match random.u32(0..8) {
            0 => Fate::Refused(500),
            1 => Fate::Refused(503),
            2 => Fate::Refused(409),
            3 => Fate::Refused(429),
            4 => Fate::LostBefore,
            5 => Fate::Hangs,
            _ => Fate::LostAfter,
        }
    }
}
