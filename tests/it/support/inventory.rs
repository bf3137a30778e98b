//! Everything that an account holds, to see what a command left behind; but for dashboards, of which MiniStack's list is not
//! to be read.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;

/// Lists what every service that we use has, as `kind name`.
pub(crate) async fn of(config: &SdkConfig) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (kind, names) in [
        ("bucket", buckets(config).await),
        ("stream", streams(config).await),
        ("delivery stream", delivery_streams(config).await),
        ("role", roles(config).await),
        ("function", functions(config).await),
        ("log group", log_groups(config).await),
        ("REST API", rest_apis(config).await),
        ("database or table", databases(config).await),
        ("alarm", alarms(config).await),
        ("topic", topics(config).await),
    ] {
        found.extend(names.into_iter().map(|name| format!("{kind} {name}")));
    }
    found
}

async fn buckets(config: &SdkConfig) -> Vec<String> {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let listed = client.list_buckets().send().await.unwrap();
    listed.buckets().iter().filter_map(|it| it.name.clone()).collect()
}

async fn streams(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_kinesis::Client::new(config);
    client.list_streams().send().await.unwrap().stream_names
}

async fn delivery_streams(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_firehose::Client::new(config);
    client.list_delivery_streams().send().await.unwrap().delivery_stream_names
}

async fn roles(config: &SdkConfig) -> Vec<String> {
    let listed = aws_sdk_iam::Client::new(config).list_roles().send().await.unwrap();
    listed.roles().iter().map(|it| it.role_name().to_owned()).collect()
}

async fn functions(config: &SdkConfig) -> Vec<String> {
    let listed = aws_sdk_lambda::Client::new(config).list_functions().send().await.unwrap();
    listed.functions().iter().filter_map(|it| it.function_name.clone()).collect()
}

async fn log_groups(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_cloudwatchlogs::Client::new(config);
    let listed = client.describe_log_groups().send().await.unwrap();
    listed.log_groups().iter().filter_map(|it| it.log_group_name.clone()).collect()
}

async fn rest_apis(config: &SdkConfig) -> Vec<String> {
    let listed = aws_sdk_apigateway::Client::new(config).get_rest_apis().send().await.unwrap();
    listed.items().iter().filter_map(|it| it.name.clone()).collect()
}

async fn databases(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_glue::Client::new(config);
    let databases = client.get_databases().send().await.unwrap().database_list;
    let mut names = Vec::new();
    for database in databases {
        let tables = client.get_tables().database_name(database.name());
        for table in tables.send().await.unwrap().table_list() {
            names.push(format!("{}.{}", database.name(), table.name()));
        }
        names.push(database.name);
    }
    names
}

async fn alarms(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_cloudwatch::Client::new(config);
    let listed = or_none(client.describe_alarms().send().await);
    let alarms = listed.and_then(|listed| listed.metric_alarms).unwrap_or_default();
    alarms.into_iter().filter_map(|it| it.alarm_name).collect()
}

async fn topics(config: &SdkConfig) -> Vec<String> {
    let client = aws_sdk_sns::Client::new(config);
    let listed = client.list_topics().send().await.unwrap();
    listed.topics().iter().filter_map(|it| it.topic_arn.clone()).collect()
}

/// The answer, unless the emulator is one that does not know the service: moto has no CloudWatch that the SDK can talk to.
fn or_none<T, E: std::error::Error + 'static>(answer: Result<T, SdkError<E>>) -> Option<T> {
    match answer {
        Ok(listed) => Some(listed),
        Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => None,
        Err(error) => panic!("{error:?}"),
    }
}
