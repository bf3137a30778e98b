//! Ways to the function beside the webhook: its own URLs, and what somebody published of it.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use futures_util::try_join;
use serde::Serialize;

use super::Function;
use crate::aws::{Aws, AwsError};
use crate::resource::{Step, Target};

/// A URL that invokes the function past API Gateway: without the secret path, the throttling and the allowed sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Url {
    pub url: String,
    /// Who may call it: with `NONE`, everybody.
    pub authorization: String,
    /// The alias that it invokes; absent where it invokes the function itself.
    #[serde(skip)]
    pub alias: Option<String>,
}

impl Target<Function> {
    /// Lists the function's URLs. One page is enough: `up` deletes these, and the next look finds more if there are any.
    pub(super) async fn urls(&self, aws: &Aws) -> Result<Vec<Url>, AwsError> {
        let call = "lambda:ListFunctionUrlConfigs";
        let request = || {
            let call = aws.lambda.list_function_url_configs();
            call.function_name(&self.name).send()
        };
        let answer = aws.look(call, request).await?;
        let found = answer.map(|answer| answer.function_url_configs);
        let urls = found.unwrap_or_default().into_iter().map(|found| Url {
            alias: found.function_arn.strip_prefix(&format!("{}:", self.arn)).map(str::to_owned),
            url: found.function_url,
            authorization: FunctionUrlAuthType::as_str(&found.auth_type).to_owned(),
        });
        Ok(urls.collect())
    }

    pub(super) async fn delete_urls(&self, urls: &[Url], step: &Step<'_>) -> Result<(), AwsError> {
        for url in urls {
            let request = || {
                let call = step.aws.lambda.delete_function_url_config();
                let call = call.function_name(&self.name);
                call.set_qualifier(url.alias.clone()).send()
            };
            let call = "lambda:DeleteFunctionUrlConfig";
            step.remove(call, request).await?;
        }
        Ok(())
    }

    /// Says which aliases and versions of the function exist, if any: each may have a policy, provisioned concurrency and code of
    /// its own. The pipeline makes none, but a deployment tool may.
    pub(super) async fn published(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let aliases = || aws.lambda.list_aliases().function_name(&self.name).send();
        let versions = || {
            let call = aws.lambda.list_versions_by_function();
            call.function_name(&self.name).send()
        };
        let (aliases, versions) = try_join!(
            aws.look("lambda:ListAliases", aliases),
            aws.look("lambda:ListVersionsByFunction", versions)
        )?;
        let aliases = aliases.and_then(|answer| answer.aliases).unwrap_or_default();
        let versions = versions.and_then(|answer| answer.versions).unwrap_or_default();
        let aliases = aliases.into_iter().filter_map(|alias| alias.name);
        let versions = versions.into_iter().filter_map(|version| version.version);
        let names: Vec<_> = aliases.chain(versions.filter(|it| it != "$LATEST")).collect();
        let said = || {
            let names = names.join(", ");
            format!(
                "aliases or versions exist ({names}), whose permissions and provisioned concurrency nobody compares"
            )
        };
        Ok((!names.is_empty()).then(said).into_iter().collect())
    }
}
