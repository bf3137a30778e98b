//! The bucket in Terraform's language, with each of its settings as a resource of its own.

use hcl::{Block, Expression};

use super::{ABORT, Bucket, EXPIRE, Encryption, Lifecycle, PublicAccess};
use crate::export::Page;
use crate::export::terraform::{Chapter, block, call, kept, local, reference, references, resource};
use crate::resource::Target;

const ID: &str = "aws_s3_bucket.impressions.id";

pub(super) fn blocks(want: &Target<Bucket>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
    let name = want.name.as_str();
    if want.is_users() {
        let data = Block::builder("data").add_label("aws_s3_bucket");
        let data = data.add_label("impressions").add_attribute(("bucket", name));
        return (Chapter::UsersBucket, vec![data.build()]);
    }
    let state = &want.state;
    let bucket = resource("aws_s3_bucket", "impressions")
        .add_attribute(("bucket", name))
        .add_attribute(("tags", reference("local.tags")))
        .add_blocks(kept(page.spec));
    let mut blocks = vec![bucket.build(), public_access(&state.public_access)];
    blocks.extend(policy(want, page));
    blocks.extend(state.encryption.as_ref().map(encryption));
    blocks.extend(state.versioning.then(versioning));
    blocks.extend(state.object_ownership.as_deref().map(ownership));
    blocks.push(lifecycle(&state.lifecycle));
    (Chapter::Bucket, blocks)
}

fn public_access(want: &PublicAccess) -> Block {
    resource("aws_s3_bucket_public_access_block", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_attribute(("block_public_acls", want.block_acls))
        .add_attribute(("block_public_policy", want.block_policy))
        .add_attribute(("ignore_public_acls", want.ignore_acls))
        .add_attribute(("restrict_public_buckets", want.restrict_buckets))
        .build()
}

fn policy(want: &Target<Bucket>, page: &Page<'_>) -> [Block; 2] {
    let policy = page.hcl_value(&want.state.policy);
    // S3 may refuse a policy while public access is being blocked.
    let after = references(["aws_s3_bucket_public_access_block.impressions"]);
    let resource = resource("aws_s3_bucket_policy", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_attribute(("policy", call("jsonencode", reference("local.bucket_policy"))))
        .add_attribute(("depends_on", after));
    [local("bucket_policy", policy), resource.build()]
}

fn encryption(want: &Encryption) -> Block {
    let key = want.key.as_deref().map(|key| ("kms_master_key_id", key));
    let default = Block::builder("apply_server_side_encryption_by_default")
        .add_attribute(("sse_algorithm", want.algorithm.as_str()))
        .add_attributes(key);
    let rule = Block::builder("rule")
        .add_attributes(want.bucket_key.map(|enabled| ("bucket_key_enabled", enabled)))
        .add_block(default.build());
    resource("aws_s3_bucket_server_side_encryption_configuration", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_block(rule.build())
        .build()
}

fn versioning() -> Block {
    resource("aws_s3_bucket_versioning", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_block(block("versioning_configuration", [("status", "Enabled".into())]))
        .build()
}

fn ownership(want: &str) -> Block {
    resource("aws_s3_bucket_ownership_controls", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_block(block("rule", [("object_ownership", want.into())]))
        .build()
}

fn lifecycle(want: &Lifecycle) -> Block {
    let days = |name: &str, attribute: &str, days: Option<i32>| {
        days.map(|days| block(name, [(attribute, Expression::from(days))]))
    };
    let abort = days("abort_incomplete_multipart_upload", "days_after_initiation", want.abort_uploads_days);
    let expire = days("expiration", "days", want.expire_days).into_iter().chain(days(
        "noncurrent_version_expiration",
        "noncurrent_days",
        want.expire_versions_days,
    ));
    let prefix = want.expire_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    let rules = [(ABORT, None, abort.into_iter().collect::<Vec<_>>()), (EXPIRE, prefix, expire.collect())];
    let rules = rules.into_iter().filter(|(_, _, actions)| !actions.is_empty());
    resource("aws_s3_bucket_lifecycle_configuration", "impressions")
        .add_attribute(("bucket", reference(ID)))
        .add_blocks(rules.map(|(id, prefix, actions)| rule(id, prefix, actions)))
        .build()
}

fn rule(id: &str, prefix: Option<&str>, actions: Vec<Block>) -> Block {
    let filter = Block::builder("filter").add_attributes(prefix.map(|prefix| ("prefix", prefix)));
    Block::builder("rule")
        .add_attribute(("id", id))
        .add_attribute(("status", "Enabled"))
        .add_block(filter.build())
        .add_blocks(actions)
        .build()
}
