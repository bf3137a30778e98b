//! The IAM actions that observing, creating, updating and deleting the dashboard need.

use super::Dashboard;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Dashboard {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![dashboard(names)]
    }
}

fn dashboard(names: &Names) -> Grant {
    Grant {
        sid: "Dashboard",
        resources: vec![names.dashboard_arn()],
        look: &["cloudwatch:GetDashboard"],
        make: &[
            "cloudwatch:DeleteDashboards",
            "cloudwatch:PutDashboard",
            // To create with tags, besides the call itself.
            "cloudwatch:TagResource",
        ],
        delete: &["cloudwatch:DeleteDashboards"],
    }
}
