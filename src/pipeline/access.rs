//! Builds the IAM policy for people who run commands: the grants of all kinds, of `smoke` and of `replay`.

use serde_json::Value;

use super::VisitKind;
use crate::access::{Grant, Purpose, RestApis};
use crate::names::Names;
use crate::replay;
use crate::resources::Permitted;
use crate::resources::policy::document;
use crate::smoke;
use crate::spec::Spec;

pub fn policy(purposes: &[Purpose], spec: &Spec, names: &Names, apis: &RestApis) -> Value {
    let mut permissions = Permissions { spec, names, apis, grants: Vec::new(), powers: Vec::new() };
    super::visit_kinds(&mut permissions);
    let looks = purposes.iter().any(|purpose| *purpose != Purpose::Replay);
    let grants = permissions.grants.iter().filter(|_| looks);
    let mut statements: Vec<_> = grants.filter_map(|grant| grant.statement(purposes)).collect();
    if purposes.contains(&Purpose::Smoke) {
        statements.extend(smoke::access::smoke(spec, names));
    }
    if purposes.contains(&Purpose::Up) {
        statements.extend(permissions.powers);
    }
    if purposes.contains(&Purpose::Replay) {
        statements.extend(replay::access::replay(spec, names));
    }
    if purposes.contains(&Purpose::Down) {
        statements.extend(replay::access::drain(spec, names));
    }
    // Two kinds or purposes may need the same.
    let mut unique = Vec::new();
    for statement in statements {
        if !unique.contains(&statement) {
            unique.push(statement);
        }
    }
    document(&unique)
}

struct Permissions<'a> {
    spec: &'a Spec,
    names: &'a Names,
    apis: &'a RestApis,
    grants: Vec<Grant>,
    powers: Vec<Value>,
}

impl VisitKind for Permissions<'_> {
    fn visit<R: Permitted>(&mut self) {
        self.grants.extend(R::grants(self.spec, self.names, self.apis));
        self.powers.extend(R::powers(self.spec, self.names));
    }
}
