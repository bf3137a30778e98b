//! The stream for other tools.

use hcl::Block;
use serde_json::json;

use super::Stream;
use crate::export::cloudformation::{self, Templates, retained};
use crate::export::terraform::{Chapter, block, kept, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Stream {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        Some(Reference {
            arn: want.arn.clone(),
            terraform: "aws_kinesis_stream.impressions.arn",
            cloudformation: Some("Stream.Arn"),
        })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let (encryption, key) = match &state.encryption_key {
            Some(key) => ("KMS", Some(("kms_key_id", key.as_str()))),
            None => ("NONE", None),
        };
        let stream = resource("aws_kinesis_stream", "impressions")
            .add_attribute(("name", want.name.as_str()))
            .add_attributes(state.shards.map(|shards| ("shard_count", shards)))
            .add_attribute(("retention_period", state.retention_hours))
            .add_attribute(("encryption_type", encryption))
            .add_attributes(key)
            .add_attribute(("tags", reference("local.tags")))
            .add_block(block("stream_mode_details", [("stream_mode", state.mode.as_str().into())]))
            .add_blocks(kept(page.spec));
        (Chapter::Stream, vec![stream.build()])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let encryption = state.encryption_key.as_ref();
        let properties = json!({
            "Name": want.name,
            "StreamModeDetails": { "StreamMode": state.mode },
            "ShardCount": state.shards,
            "RetentionPeriodHours": state.retention_hours,
            "StreamEncryption": encryption.map(|key| json!({ "EncryptionType": "KMS", "KeyId": key })),
            "Tags": page.template_tags(),
        });
        let stream = cloudformation::resource("AWS::Kinesis::Stream", &properties);
        vec![("Stream".to_owned(), retained(stream))]
    }
}
