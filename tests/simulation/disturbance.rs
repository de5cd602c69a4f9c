//! What goes wrong around the program whatever its resources are: at Confidence, at the API server, between the two, and with
//! the processes.

use confidence_simulator::{Fault, Simulator};

use crate::api::{ApiServer, Store};
use crate::replicas::Replicas;

/// Something that goes wrong, or ends.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// Confidence misbehaves.
    Fault(Fault),
    /// All faults of Confidence end.
    Heal,
    /// So many of 100 requests of a replica to the API server go wrong.
    Trouble(usize, u32),
    /// A replica's watches break off, or are silent until that is noticed.
    Cut(usize),
    Silence(usize),
    /// The API server forgets what happened so far.
    Compact,
    /// A replica is killed, or told to stop; it starts again after a while.
    Crash(usize),
    Stop(usize),
    /// A replica reaches nobody, or everybody again.
    Partition(usize, bool),
}

impl Disturbance {
    /// Lets it happen.
    pub fn happen(&self, simulator: &Simulator, api: &ApiServer, replicas: &mut Replicas) {
        match self {
            Self::Fault(fault) => drop(simulator.fault(fault.clone())),
            Self::Heal => simulator.clear_faults(),
            Self::Trouble(replica, percent) => replicas.place(*replica).trouble.set_percent(*percent),
            Self::Cut(replica) => replicas.place(*replica).trouble.cut(),
            Self::Silence(replica) => replicas.place(*replica).trouble.die(),
            Self::Compact => api.with(Store::compact),
            Self::Crash(replica) => replicas.crash(*replica),
            Self::Stop(replica) => replicas.stop(*replica),
            Self::Partition(replica, there) => drop(replicas.place(*replica).partition.send_replace(*there)),
        }
    }
}
