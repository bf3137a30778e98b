//! Gates: a kind's gate opens when all resources of the kind have finished; other kinds wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::kind::Kind;

/// How far the resources of each kind are.
pub(super) struct Gates(Vec<Gate>);

struct Gate {
    kind: Kind,
    passing: Mutex<Passing>,
    opened: Notify,
}

/// How far the resources of one kind are.
#[derive(Clone, Copy, Debug)]
struct Passing {
    left: usize,
    failed: bool,
}

impl Gate {
    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gates {
    /// A gate for each kind, closed for as many resources as there are.
    pub(super) fn new(kinds: &[Kind]) -> Self {
        let mut gates: Vec<Gate> = Vec::new();
        for kind in kinds {
            if let Some(gate) = gates.iter().find(|gate| gate.kind == *kind) {
                gate.passing().left += 1;
            } else {
                let passing = Mutex::new(Passing { left: 1, failed: false });
                gates.push(Gate { kind: *kind, passing, opened: Notify::new() });
            }
        }
        Self(gates)
    }

    /// One resource of this kind is where it should be, or not.
    pub(super) fn pass(&self, kind: Kind, is_right: bool) {
        for gate in self.0.iter().filter(|gate| gate.kind == kind) {
            let mut passing = gate.passing();
            passing.left = passing.left.saturating_sub(1);
            passing.failed |= !is_right;
            gate.opened.notify_waiters();
        }
    }

    /// Waits for every resource of this kind; whether all are where they should be. A kind without resources is.
    pub(super) async fn passed(&self, kind: Kind) -> bool {
        let Some(gate) = self.0.iter().find(|gate| gate.kind == kind) else {
            return true;
        };
        loop {
            // Before the look: whatever passes after this wakes it.
            let opened = gate.opened.notified();
            let Passing { left, failed } = *gate.passing();
            if left == 0 {
                return !failed;
            }
            opened.await;
        }
    }

    /// Waits for every resource of all these kinds; whether all are where they should be.
    pub(super) async fn all_passed(&self, kinds: impl IntoIterator<Item = Kind>) -> bool {
        let gates = kinds.into_iter().map(|kind| self.passed(kind));
        futures_util::future::join_all(gates).await.into_iter().all(|right| right)
    }
}
