//! The whole program in one thread and in paused time, driven through random schedules.
//!
//! The replica is the program's own, kube-runtime's controller included; only the sockets are not: the API server is one in
//! memory (`api`), Confidence is the simulator's router behind the wire of `account`. A schedule is drawn from a seed
//! (`schedule`) and played (`play`); `judge` holds the invariants at each call and at each write, `oracle` says what everything
//! is to be like in the end; `lifecycle` has all of that for the credentials that the operator creates. A schedule that fails
//! prints its seed and everything that happened; `SIMULATION_SEED=<seed>` plays it again, with the operator's log at the level
//! of `RUST_LOG`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod account;
mod api;
mod disturbance;
mod files;
mod history;
mod judge;
mod lifecycle;
mod oracle;
mod play;
mod process;
mod record;
mod replicas;
mod scenarios;
mod schedule;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use self::play::{End, play};
use self::schedule::Schedule;

/// So many schedules are played where `SIMULATION_SCHEDULES` does not say.
const SCHEDULES: u64 = 10_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Plays the schedule of a seed; tells what went wrong.
fn fails(seed: u64, play: impl Fn(u64) -> End) -> Option<String> {
    let end = catch_unwind(AssertUnwindSafe(|| play(seed)));
    let End { lines, wrong } = end.unwrap_or_else(|_| End { lines: Vec::new(), wrong: Some("a panic".to_owned()) });
    wrong.map(|wrong| format!("seed {seed}: {wrong}\n{}\nplay it again with SIMULATION_SEED={seed}", lines.join("\n")))
}

/// Plays the schedules of so many seeds, or the one of `SIMULATION_SEED`.
fn play_all(schedules: u64, play: impl Fn(u64) -> End + Sync) {
    if let Some(seed) = variable("SIMULATION_SEED") {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().without_time().with_env_filter(filter).with_writer(std::io::stderr).init();
        let failure = fails(seed, &play);
        assert!(failure.is_none(), "{}", failure.unwrap_or_default());
        eprintln!("{}", play(seed).lines.join("\n"));
        return;
    }
    let schedules = variable("SIMULATION_SCHEDULES").unwrap_or(schedules);
    let (next, began) = (AtomicU64::new(0), std::time::Instant::now());
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules {
                return None;
            }
            if let Some(failure) = fails(seed, &play) {
                next.store(schedules, Ordering::Relaxed);
                return Some(failure);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
        players.into_iter().filter_map(|player| player.join().unwrap()).collect()
    });
    // Whether CI has time for them is to be seen there.
    let took = began.elapsed().as_secs_f64();
    record::show(format_args!("{schedules} schedules in {took:.1} s on {threads} threads"));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_invariants_hold_in_random_schedules() {
    play_all(SCHEDULES, |seed| play(seed, &Schedule::of(seed)));
}

#[test]
fn a_schedule_is_the_same_each_time_that_it_is_played() {
    for seed in 0..50 {
        let schedule = Schedule::of(seed);
        let (first, second) = (play(seed, &schedule).lines, play(seed, &schedule).lines);
        let differs = first.iter().zip(&second).position(|(first, second)| first != second);
        let differs = differs.map(|at| (&first[..=at], &second[at]));
        assert!(differs.is_none() && first.len() == second.len(), "seed {seed}: {differs:#?}");
    }
}
