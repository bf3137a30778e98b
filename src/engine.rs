//! Brings a list of resources to their desired states, whatever they are: looks, plans, applies, destroys.
//!
//! Owns the order of steps, which follows from the list's ties. Must not know a kind, print, or repeat a call; `converge` applies a second plan at most.

pub mod apply;
pub mod converge;
pub mod destroy;
mod gate;
pub mod observe;
pub mod plan;
mod run;
#[cfg(test)]
mod tests;
use crate::aws::AwsError;
use crate::kind::Kind;
use crate::resource::{Decision, Observed, Resource, Target};

pub use run::{Done, Report, Run};

/// What a list has for each resource: one shape of struct serves what is wanted, what was seen and what was decided.
pub trait Slot {
    type Of<R: Resource>;
}

#[derive(Clone, Copy, Debug)]
pub struct Wanted;

impl Slot for Wanted {
    type Of<R: Resource> = Target<R>;
}

#[derive(Clone, Copy, Debug)]
pub struct Seen;

impl Slot for Seen {
    type Of<R: Resource> = Option<Observed<R>>;
}

#[derive(Clone, Copy, Debug)]
pub struct Decided;

impl Slot for Decided {
    type Of<R: Resource> = Decision<R>;
}

/// Nothing: `apply` and `destroy` walk the list for the work alone.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Slot for Nothing {
    type Of<R: Resource> = ();
}

/// A list of desired resources, and how they depend on each other.
#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Resources {
    type Each<S: Slot>;

    const TIES: &'static [Tie];

    /// Makes a value of each resource and another value about it, in the order of the list.
    fn map<'a, A: Slot, B: Slot>(
        &'a self,
        from: Self::Each<A>,
        map: &mut impl Map<'a, A, B>,
    ) -> Self::Each<B>;

    /// Visits each resource and a value about it, in the order of the list.
    fn visit<S: Slot>(&self, values: &Self::Each<S>, visit: &mut impl Visit<S>);

    /// Looks at all resources at once, and reports every failure, not only the first.
    async fn look(&self, look: &impl Look) -> Result<Self::Each<Seen>, Vec<AwsError>>;
}

/// Makes a value of type `B` of a desired resource and a value of type `A`.
pub trait Map<'a, A: Slot, B: Slot> {
    fn map<R: Resource>(&mut self, want: &'a Target<R>, from: A::Of<R>) -> B::Of<R>;
}

pub trait Visit<S: Slot> {
    fn visit<R: Resource>(&mut self, want: &Target<R>, value: &S::Of<R>);
}

#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Look {
    async fn look<R: Resource>(&self, wants: &[Target<R>]) -> Result<Vec<Option<Observed<R>>>, AwsError>;
}

/// `kind` needs `needs`: it is created after `needs`, and deleted before it.
#[derive(Clone, Copy, Debug)]
pub struct Tie {
    pub kind: Kind,
    pub needs: Kind,
    pub when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// `kind` is inside `needs`, so it is looked at after it.
    Inside,
    /// `kind` does not work with a successor of `needs`; holds why. It is deleted before the successor is created: then its
    /// absence tells the next run to create it, should this run stop in between.
    Bound(&'static str),
    /// If the resource exists before the run; a new one does not wait.
    Existing,
    /// Orders deletion alone: `kind` is deleted before `needs`; creation does not wait.
    Deleting,
}

impl Tie {
    pub const fn new(kind: Kind, needs: Kind) -> Self {
        Self::when(kind, needs, When::Always)
    }

    pub const fn when(kind: Kind, needs: Kind, when: When) -> Self {
        Self { kind, needs, when }
    }
}

/// Writes the type `Each`, and how the engine walks it. Of `bucket: Bucket, alarms: [Alarm]` it makes:
///
/// ```text
/// pub struct Each<S: Slot> { pub bucket: S::Of<Bucket>, pub alarms: Vec<S::Of<Alarm>> }
/// impl Resources for Each<Wanted> { … }
/// ```
///
/// What stands after the `=` of an entry is for other macros of the list. The invoking module has the ties, `TIES`.
macro_rules! resources {
    ($(#[$doc:meta])* $($field:ident: $resource:tt $(:: $name:ident)? = $want:path,)*) => {
        $(#[$doc])*
        pub struct Each<S: Slot> {
            $(pub $field: crate::engine::resources!(@of S, $resource $(:: $name)?),)*
        }

        impl Resources for Each<Wanted> {
            type Each<S: Slot> = Each<S>;

            const TIES: &'static [Tie] = TIES;

            fn map<'a, A: Slot, B: Slot>(&'a self, from: Each<A>, map: &mut impl Map<'a, A, B>) -> Each<B> {
                Each {
                    $($field: crate::engine::resources!(@map $resource, &self.$field, from.$field, map),)*
                }
            }

            fn visit<S: Slot>(&self, values: &Each<S>, visit: &mut impl Visit<S>) {
                $(crate::engine::resources!(@visit $resource, &self.$field, &values.$field, visit);)*
            }

            async fn look(&self, look: &impl Look) -> Result<Each<Seen>, Vec<AwsError>> {
                // On the heap: the futures are large, and all of them are joined.
                let ($($field,)*) = futures_util::join!(
                    $(Box::pin(crate::engine::resources!(@look $resource, &self.$field, look)),)*
                );
                let mut errors = Vec::new();
                $(let $field = $field.map_err(|error| errors.push(error));)*
                match ($($field,)*) {
                    ($(Ok($field),)*) => Ok(Each {
                        $($field: crate::engine::resources!(@seen $resource, $field),)*
                    }),
                    _ => Err(errors),
                }
            }
        }
    };
    // `[Kind]` is a `Vec` of values; `Kind` is one.
    (@of $slot:ident, [$($resource:tt)*]) => { Vec<$slot::Of<$($resource)*>> };
    (@of $slot:ident, $($resource:tt)*) => { $slot::Of<$($resource)*> };
    (@map [$($resource:tt)*], $want:expr, $from:expr, $map:ident) => {
        $want.iter().zip($from).map(|(want, from)| $map.map(want, from)).collect()
    };
    (@map $resource:tt, $want:expr, $from:expr, $map:ident) => { $map.map($want, $from) };
    (@visit [$($resource:tt)*], $want:expr, $value:expr, $visit:ident) => {
        $want.iter().zip($value).for_each(|(want, value)| $visit.visit(want, value))
    };
    (@visit $resource:tt, $want:expr, $value:expr, $visit:ident) => { $visit.visit($want, $value) };
    (@look [$($resource:tt)*], $want:expr, $look:ident) => { $look.look($want) };
    (@look $resource:tt, $want:expr, $look:ident) => { $look.look(std::slice::from_ref($want)) };
    (@seen [$($resource:tt)*], $seen:ident) => { $seen };
    (@seen $resource:tt, $seen:ident) => { $seen.into_iter().next().flatten() };
}

pub(crate) use resources;
