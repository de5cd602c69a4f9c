//! Created credentials in random schedules: the same program, judged by the invariants of their lifecycle.
//!
//! `schedule` draws who does what, `act` does it, `play` plays it; `history` takes down what happens at both servers, and the
//! rules of `judge` are functions of that. `oracle` says what everything is to be like in the end.

mod act;
mod history;
mod judge;
mod oracle;
mod play;
mod schedule;
mod second_cluster;

pub use self::history::{Event, History, attempt_of};
use self::play::play;
use self::schedule::Schedule;

/// So many schedules are played where `SIMULATION_SCHEDULES` does not say.
const SCHEDULES: u64 = 1_000;

#[test]
fn created_credentials_keep_their_invariants() {
    crate::play_all(SCHEDULES, |seed| play(seed, &Schedule::of(seed)));
}

#[test]
fn a_schedule_of_created_credentials_is_the_same_each_time() {
    for seed in 0..10 {
        let schedule = Schedule::of(seed);
        let (first, second) = (play(seed, &schedule).lines, play(seed, &schedule).lines);
        let differs = first.iter().zip(&second).position(|(first, second)| first != second);
        let differs = differs.map(|at| (&first[..=at], &second[at]));
        assert!(differs.is_none() && first.len() == second.len(), "seed {seed}: {differs:#?}");
    }
}
