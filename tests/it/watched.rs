//! What watches over a pipeline: made, told of in `status`, deleted once the spec does not ask for it.

use serde_json::{Value, json};

use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::proxy::Proxy;

const WATCHED: &str = "name: it-watched\n\
    delivery: {buffer_seconds: 0}\n\
    monitoring: {alarms: true, emails: [on-call@example.com], dashboard: true}\n";
const UNWATCHED: &str = "name: it-watched\ndelivery: {buffer_seconds: 0}\n";
const ELSEWHERE: &str = "name: it-watched\n\
    delivery: {buffer_seconds: 0}\n\
    monitoring: {alarms: true, topic_arn: \"arn:aws:sns:us-east-1:000000000000:on-call\"}\n";

/// How many changes of each sort a plan has, for alarms, topic and dashboard.
fn changes(plan: &Value) -> Vec<(String, usize)> {
    let mut counts = Vec::<(String, usize)>::new();
    for change in plan["changes"].as_array().unwrap() {
        let what = format!("{} {}", change["action"], change["kind"]).replace('"', "");
        match counts.iter_mut().find(|(other, _)| *other == what) {
            Some((_, count)) => *count += 1,
            None => counts.push((what, 1)),
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn alarms_topic_and_dashboard_come_and_go_with_the_spec() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let empty = inventory::of(&config).await;
    let proxy = Proxy::start(emulator.port).await;
    let plan = |spec| proxy.local(spec, ["plan", "--output", "json"]).exits_with(0).json();
    proxy.local(WATCHED, ["up"]).exits_with(0);
    let made = inventory::of(&config).await;
    assert!(made.contains("alarm it-watched-quiet"), "{made:?}");
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
    let dashboard = async || {
        let call = cloudwatch.get_dashboard().dashboard_name("it-watched-us-east-1");
        call.send().await.ok().and_then(|found| found.dashboard_body)
    };
    let body = dashboard().await.unwrap();
    assert!(body.contains("DeliveryToS3.DataFreshness"), "{body}");
    proxy.take_calls();
    proxy.local(WATCHED, ["up"]).exits_with(0);
    assert_eq!(proxy.take_changes(), [""; 0]);

    let deletes = [("delete alarm", 8), ("delete alarm_topic", 1), ("delete dashboard", 1)];
    let deletes = deletes.map(|(what, count)| (what.to_owned(), count));
    assert_eq!(changes(&plan(UNWATCHED)), deletes);
    // Whoever has confirmed a subscription would have to do it again.
    proxy.local(UNWATCHED, ["up"]).exits_with(2).says("--yes agrees");
    proxy.local(UNWATCHED, ["up", "--yes"]).exits_with(0);
    proxy.local(UNWATCHED, ["plan", "--check"]).exits_with(0);
    let left = inventory::of(&config).await;
    let watching = |what: &&String| ["alarm ", "topic "].iter().any(|kind| what.starts_with(kind));
    assert_eq!(left.iter().find(watching), None);
    assert_eq!(dashboard().await, None);

    let others = [("create alarm".to_owned(), 8)];
    assert_eq!(changes(&plan(ELSEWHERE)), others);
    proxy.local(ELSEWHERE, ["up"]).exits_with(0);
    proxy.local(ELSEWHERE, ["plan", "--check"]).exits_with(0);
    let lost = proxy.local(ELSEWHERE, ["status"]).exits_with(3).stdout;
    assert!(lost.contains("alarms reach nobody: there is no topic arn:aws:sns:us-east-1"), "{lost}");
    let sns = aws_sdk_sns::Client::new(&config);
    let topic = sns.create_topic().name("on-call").send().await.unwrap();
    proxy.local(ELSEWHERE, ["status"]).exits_with(0);
    let call = sns.delete_topic().topic_arn(topic.topic_arn().unwrap());
    call.send().await.unwrap();

    proxy.local(ELSEWHERE, ["down", "--yes", "--purge-data"]).exits_with(0);
    assert_eq!(inventory::of(&config).await, empty);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn alarms_leave_a_topic_before_it_goes() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.local(WATCHED, ["up"]).exits_with(0);
    proxy.take_calls();
    proxy.local(ELSEWHERE, ["up", "--yes"]).exits_with(0);
    let changes = proxy.take_changes();
    let topic = changes.iter().position(|call| call == "DeleteTopic").unwrap();
    let alarms = changes[..topic].iter().filter(|call| *call == "PutMetricAlarm");
    assert_eq!(alarms.count(), 8, "{changes:?}");
    proxy.local(ELSEWHERE, ["plan", "--check"]).exits_with(0);
}

#[tokio::test]
async fn status_says_what_is_wrong_first_and_what_to_do() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let status = |exit| {
        let run = emulator.local(WATCHED, ["status", "--output", "json"]);
        run.exits_with(exit).json()
    };
    let absent = status(3);
    assert_eq!(absent["problems"][0]["message"], "it is not there", "{absent}");
    emulator.local(WATCHED, ["up"]).exits_with(0);
    let silent = status(0);
    let problems = silent["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{silent}");
    assert_eq!(problems[0]["message"], "nobody has sent anything in this time");
    assert_eq!(silent["alarms"].as_array().unwrap().len(), 8, "{silent}");
    assert_eq!(silent["traffic"]["newest_object"], Value::Null);

    emulator.local(WATCHED, ["smoke", "--count", "100"]).exits_with(0);
    let busy = status(0);
    assert_eq!(busy["problems"], json!([]), "{busy}");
    let traffic = &busy["traffic"];
    let key = traffic["newest_object"]["key"].as_str().unwrap();
    assert!(key.starts_with("impressions/dt="), "{key}");
    let parts = traffic["series"]["received"].as_array().unwrap().iter();
    let received: u64 = parts.map(|part| part.as_u64().unwrap()).sum();
    assert_eq!((received, &traffic["received"]), (100, &json!(100)));

    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
    let call = cloudwatch.set_alarm_state().alarm_name("it-watched-spilled");
    let call = call.state_value("ALARM".into()).state_reason("7 is over 0");
    call.send().await.unwrap();
    let alarmed = emulator.local(WATCHED, ["status"]).exits_with(3).stdout;
    let second = alarmed.lines().nth(1).unwrap();
    assert_eq!(second, "problem  alarm it-watched-spilled is going off: 7 is over 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_is_mailed_about_a_pipeline_for_a_test_alone() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.local(WATCHED, ["smoke", "--ephemeral", "--count", "10"]).exits_with(0);
    let calls = proxy.take_changes();
    assert!(calls.iter().any(|call| call == "CreateStream"), "{calls:?}");
    let watching = |call: &&String| ["Subscribe", "PutMetricAlarm", "PutDashboard"].contains(&call.as_str());
    assert_eq!(calls.iter().find(watching), None);
}

#[tokio::test]
async fn an_alarm_of_somebody_elses_is_left_alone() {
    let emulator = Emulator::start();
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&emulator.sdk().await);
    let call = cloudwatch.put_metric_alarm().alarm_name("it-watched-spilled");
    let call = call.namespace("theirs").metric_name("m").period(60).evaluation_periods(1);
    let call = call.threshold(1.0).statistic("Sum".into());
    let call = call.comparison_operator("GreaterThanThreshold".into());
    call.send().await.unwrap();
    let unchanged = async || {
        let found = cloudwatch.describe_alarms().alarm_names("it-watched-spilled");
        let found = found.send().await.unwrap();
        assert_eq!(found.metric_alarms()[0].namespace(), Some("theirs"));
    };
    emulator.local(WATCHED, ["up", "--yes"]).exits_with(1).says("--adopt");
    unchanged().await;
    // Where the spec does not ask for alarms, it is no concern of the pipeline's.
    emulator.local(UNWATCHED, ["up"]).exits_with(0);
    emulator.local(UNWATCHED, ["plan", "--check"]).exits_with(0);
    emulator.local(UNWATCHED, ["down", "--yes"]).exits_with(0);
    unchanged().await;
    emulator.local(WATCHED, ["up", "--yes", "--adopt"]).exits_with(0);
    emulator.local(WATCHED, ["plan", "--check"]).exits_with(0);
}
