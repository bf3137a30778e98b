//! Looks at everything a list has, all at once.
//!
//! Only reads. Absence is a value.

use super::gate::Gates;
use super::{Look, Resources, Seen, Tie, When};
use crate::aws::{Aws, AwsError};
use crate::kind::Kind;
use crate::resource::{Observed, Resource, Target};

/// Looks at every resource of `want` that is looked for; reports every failure, not only the first.
pub async fn observe<L: Resources>(aws: &Aws, want: &L) -> Result<L::Each<Seen>, Vec<AwsError>> {
    let outer: Vec<_> = outer(L::TIES).map(|tie| tie.needs).collect();
    let looking = Looking { aws, ties: L::TIES, gates: Gates::new(&outer) };
    want.look(&looking).await
}

fn outer(ties: &'static [Tie]) -> impl Iterator<Item = &'static Tie> {
    ties.iter().filter(|tie| tie.when == When::Inside)
}

struct Looking<'a> {
    aws: &'a Aws,
    ties: &'static [Tie],
    gates: Gates,
}

impl Look for Looking<'_> {
    async fn look<R: Resource>(&self, wants: &[Target<R>]) -> Result<Vec<Option<Observed<R>>>, AwsError> {
        let kind: Option<Kind> = wants.first().map(|want| want.kind);
        let inside = outer(self.ties).filter(|tie| Some(tie.kind) == kind);
        // Where the outer resource could not be looked at, the one inside is not found; the failure is reported once.
        let seen = if self.gates.all_passed(inside.map(|tie| tie.needs)).await {
            look(wants, self.aws).await
        } else {
            Ok(wants.iter().map(|_| None).collect())
        };
        if let Some(kind) = kind {
            self.gates.pass(kind, seen.is_ok());
        }
        seen
    }
}

async fn look<R: Resource>(wants: &[Target<R>], aws: &Aws) -> Result<Vec<Option<Observed<R>>>, AwsError> {
    if wants.iter().any(R::is_looked_for) {
        R::observe_all(wants, aws).await
    } else {
        Ok(wants.iter().map(|_| None).collect())
    }
}
