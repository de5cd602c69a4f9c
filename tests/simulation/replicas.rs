//! The replicas: in each place one process runs after the other.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::judge::Process;
use crate::lifecycle;
use crate::process::{self, Place};

/// All the replicas, and the dice for their starts.
pub struct Replicas {
    all: Vec<Replica>,
    random: fastrand::Rng,
}

struct Replica {
    place: Place,
    number: usize,
    running: Option<(JoinHandle<bool>, watch::Sender<bool>)>,
    /// When the next process starts.
    starts: Instant,
}

impl Replicas {
    pub fn new(places: impl IntoIterator<Item = Place>, random: fastrand::Rng) -> Self {
        let replica = |place| Replica { place, number: 0, running: None, starts: Instant::now() };
        Self { all: places.into_iter().map(replica).collect(), random }
    }

    pub fn place(&self, replica: usize) -> &Place {
        &self.all[replica].place
    }

    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.all.iter().map(|it| &it.place)
    }

    /// The processes that run.
    pub fn processes(&self) -> impl Iterator<Item = Process> {
        let running = self.all.iter().enumerate().filter(|(_, it)| it.running.is_some());
        running.map(|(replica, it)| Process { replica, number: it.number })
    }

    /// Time passes, and processes start again that have ended.
    pub async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.start();
            let next = self.all.iter().map(|it| it.starts).filter(|it| *it > Instant::now()).min();
            let tasks: Vec<_> = self.all.iter_mut().filter_map(|it| Some(&mut it.running.as_mut()?.0)).collect();
            let mut ended: FuturesUnordered<_> = tasks.into_iter().collect();
            let until = next.map_or(end, |next| next.min(end));
            tokio::select! {
                biased;
                Some(_) = ended.next(), if !ended.is_empty() => {}
                () = tokio::time::sleep_until(until) => {}
            }
            drop(ended);
            for (index, replica) in self.all.iter_mut().enumerate() {
                if replica.running.as_ref().is_some_and(|(task, _)| task.is_finished()) {
                    replica.place.judge.record.tell(format_args!("{index}/{} has ended", replica.number));
                    replica.end(index, self.random.u64(500..3_000));
                }
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    fn start(&mut self) {
        for (index, replica) in self.all.iter_mut().enumerate() {
            if replica.running.is_none() && replica.starts <= Instant::now() {
                replica.number += 1;
                let process = Process { replica: index, number: replica.number };
                replica.place.judge.record.tell(format_args!("{process} starts"));
                let (stop, stopped) = watch::channel(false);
                let run = process::run(process, self.random.u64(..), replica.place.clone(), stopped);
                replica.running = Some((tokio::task::spawn_local(run), stop));
            }
        }
    }

    /// A process is killed.
    pub fn crash(&mut self, replica: usize) {
        if let Some((task, _)) = &self.all[replica].running {
            task.abort();
        }
        let rest = self.random.u64(0..4_000);
        self.all[replica].end(replica, rest);
    }

    /// A process is told to stop.
    pub fn stop(&self, replica: usize) {
        if let Some((_, stop)) = &self.all[replica].running {
            stop.send_replace(true);
        }
    }
}

impl Replica {
    /// The process is over; another starts after so many milliseconds.
    fn end(&mut self, index: usize, rest: u64) {
        self.running = None;
        if let Some(history) = &self.place.judge.lifecycle {
            let process = Process { replica: index, number: self.number }.to_string();
            history.add(lifecycle::Event::ProcessEnded { process });
        }
        self.starts = Instant::now() + Duration::from_millis(rest);
    }
}
