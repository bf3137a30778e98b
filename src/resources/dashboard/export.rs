//! The dashboard for other tools.

use hcl::Block;
use serde_json::json;

use super::Dashboard;
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, call, local, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Dashboard {
    fn reference(_want: &Target<Self>) -> Option<Reference> {
        None
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let body = page.hcl_value(&json!({ "widgets": want.state.widgets }));
        let dashboard = resource("aws_cloudwatch_dashboard", "impressions")
            .add_attribute(("dashboard_name", want.name.as_str()))
            .add_attribute(("dashboard_body", call("jsonencode", reference("local.dashboard"))));
        (Chapter::Monitoring, vec![local("dashboard", body), dashboard.build()])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, _page: &Page<'_>) -> Templates {
        let body = json!({ "widgets": want.state.widgets }).to_string();
        let properties = json!({ "DashboardName": want.name, "DashboardBody": body });
        let dashboard = cloudformation::resource("AWS::CloudWatch::Dashboard", &properties);
        vec![("Dashboard".to_owned(), dashboard)]
    }
}
