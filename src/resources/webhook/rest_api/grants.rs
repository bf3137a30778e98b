//! The IAM actions that observing, creating, updating and deleting the REST API and its stage need.

use super::RestApi;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for RestApi {
    fn grants(_spec: &Spec, names: &Names, apis: &RestApis) -> Vec<Grant> {
        vec![all_rest_apis(names, apis), rest_apis(names, apis), api_tags(names, apis)]
    }
}

/// To find the pipeline's API among all, and to create it where there is none.
fn all_rest_apis(names: &Names, apis: &RestApis) -> Grant {
    Grant {
        sid: "RestApis",
        resources: vec![names.api_gateway_arn("/restapis")],
        look: &["apigateway:GET"],
        make: match apis {
            RestApis::OfRegion => &["apigateway:POST", "apigateway:UpdateRestApiPolicy"],
            RestApis::WithIds(_) => &[],
        },
        delete: &[],
    }
}

fn rest_apis(names: &Names, apis: &RestApis) -> Grant {
    Grant {
        sid: "RestApi",
        resources: match apis {
            RestApis::OfRegion => vec![names.api_gateway_arn("/restapis/*")],
            RestApis::WithIds(ids) => {
                let paths =
                    ids.iter().flat_map(|id| [format!("/restapis/{id}"), format!("/restapis/{id}/*")]);
                paths.map(|path| names.api_gateway_arn(&path)).collect()
            }
        },
        look: &["apigateway:GET"],
        make: &[
            "apigateway:DELETE",
            "apigateway:PATCH",
            "apigateway:POST",
            "apigateway:PUT",
            "apigateway:UpdateRestApiPolicy",
        ],
        delete: &["apigateway:DELETE"],
    }
}

/// What is tagged is in the path as an ARN, which AWS compares encoded or not. No name in it has a slash or a percent sign, so
/// no ARN of another API matches.
fn api_tags(names: &Names, apis: &RestApis) -> Grant {
    Grant {
        sid: "RestApiTags",
        resources: match apis {
            RestApis::OfRegion => vec![names.api_gateway_arn("/tags/*restapis*")],
            RestApis::WithIds(ids) => {
                let paths = ids
                    .iter()
                    .flat_map(|id| [format!("/tags/*restapis/{id}*"), format!("/tags/*restapis%2F{id}*")]);
                paths.map(|path| names.api_gateway_arn(&path)).collect()
            }
        },
        look: &[],
        make: &["apigateway:DELETE", "apigateway:PUT"],
        delete: &[],
    }
}
