//! Everything that an account holds, to see what a command left behind.

use std::collections::BTreeSet;

use aws_config::SdkConfig;

/// Lists what every service that we use has, as `kind name`.
pub(crate) async fn of(config: &SdkConfig) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |kind: &str, names: Vec<String>| {
        found.extend(names.into_iter().map(|name| format!("{kind} {name}")));
    };
    let s3 = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(true)
        .build();
    let buckets = aws_sdk_s3::Client::from_conf(s3)
        .list_buckets()
        .send()
        .await
        .unwrap();
    add(
        "bucket",
        buckets
            .buckets()
            .iter()
            .filter_map(|it| it.name.clone())
            .collect(),
    );
    let streams = aws_sdk_kinesis::Client::new(config)
        .list_streams()
        .send()
        .await
        .unwrap();
    add("stream", streams.stream_names().to_vec());
    let deliveries = aws_sdk_firehose::Client::new(config)
        .list_delivery_streams()
        .send()
        .await
        .unwrap();
    add("delivery stream", deliveries.delivery_stream_names().to_vec());
    let roles = aws_sdk_iam::Client::new(config)
        .list_roles()
        .send()
        .await
        .unwrap();
    add(
        "role",
        roles.roles().iter().map(|it| it.role_name().to_owned()).collect(),
    );
    let functions = aws_sdk_lambda::Client::new(config)
        .list_functions()
        .send()
        .await
        .unwrap();
    add(
        "function",
        functions
            .functions()
            .iter()
            .filter_map(|it| it.function_name.clone())
            .collect(),
    );
    let groups = aws_sdk_cloudwatchlogs::Client::new(config)
        .describe_log_groups()
        .send()
        .await
        .unwrap();
    add(
        "log group",
        groups
            .log_groups()
            .iter()
            .filter_map(|it| it.log_group_name.clone())
            .collect(),
    );
    let apis = aws_sdk_apigateway::Client::new(config)
        .get_rest_apis()
        .send()
        .await
        .unwrap();
    add(
        "REST API",
        apis.items().iter().filter_map(|it| it.name.clone()).collect(),
    );
    found
}
