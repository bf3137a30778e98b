//! The spec of an ephemeral pipeline: one that exists for a single smoke test.
//!
//! Pure: values in, values out.

use crate::spec::{Bounded, Format, Monitoring, Spec};

/// The spec of a pipeline for one run, with a name of its own.
pub fn spec(spec: &Spec, run: &str) -> Result<Spec, String> {
    Ok(Spec { name: spec.name.ephemeral(run)?, ..settings(spec) })
}

/// What a spec says of an ephemeral pipeline: a bucket of its own, the smallest buffer, nothing that outlives
/// the test, and nobody who is told of it.
pub fn settings(spec: &Spec) -> Spec {
    let mut spec = Spec { protect: false, monitoring: Monitoring::default(), ..spec.clone() };
    spec.delivery.bucket = None;
    spec.delivery.existing_bucket = false;
    spec.delivery.buffer_mib = match spec.delivery.format {
        Format::Json => Bounded::of::<1>(),
        Format::Parquet => Bounded::of::<64>(),
    };
    spec.delivery.buffer_seconds = Bounded::of::<0>();
    spec
}
