//! What watches over the pipeline: alarms, who is told of them, and a dashboard.
//!
//! Owns the keys below `monitoring` and their texts. It must not know which alarms there are.

use schemars::json_schema;

use super::bounded::Bounded;
use super::section::section;
use crate::foreign::is_deceptive;

use super::text::{Checked, text_value};
use super::values::{Region, is_account, is_partition};

section! {
    /// What watches over the pipeline.
    pub struct Monitoring, such as "keys and values, such as `alarms: true`" {
        /// Whether CloudWatch alarms watch the webhook, the function, the stream and the delivery.
        pub alarms: bool = false,
        /// Who gets an e-mail when an alarm goes off or is over; AWS asks each address to confirm first.
        pub emails: Vec<Email> = Vec::new(),
        /// The ARN of an SNS topic of yours that alarms go to, in place of one that the pipeline makes. Default: none. It must be in
        /// the pipeline's region.
        pub topic_arn: Option<TopicArn> = None,
        /// After how many minutes without a post an alarm goes off; null: never.
        pub quiet_minutes: Option<Bounded<5, 1440>> = Some(Bounded::of::<60>()),
        /// Whether there is a CloudWatch dashboard.
        pub dashboard: bool = false,
    }
}

const EMAIL: &str = "an e-mail address, such as on-call@example.com";

text_value! {
    /// An e-mail address.
    Email, check: check_email, allowed: EMAIL, schema: {
        "type": "string",
        "pattern": "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$",
        "maxLength": 320
    }
}

fn check_email(text: &str) -> Checked {
    let is_unfit = |c: char| c.is_whitespace() || c == '@' || is_deceptive(c);
    let is_part = |part: &str| !part.is_empty() && !part.contains(is_unfit);
    let fits = text.split_once('@').is_some_and(|(local, domain)| {
        let labels = domain.rsplit_once('.');
        is_part(local) && labels.is_some_and(|(host, top)| is_part(host) && is_part(top))
    });
    if fits && text.len() <= 320 { Ok(()) } else { Err(format!("must be {EMAIL}")) }
}

const TOPIC_ARN: &str = "the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:on-call";

text_value! {
    /// The ARN of an SNS topic.
    TopicArn, check: check_topic_arn, allowed: TOPIC_ARN, schema: {
        "type": "string",
        "pattern": "^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"
    }
}

impl TopicArn {
    /// Gives the region that the topic is in.
    #[must_use]
    pub fn region(&self) -> &str {
        self.as_str().split(':').nth(3).unwrap_or_default()
    }
}

fn check_topic_arn(text: &str) -> Checked {
    let is_name = |name: &str| {
        (1..=256).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if is_partition(partition)
                && Region::new(*region).is_ok()
                && is_account(account)
                && is_name(name) =>
        {
            Ok(())
        }
        _ => Err(format!("must be {TOPIC_ARN}")),
    }
}
