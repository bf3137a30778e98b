//! Tests of the rules for what watches over a pipeline.

use super::{messages, parse, table};

#[test]
fn emails() {
    // Without alarms there is another problem, which is not about the address.
    let about = |value: &str| {
        let text = format!("name: abc\nmonitoring:\n  alarms: true\n  emails: [{value}]\n");
        parse(&text).map_or_else(|error| error.problems[0].message.clone(), |_| String::new())
    };
    for good in ["a@example.com", "\"on-call+split@mail.example.co.uk\""] {
        assert_eq!(about(good), "", "{good}");
    }
    let long = format!("{}@example.com", "a".repeat(320));
    for bad in [
        "a",
        "a@b",
        "\"@example.com\"",
        "\"a b@example.com\"",
        "a@b@example.com",
        "\"a\\u202e@example.com\"",
        &long,
    ] {
        assert!(about(bad).contains("must be an e-mail address"), "{bad}");
    }
}

#[test]
fn topics() {
    let shape = "must be the ARN of a standard SNS topic";
    table(
        "monitoring.topic_arn",
        &["null"],
        &[
            ("on-call", shape),
            ("'arn:aws:sqs:us-east-1:123456789012:on-call'", shape),
            ("'arn:aws:sns:us-east-1:1234:on-call'", shape),
            ("\"arn:aws\\n:sns:us-east-1:123456789012:on-call\"", shape),
            ("\"arn:aws:sns:us\\n-east-1:123456789012:on-call\"", shape),
            ("'arn:aws:sns:us-east-1:123456789012:on-call.fifo'", shape),
        ],
    );
    table(
        "monitoring.quiet_minutes",
        &["null", "5", "1440"],
        &[("4", "from 5 to 1440"), ("1441", "from 5 to 1440")],
    );
}

#[test]
fn whoever_is_to_be_told_can_be() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:on-call";
    let messages_of = |text: &str| {
        let problems = parse(text).map_or_else(|error| error.problems, |_| Vec::new());
        problems.into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    let with = |monitoring: &str| {
        messages_of(&format!("name: abc\nregion: us-east-1\nmonitoring: {{{monitoring}}}\n"))
    };
    assert_eq!(with("alarms: true, emails: [a@example.com]"), [""; 0]);
    assert_eq!(with("alarms: true, dashboard: true, quiet_minutes: null"), [""; 0]);
    let near = topic.replace("eu-west-1", "us-east-1");
    assert_eq!(with(&format!("alarms: true, topic_arn: \"{near}\"")), [""; 0]);
    for (monitoring, part) in [
        ("emails: [a@example.com]".to_owned(), "needs `monitoring.alarms: true`"),
        (format!("topic_arn: \"{near}\""), "needs `monitoring.alarms: true`"),
        (
            format!("alarms: true, emails: [a@example.com], topic_arn: \"{near}\""),
            "cannot go with `monitoring.topic_arn`",
        ),
        (format!("alarms: true, topic_arn: \"{topic}\""), "in the pipeline's region"),
    ] {
        let messages = with(&monitoring);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(part), "{messages:?}");
    }
    assert!(messages("monitoring.topic_arn", topic)[0].contains("needs"));
}
