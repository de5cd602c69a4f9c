//! The targets, and whether they are met: each row is made from the measurement that it is about, if that was made.

use super::report::{Ceiling, Report, count, percentile};
use super::stage::A_PAGE;
use super::watch::Measured;

/// A target, and what was measured.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) target: String,
    pub(super) measured: String,
    pub(super) met: bool,
}

impl Row {
    fn new(what: impl Into<String>, target: impl Into<String>, measured: impl Into<String>, met: bool) -> Self {
        Self { what: what.into(), target: target.into(), measured: measured.into(), met }
    }

    fn at_most(what: &str, value: f64, most: f64, unit: &str) -> Self {
        Self::new(what, format!("≤ {most:.2} {unit}"), format!("{value:.2} {unit}"), value <= most)
    }

    fn percent(what: &str, share: f64, target: &str, met: bool) -> Self {
        Self::new(what, target, format!("{:.0} %", share * 100.0), met)
    }
}

/// The rows of one size.
pub(super) fn rows(report: &Report, ceiling: &Ceiling) -> Vec<Row> {
    let of = |scenario: &str| report.of(ceiling.size, scenario);
    let mut rows = Vec::new();
    rows.extend(of("ten steady intervals").into_iter().flat_map(steady));
    rows.extend(of("1 % drifts").map(drift));
    rows.extend(of("cold").into_iter().flat_map(|it| cold(it, ceiling)));
    rows.extend(
        of("restart")
            .map(|it| Row::at_most("CPU to restart, nothing drifted", it.cpu_seconds, 0.1 * thousands(it), "CPU-s")),
    );
    rows.extend(of("two restarts of the API server").map(memory));
    rows.extend(
        of("cold, 50 ms")
            .map(|it| Row::at_most("cold convergence with 50 ms of latency", it.seconds, 2.5 * thousands(it), "s")),
    );
    rows.extend(of("restart, 50 ms").map(restart_slow));
    for (scenario, most) in EDITS {
        rows.extend(of(scenario).map(|it| edit(it, most)));
    }
    rows.extend(of("creates, budget 50/s").into_iter().flat_map(creates));
    rows.extend(of("restart over created credentials").map(restart_created));
    rows.extend(["quota of 50/s, budget 1000/s", "quota of 50/s, budget 50/s"].into_iter().filter_map(of).map(quota));
    rows.into_iter().map(|row| Row { what: format!("{}: {}", ceiling.size, row.what), ..row }).collect()
}

/// The most milliseconds that the slowest edits may take.
const EDITS: [(&str, f64); 4] = [
    ("edits, idle", 12.0),
    ("edits, 50 ms", 75.0),
    ("edits, during rounds", 50.0),
    // The budget alone is 50 ms of it.
    ("edits, everything drifted, 20/s", 200.0),
];

fn edit(it: &Measured, most: f64) -> Row {
    let (p50, p99) = (percentile(&it.latencies, 50), percentile(&it.latencies, 99));
    let what = format!("spec edit to update, p50 and p99: {}", it.scenario);
    Row::new(what, format!("p99 ≤ {most:.0} ms"), format!("{p50:.1} and {p99:.1} ms"), p99 <= most)
}

fn creates(it: &Measured) -> [Row; 2] {
    let (size, seconds) = (count(it.size as u64), it.until_right.unwrap_or(it.seconds));
    let writes = count(it.writes()) / size;
    [
        Row::at_most("created, at 50 calls a second", seconds, 25.0 * thousands(it), "s"),
        Row::new(
            "POSTs and writes to the API server for a create",
            "1 and ≤ 4",
            format!("{:.2} and {writes:.2}", count(it.calls("create")) / size),
            it.calls("create") == it.size as u64 && writes <= 4.0,
        ),
    ]
}

fn restart_created(it: &Measured) -> Row {
    let (lists, found) = (it.size.div_ceil(A_PAGE) as u64, (it.all_calls(), it.writes()));
    let (target, measured) = (format!("{lists} and 0"), format!("{} and {}", found.0, found.1));
    Row::new("restart over created credentials: calls, writes", target, measured, found == (lists, 0))
}

fn thousands(measured: &Measured) -> f64 {
    count(measured.size as u64) / 1000.0
}

fn steady(it: &Measured) -> [Row; 3] {
    let lists = 10 * it.size.div_ceil(A_PAGE) as u64;
    let writes = (it.status_writes(), it.calls("update"));
    // A thousand: 0.02; ten thousand: 0.15.
    let most = if it.size <= 1_000 { 0.02 } else { 0.015 * thousands(it) };
    [
        Row::new(
            "calls in ten steady intervals",
            lists.to_string(),
            it.all_calls().to_string(),
            it.all_calls() == lists,
        ),
        Row::new(
            "status writes and updates in them",
            "0 and 0",
            format!("{} and {}", writes.0, writes.1),
            writes == (0, 0),
        ),
        Row::at_most("CPU of one round", it.cpu_seconds / 10.0, most, "CPU-s"),
    ]
}

fn drift(it: &Measured) -> Row {
    let drifted = it.size.div_ceil(100) as u64;
    let found = (it.calls("update"), it.calls("get"));
    let text = |(updates, reads): (u64, u64)| format!("{updates} and {reads}");
    Row::new("updates and reads beside the lists, 1 % drifted", text((drifted, 0)), text(found), found == (drifted, 0))
}

fn cold(it: &Measured, ceiling: &Ceiling) -> [Row; 5] {
    let size = count(it.size as u64);
    let writes = count(it.status_writes()) / size;
    let share = size / it.seconds / ceiling.status_writes;
    let right = it.until_right.unwrap_or(it.seconds) / it.seconds;
    let cpu = it.control_plane_cpu_seconds * 1000.0 / count(it.status_writes().max(1));
    [
        Row::new(
            "CPU of the control plane for one resource in line, beside a plain client's for a status write",
            "–",
            format!("{cpu:.2} ms, {:.2} ms", ceiling.status_write_cpu),
            true,
        ),
        Row::new("status writes to bring one resource in line", "1", format!("{writes:.2}"), writes <= 1.0),
        Row::at_most("CPU to converge, all drifted", it.cpu_seconds, 0.3 * thousands(it), "CPU-s"),
        Row::percent("cold convergence, share of the ceiling of status writes", share, "≥ 90 %", share >= 0.9),
        Row::percent("of that time, until the server's side is right", right, "≤ 50 %", right <= 0.5),
    ]
}

fn memory(it: &Measured) -> Row {
    let most = match it.size {
        0..=1_000 => 20.0,
        1_001..=10_000 => 60.0,
        _ => 480.0,
    };
    Row::at_most("memory after relists", it.memory, most, "MiB")
}

fn restart_slow(it: &Measured) -> Row {
    let seconds = it.until_right.unwrap_or(it.seconds);
    let writes = it.status_writes();
    Row::new(
        "restart with 50 ms of latency, and status writes",
        "≤ 5 s, 0",
        format!("{seconds:.2} s, {writes}"),
        seconds <= 5.0 && writes == 0,
    )
}

fn quota(it: &Measured) -> Row {
    let seconds = it.until_right.unwrap_or(it.seconds);
    let most = 25.0 * thousands(it);
    let (all, refused) = (count(it.all_calls()), count(it.refused));
    let (used, refused) = ((all - refused) / (seconds * 50.0), refused / all);
    Row::new(
        format!("{}: converged, quota used, refused", it.scenario),
        format!("≤ {most:.0} s, ≥ 95 %, ≤ 1 %"),
        format!("{seconds:.1} s, {:.0} %, {:.1} %", used * 100.0, refused * 100.0),
        seconds <= most && used >= 0.95 && refused <= 0.01,
    )
}
