//! The operator as a process: started with flags, and what the kernel says of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::{Process, Program};

/// The flags of one run of the operator.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// `--interval`
    pub(super) interval: &'static str,
    /// `--requests-per-second`
    pub(super) rate: u32,
}

/// What is the same in all runs.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) binary: PathBuf,
    pub(super) kubeconfig: PathBuf,
    pub(super) confidence_url: String,
}

/// A running operator.
pub(super) struct Operator {
    process: Process,
    http: reqwest::Client,
    url: String,
}

impl Operator {
    pub(super) fn start(setting: &Setting, run: &Run) -> Result<Self, String> {
        let process = Program::new(&setting.binary)
            .env("KUBECONFIG", &setting.kubeconfig)
            .env("CONFIDENCE_TOKEN", "test-token")
            .env("LOG_FORMAT", "text")
            .args(["--listen", "127.0.0.1:0", "--confidence-url", &setting.confidence_url])
            .args(["--min-interval", "1s", "--interval", run.interval, "--requests-per-second", &run.rate.to_string()])
            .start()?;
        let line = process.wait_for_line(Duration::from_secs(30), |line| line.contains("address="))?;
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let url = format!("http://{}/metrics", address.ok_or("the operator does not say where it listens")?);
        Ok(Self { process, http: reqwest::Client::new(), url })
    }

    /// CPU seconds so far.
    pub(super) fn cpu(&self) -> Result<f64, String> {
        Stat::read(self.process.id())?.cpu()
    }

    /// The memory that is resident now, and the most that ever was, in MiB.
    pub(super) fn memory(&self) -> Result<(f64, f64), String> {
        let status = self.proc("status")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).ok_or(format!("no {name}"))
        };
        Ok((kib("VmRSS:")? / 1024.0, kib("VmHWM:")? / 1024.0))
    }

    /// The statuses that it wrote, by its own count. Read rarely: answering costs the operator CPU.
    pub(super) async fn status_writes(&self) -> Result<u64, String> {
        let answer = self.http.get(&self.url).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let line = text.lines().find_map(|line| line.strip_prefix("confidence_operator_status_writes_total "));
        line.and_then(|count| count.trim().parse().ok()).ok_or_else(|| "no count of status writes".to_owned())
    }

    pub(super) fn stop(mut self) -> Result<(), String> {
        self.process.terminate(Duration::from_secs(20)).map(drop)
    }

    fn proc(&self, file: &str) -> Result<String, String> {
        let path = Path::new("/proc").join(self.process.id().to_string()).join(file);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// What the kernel says of a process in `/proc/<pid>/stat`, from the state on: the name before it may hold anything.
struct Stat(Vec<String>);

impl Stat {
    fn read(pid: u32) -> Result<Self, String> {
        let path = format!("/proc/{pid}/stat");
        let stat = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        Ok(Self(fields.map(str::to_owned).collect()))
    }

    fn parent(&self) -> Option<u32> {
        self.0.get(1)?.parse().ok()
    }

    /// User and system, of all threads.
    fn cpu(&self) -> Result<f64, String> {
        let ticks = |index: usize| self.0.get(index).and_then(|it| it.parse::<f64>().ok()).ok_or("no CPU time");
        Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }
}

/// CPU seconds so far of the processes that a process started.
pub(super) fn cpu_of_children(parent: u32) -> Result<f64, String> {
    let processes = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // One that ends meanwhile is none of them.
    let children = pids.filter_map(|pid| Stat::read(pid).ok()).filter(|stat| stat.parent() == Some(parent));
    children.map(|stat| stat.cpu()).sum()
}

/// `USER_HZ` of Linux, on every platform that it runs on here.
const TICKS_PER_SECOND: f64 = 100.0;
