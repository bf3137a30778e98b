//! What a spec asks for, for unit tests.

use super::{Desired, Platform, Transport};
use crate::names::Names;
use crate::spec::{Architecture, Spec};

/// The spec in this text.
pub(crate) fn spec(text: &str) -> Spec {
    let parsed = Spec::parse(text, "test").unwrap_or_else(|error| panic!("{text}: {error}"));
    parsed.spec
}

/// The names of its pipeline's resources.
pub(crate) fn names(spec: &Spec) -> Names {
    Names::new(spec.name.as_str(), "123456789012", "aws", "us-east-1")
}

/// What the spec in this text asks for.
pub(crate) fn desired(text: &str) -> Desired {
    let spec = spec(text);
    let platform = Platform {
        architecture: Architecture::X86_64,
        transport: Transport::Tls,
    };
    Desired::new(&spec, &names(&spec), platform, None)
}
