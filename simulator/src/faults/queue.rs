//! Which call meets which fault.

use super::{Fault, FaultId, FaultKind};
use crate::record::Call;

/// The faults that are in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    faults: Vec<(FaultId, Fault)>,
    next: u64,
}

impl Queue {
    pub fn push(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.faults.push((id, fault));
        id
    }

    pub fn remove(&mut self, id: FaultId) -> bool {
        let before = self.faults.len();
        self.faults.retain(|(other, _)| *other != id);
        self.faults.len() < before
    }

    pub fn clear(&mut self) {
        self.faults.clear();
    }

    pub fn list(&self) -> Vec<(FaultId, Fault)> {
        self.faults.clone()
    }

    /// The fault that a call meets: the oldest that fits and lets no more calls get away. One fault a call.
    pub fn take(&mut self, call: &Call) -> Option<FaultKind> {
        let mut met = None;
        for (id, fault) in self.faults.iter_mut().filter(|(_, fault)| fault.matches(call)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times != Some(0) {
                fault.times = fault.times.map(|times| times - 1);
                met = Some((*id, fault.what.clone(), fault.times));
                break;
            }
        }
        let (id, what, left) = met?;
        if left == Some(0) {
            self.remove(id);
        }
        Some(what)
    }
}

impl Fault {
    fn matches(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, got: &Option<String>| wanted.is_none() || wanted == got;
        self.kind.is_none_or(|kind| kind == call.kind)
            && same(&self.account, &call.account)
            && same(&self.client, &call.client)
            && same(&self.credential, &call.credential)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::CallKind;

    fn call(kind: CallKind) -> Call {
        Call { kind, client: Some("c".into()), credential: Some("k".into()), ..Call::default() }
    }

    /// One update goes by, two are met, and nothing else is.
    #[test]
    fn fault_skips_calls_and_ends() {
        let mut queue = Queue::default();
        queue.push(Fault::once(FaultKind::Reset).times(2).skip(1).on(CallKind::Update));
        let (read, update) = (call(CallKind::Get), call(CallKind::Update));
        let met = [&read, &update, &update, &read, &update, &update].map(|call| queue.take(call).is_some());
        assert_eq!(met, [false, false, true, false, true, false]);
        assert!(queue.list().is_empty());
    }

    /// It meets each call about its credential, and no other call.
    #[test]
    fn endless_fault_stays_until_removed() {
        let mut queue = Queue::default();
        let read = call(CallKind::Get);
        let id = queue.push(Fault::always(FaultKind::Hang).of_client("c").about("k"));
        assert!((0..10).all(|_| queue.take(&read).is_some()));
        assert!(queue.take(&Call { credential: Some("other".into()), ..read.clone() }).is_none());
        assert!(queue.remove(id));
        assert!(queue.take(&read).is_none());
    }

    /// Two faults fit: each call meets one of them.
    #[test]
    fn oldest_fault_comes_first() {
        let mut queue = Queue::default();
        queue.push(Fault::once(FaultKind::Reset));
        queue.push(Fault::once(FaultKind::Hang));
        let read = call(CallKind::Get);
        assert_eq!([queue.take(&read), queue.take(&read)], [Some(FaultKind::Reset), Some(FaultKind::Hang)]);
    }

    /// As somebody writes it to the admin API.
    #[test]
    fn fault_reads_well_in_json() {
        let text = r#"{"kind":"update","times":1,"what":{"status":{"code":429,"retryAfter":"2"}}}"#;
        let what = FaultKind::Status { code: 429, retry_after: Some("2".into()) };
        assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), Fault::once(what).on(CallKind::Update));
        let reset: Fault = serde_json::from_str(r#"{"what":"resetAfter"}"#).unwrap();
        assert_eq!(reset, Fault::always(FaultKind::ResetAfter));
    }
}
