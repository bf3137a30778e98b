//! Gates: a kind's gate opens when all resources of the kind have finished; other kinds wait for it.

use tokio::sync::watch;

use crate::kind::Kind;

pub(super) struct Gates(Vec<(Kind, watch::Sender<Gate>)>);

#[derive(Clone, Copy, Debug)]
struct Gate {
    left: usize,
    failed: bool,
}

impl Gates {
    /// A gate for each kind, closed for as many resources as there are.
    pub(super) fn new(kinds: &[Kind]) -> Self {
        let mut gates: Vec<(Kind, watch::Sender<Gate>)> = Vec::new();
        for kind in kinds {
            if let Some((_, gate)) = gates.iter().find(|(known, _)| known == kind) {
                gate.send_modify(|gate| gate.left += 1);
            } else {
                let gate = Gate { left: 1, failed: false };
                gates.push((*kind, watch::Sender::new(gate)));
            }
        }
        Self(gates)
    }

    /// One resource of this kind is where it should be, or not.
    pub(super) fn pass(&self, kind: Kind, is_right: bool) {
        for (_, gate) in self.0.iter().filter(|(known, _)| *known == kind) {
            gate.send_modify(|gate| {
                gate.left = gate.left.saturating_sub(1);
                gate.failed |= !is_right;
            });
        }
    }

    /// Waits for every resource of this kind; whether all are where they should be. A kind without resources is.
    pub(super) async fn passed(&self, kind: Kind) -> bool {
        let Some((_, gate)) = self.0.iter().find(|(known, _)| *known == kind) else {
            return true;
        };
        let mut gate = gate.subscribe();
        let open = gate.wait_for(|gate| gate.left == 0).await;
        open.is_ok_and(|gate| !gate.failed)
    }

    /// Waits for every resource of all these kinds; whether all are where they should be.
    pub(super) async fn all_passed(&self, kinds: impl IntoIterator<Item = Kind>) -> bool {
        let gates = kinds.into_iter().map(|kind| self.passed(kind));
        futures_util::future::join_all(gates).await.into_iter().all(|right| right)
    }
}
