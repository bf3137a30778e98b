//! What a spec asks for, for unit tests.

use super::{Blueprint, Platform, Transport};
use crate::names::Names;
use crate::spec::{Architecture, Spec};

pub(crate) fn spec(text: &str) -> Spec {
    let parsed = Spec::parse(text, "test").unwrap_or_else(|error| panic!("{text}: {error}"));
    parsed.spec
}

pub(crate) fn names(spec: &Spec) -> Names {
    Names::new(spec.name.as_str(), "123456789012", "aws", "us-east-1")
}

pub(crate) fn wanted<T>(text: &str, want: impl FnOnce(&Blueprint<'_>) -> T) -> T {
    let spec = spec(text);
    let platform = Platform { architecture: Architecture::X86_64, transport: Transport::Tls };
    want(&Blueprint::new(&spec, &names(&spec), platform, None))
}
