//! Unit tests of the graph: every resource has its place, and no two wait for each other.

use std::collections::BTreeSet;

use crate::engine::{Resources, Tie, Visit, Wanted, When};
use crate::kind::Kind;
use crate::pipeline::testing::desired;
use crate::pipeline::{Desired, Each};
use crate::resource::{Resource, Target};

const TIES: &[Tie] = <Desired as Resources>::TIES;

/// The kinds in the order of the list.
fn kinds() -> Vec<Kind> {
    struct KindsOfList(Vec<Kind>);

    impl Visit<Wanted> for KindsOfList {
        fn visit<R: Resource>(&mut self, want: &Target<R>, _same: &Target<R>) {
            self.0.push(want.kind);
        }
    }

    let (want, mut kinds) = (desired("name: flags\n"), KindsOfList(Vec::new()));
    let values: &Each<Wanted> = &want;
    want.visit(values, &mut kinds);
    kinds.0
}

#[test]
fn no_kind_waits_for_itself_by_any_way() {
    for kind in kinds() {
        let (mut reached, mut left) = (BTreeSet::new(), vec![kind]);
        while let Some(next) = left.pop() {
            for tie in TIES.iter().filter(|tie| tie.kind == next) {
                assert_ne!(tie.needs, kind, "{kind} needs itself, by way of {next}");
                if reached.insert(tie.needs.as_str()) {
                    left.push(tie.needs);
                }
            }
        }
    }
}

#[test]
fn every_tie_is_between_kinds_of_the_list_and_stands_once() {
    let kinds = kinds();
    for (index, tie) in TIES.iter().enumerate() {
        assert!(kinds.contains(&tie.kind) && kinds.contains(&tie.needs), "{tie:?}");
        let same = |other: &&Tie| (other.kind, other.needs) == (tie.kind, tie.needs);
        assert_eq!(TIES.iter().position(|other| same(&other)), Some(index), "{tie:?}");
    }
}

#[test]
fn a_kind_comes_after_those_that_it_is_bound_to() {
    let kinds = kinds();
    let place = |kind: Kind| kinds.iter().position(|other| *other == kind);
    let bound = TIES.iter().filter(|tie| matches!(tie.when, When::Bound(_)));
    assert!(bound.clone().count() > 0);
    bound.for_each(|tie| assert!(place(tie.needs) < place(tie.kind), "{tie:?}"));
}
