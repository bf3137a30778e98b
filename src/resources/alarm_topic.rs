//! The SNS topic that tells people of alarms, with its e-mail subscriptions.
//!
//! Subscriptions of another sort, such as a chat's, are whoever's made them, and left alone for as long as the topic is there.

use std::collections::HashMap;

use aws_sdk_sns::types::{Subscription, Tag};
use serde::Serialize;
use serde_json::{Value, json};

use super::policy::{document, policy_value};
use super::{Blueprint, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome as _};
use crate::kind::Kind;
use crate::names::{Names, Tags};
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::spec::Email;

mod export;
mod grants;

pub const KIND: Kind = Kind::new("alarm_topic");

#[derive(Clone, Copy, Debug)]
pub struct AlarmTopic;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Who may publish.
    pub policy: Value,
    /// The KMS key that encrypts it; absent where none does.
    pub encryption_key: Option<String>,
    /// Who gets an e-mail, in order.
    pub emails: Vec<String>,
    /// Who else is told of alarms; not compared.
    #[serde(skip)]
    pub others: Vec<String>,
}

/// What stands for a subscription's ARN until its owner has confirmed it; it cannot be taken back before.
const PENDING: &str = "PendingConfirmation";

/// What stands for it for some time after its owner took it back.
const DELETED: &str = "Deleted";

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<AlarmTopic> {
    let (names, monitoring) = (blueprint.names, &blueprint.spec.monitoring);
    let mut emails: Vec<_> = monitoring.emails.iter().map(Email::to_string).collect();
    emails.sort();
    emails.dedup();
    let state = State { policy: alarms_publish(names), encryption_key: None, emails, others: Vec::new() };
    Target {
        existence: Existence::wanted_if(monitoring.alarms && monitoring.topic_arn.is_none()),
        ..blueprint.target(KIND, (names.alarm_topic(), names.alarm_topic_arn()), state, ())
    }
}

/// The policy of the topic that lets the account's alarms publish, and nobody else.
fn alarms_publish(names: &Names) -> Value {
    document(&[json!({
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": { "Service": "cloudwatch.amazonaws.com" },
        "Action": "sns:Publish",
        "Resource": names.alarm_topic_arn(),
        "Condition": { "StringEquals": { "aws:SourceAccount": names.account() } },
    })])
}

impl Resource for AlarmTopic {
    type State = State;
    type Id = String;
    type Extra = ();

    fn caution(want: &Target<Self>, _have: &State) -> Option<String> {
        // Whether it has others than by e-mail or not, they go with it.
        (!want.is_wanted()).then(|| {
            let name = &want.name;
            format!(
                "alarm_topic {name} is deleted with its subscriptions: whoever is to be told again has to confirm again"
            )
        })
    }

    fn left_alone(have: &State) -> &[String] {
        &have.others
    }

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || aws.sns.get_topic_attributes().topic_arn(&want.arn).send();
        let Some(answer) = aws.call("sns:GetTopicAttributes", request).await.found()? else {
            return Ok(None);
        };
        let tags = || aws.sns.list_tags_for_resource().resource_arn(&want.arn).send();
        let (tags, told) =
            futures_util::join!(aws.call("sns:ListTagsForResource", tags), want.subscriptions(aws));
        let (Some(tags), Some(told)) = (tags.found()?, told.found()?) else {
            return Ok(None);
        };
        let pairs = tags.tags().iter().map(|tag| (tag.key(), tag.value()));
        let attributes = answer.attributes.unwrap_or_default();
        Ok(Some(Observed::ready(want.arn.clone(), want.state_of(&attributes, &told), tags_from(pairs))))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let request = || {
            let call = step.aws.sns.create_topic().name(&want.name);
            call.attributes("Policy", want.state.policy.to_string())
                .set_tags(Some(sdk_tags(&want.tags)))
                .send()
        };
        step.call("sns:CreateTopic", request).await?;
        let state = State { emails: Vec::new(), ..want.state.clone() };
        Ok(want.created(want.arn.clone(), state))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        if changes.has("policy") {
            want.set(step, "Policy", want.state.policy.to_string()).await?;
        }
        if changes.has("encryption_key") {
            let key = want.state.encryption_key.clone().unwrap_or_default();
            want.set(step, "KmsMasterKeyId", key).await?;
        }
        if changes.has("emails") {
            want.subscribe(&have.state.emails, step).await?;
        }
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.sns.delete_topic().topic_arn(&want.arn).send();
        let deleted = step.aws.call("sns:DeleteTopic", request).await;
        deleted.found().map(drop)
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let request = || {
                let call = step.aws.sns.tag_resource().resource_arn(&want.arn);
                call.set_tags(Some(sdk_tags(set))).send()
            };
            step.call("sns:TagResource", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.sns.untag_resource().resource_arn(&want.arn);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("sns:UntagResource", request).await?;
        }
        Ok(())
    }
}

/// Whether a topic of the user's own is there, as far as one may look: it needs none of our permissions.
pub async fn is_there(aws: &Aws, topic: &str) -> Result<bool, AwsError> {
    let request = || aws.sns.get_topic_attributes().topic_arn(topic).send();
    match aws.call("sns:GetTopicAttributes", request).await.found() {
        Err(error) if error.kind == ErrorKind::Denied => Ok(true),
        found => found.map(|found| found.is_some()),
    }
}

impl Target<AlarmTopic> {
    /// The addresses that alarms do not reach, since nobody has confirmed them; none where there is to be no topic.
    pub async fn unconfirmed(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        if !self.is_wanted() {
            return Ok(Vec::new());
        }
        let mails = self.mails(aws).await.found()?;
        Ok(self.pending(&mails.unwrap_or_default()))
    }

    /// The addresses of the spec that AWS has mailed, and whose owners have not followed the link.
    fn pending(&self, mails: &[Subscription]) -> Vec<String> {
        let pending =
            mails.iter().filter(|mail| self.wants(mail) && mail.subscription_arn() == Some(PENDING));
        pending.filter_map(|mail| mail.endpoint().map(str::to_owned)).collect()
    }

    /// Whether a subscription is of an address of the spec.
    fn wants(&self, mail: &Subscription) -> bool {
        let known = |address: &str| self.state.emails.iter().any(|want| want == address);
        mail.endpoint().is_some_and(known)
    }

    async fn mails(&self, aws: &Aws) -> Result<Vec<Subscription>, AwsError> {
        let mut mails = self.subscriptions(aws).await?;
        mails.retain(is_mail);
        Ok(mails)
    }

    async fn subscriptions(&self, aws: &Aws) -> Result<Vec<Subscription>, AwsError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let request = || {
                let call = aws.sns.list_subscriptions_by_topic().topic_arn(&self.arn);
                call.set_next_token(token.clone()).send()
            };
            let page = aws.call("sns:ListSubscriptionsByTopic", request).await?;
            let all = page.subscriptions.unwrap_or_default().into_iter();
            found.extend(all.filter(|it| it.subscription_arn() != Some(DELETED)));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    fn state_of(&self, attributes: &HashMap<String, String>, told: &[Subscription]) -> State {
        let key = attributes.get("KmsMasterKeyId").filter(|key| !key.is_empty());
        let policy = attributes.get("Policy").map_or(Value::Null, |text| policy_value(text));
        // What nobody has confirmed cannot be taken back, and is gone by itself after two days.
        let counts = |mail: &&Subscription| self.wants(mail) || mail.subscription_arn() != Some(PENDING);
        let (mails, others): (Vec<_>, Vec<_>) = told.iter().partition(|it| is_mail(it));
        let addresses = mails.into_iter().filter(counts);
        let mut emails: Vec<_> = addresses.filter_map(|mail| mail.endpoint().map(str::to_owned)).collect();
        emails.sort();
        emails.dedup();
        State { policy, encryption_key: key.cloned(), emails, others: other_subscriptions(&others) }
    }

    /// Gets the e-mail subscriptions from `have` to what the spec says.
    async fn subscribe(&self, have: &[String], step: &Step<'_>) -> Result<(), AwsError> {
        for address in self.state.emails.iter().filter(|it| !have.contains(it)) {
            let request = || {
                let call = step.aws.sns.subscribe().topic_arn(&self.arn);
                call.protocol("email").endpoint(address).send()
            };
            step.call("sns:Subscribe", request).await?;
        }
        if have.iter().all(|address| self.state.emails.contains(address)) {
            return Ok(());
        }
        for mail in self.mails(step.aws).await? {
            let is_extra = |arn: &&str| !self.wants(&mail) && *arn != PENDING;
            let Some(arn) = mail.subscription_arn().filter(is_extra) else {
                continue;
            };
            let request = || step.aws.sns.unsubscribe().subscription_arn(arn).send();
            step.aws.call("sns:Unsubscribe", request).await.found()?;
        }
        Ok(())
    }

    async fn set(&self, step: &Step<'_>, attribute: &str, value: String) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.sns.set_topic_attributes().topic_arn(&self.arn);
            call.attribute_name(attribute).attribute_value(&value).send()
        };
        step.call("sns:SetTopicAttributes", request).await.map(drop)
    }
}

fn is_mail(subscription: &Subscription) -> bool {
    subscription.protocol() == Some("email")
}

/// Says by which ways others than the spec's are told; not who, since a chat's URL may be a secret.
fn other_subscriptions(others: &[&Subscription]) -> Vec<String> {
    let confirmed = others.iter().filter(|it| it.subscription_arn() != Some(PENDING));
    let mut ways: Vec<_> = confirmed.filter_map(|it| it.protocol()).collect();
    ways.sort_unstable();
    let said = || format!("subscriptions that are not by e-mail: {}", ways.join(", "));
    (!ways.is_empty()).then(said).into_iter().collect()
}

fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
    tags.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::wanted;

    fn mail(address: &str, arn: &str) -> Subscription {
        let mail = Subscription::builder().protocol("email");
        mail.endpoint(address).subscription_arn(arn).build()
    }

    fn topic() -> Target<AlarmTopic> {
        let topic = wanted("name: flags\nmonitoring: {alarms: true, emails: [a@example.com]}\n", want);
        assert_eq!(topic.state.emails, ["a@example.com"]);
        topic
    }

    #[test]
    fn addresses_are_pending_until_they_are_confirmed() {
        let confirmed = mail("a@example.com", "arn:aws:sns:a");
        let (ours, theirs) = (mail("a@example.com", PENDING), mail("b@example.com", PENDING));
        assert_eq!(topic().pending(&[ours, theirs]), ["a@example.com"]);
        assert_eq!(topic().pending(&[confirmed]), [""; 0]);
    }

    #[test]
    fn what_cannot_be_taken_back_is_no_drift() {
        let topic = topic();
        let emails = |mails: &[Subscription]| topic.state_of(&HashMap::new(), mails).emails;
        let (ours, theirs) = (mail("a@example.com", PENDING), mail("b@example.com", PENDING));
        assert_eq!(emails(&[ours.clone(), theirs]), ["a@example.com"]);
        let confirmed = mail("b@example.com", "arn:aws:sns:b");
        assert_eq!(emails(&[confirmed, ours]), ["a@example.com", "b@example.com"]);
    }

    #[test]
    fn other_ways_by_which_somebody_is_told_are_named_without_their_secret() {
        let chat = |arn: &str| {
            let chat = Subscription::builder().protocol("https").subscription_arn(arn);
            chat.endpoint("https://chat.example.com/secret").build()
        };
        let told = [chat("arn:aws:sns:c"), chat(PENDING), mail("a@example.com", "arn:aws:sns:a")];
        let state = topic().state_of(&HashMap::new(), &told);
        assert_eq!(state.others, ["subscriptions that are not by e-mail: https"]);
        assert_eq!(state.emails, ["a@example.com"]);
    }
}
