//! Unit tests of whose a spilled object is.

use std::time::Duration;

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_mocks::{Rule, mock};

use super::*;
use crate::aws::testing::aws;

const NEW: &str = "spill/flags/dt=2026-01-31/7f3a-b0-0123456789abcdef.ndjson.gz";
const OLD: &str = "spill/dt=2026-01-31/7f3a-b0-0123456789abcdef.ndjson.gz";

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

/// A bucket with these objects, of so many bytes and stored at such times, that lists one a page.
fn bucket(objects: &'static [(&'static str, i64, i64)]) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
        let prefix = input.prefix().unwrap_or_default();
        let below: Vec<_> = objects.iter().filter(|it| it.0.starts_with(prefix)).collect();
        let page: usize = input.continuation_token().map_or(0, |token| token.parse().unwrap());
        let more = (page + 1 < below.len()).then(|| (page + 1).to_string());
        let object = below.get(page).map(|(key, bytes, written)| {
            let object = Object::builder().key(*key).size(*bytes);
            object.last_modified(DateTime::from_secs(*written)).build()
        });
        ListObjectsV2Output::builder()
            .set_contents(object.map(|object| vec![object]))
            .set_next_continuation_token(more)
            .build()
    })
}

#[test]
fn only_what_the_handler_named_is_the_pipelines() {
    use BucketOwnership::{Pipeline, User};
    let unknown = KeyOwner::Unknown;
    let not_from_handler = unknown(UnclaimedReason::NotFromHandler);
    for (key, in_own, in_users) in [
        (NEW, KeyOwner::Pipeline, KeyOwner::Pipeline),
        (OLD, KeyOwner::Pipeline, unknown(UnclaimedReason::NamesNoPipeline)),
        ("spill/flags2/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", KeyOwner::Other, KeyOwner::Other),
        ("spill/flags/dt=2026-01-31/r-0123456789abcde.ndjson.gz", not_from_handler, not_from_handler),
        ("spill/flags/dt=2026-01-31/r-0123456789abcdeF.ndjson.gz", not_from_handler, not_from_handler),
        ("spill/flags/dt=2026-01-31/0123456789abcdef.ndjson.gz", not_from_handler, not_from_handler),
        ("spill/flags/dt=2026-01-31/a/r-0123456789abcdef.ndjson.gz", not_from_handler, not_from_handler),
        ("spill/flags/dt=2026-1-31/r-0123456789abcdef.ndjson.gz", not_from_handler, not_from_handler),
        ("spill/flags/notes.txt", not_from_handler, not_from_handler),
        ("spill/flags2/notes.txt", not_from_handler, KeyOwner::Other),
        ("spill/notes.txt", not_from_handler, KeyOwner::Other),
        ("spill/dt=2026/notes.txt", not_from_handler, KeyOwner::Other),
        ("spill/dt=2026-01-31/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", not_from_handler, KeyOwner::Other),
        ("rejected/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", KeyOwner::Other, KeyOwner::Other),
    ] {
        assert_eq!(KeyOwner::of(key, "flags", Pipeline), in_own, "{key}");
        assert_eq!(KeyOwner::of(key, "flags", User), in_users, "{key}");
    }
}

#[test]
fn a_request_id_has_no_character_that_the_handler_writes_a_dash_for() {
    let name = |id: &str| is_handlers_name(&format!("{id}-0123456789abcdef.ndjson.gz"));
    for id in ["8f1c2d3e-0000-4000-8000-AaZz09", "r", "-", "--b0"] {
        assert!(name(id), "{id}");
    }
    for id in ["", "a/b", "a b", "a'b", "$(x)", "r\u{1b}[2J", "é", "a\n", "a.b", "a_b"] {
        assert!(!name(id), "{id}");
    }
}

#[tokio::test]
async fn the_pile_is_of_this_pipeline_alone_and_oldest_first() {
    let rule = bucket(&[
        ("spill/", 0, 1),
        ("spill/dt=2026-01-31/a-0123456789abcdef.ndjson.gz", 10, 300),
        ("spill/flags/", 0, 1),
        ("spill/flags/dt=2026-01-31/b-0123456789abcdef.ndjson.gz", 20, 200),
        ("spill/flags/dt=2026-01-31/c-0123456789abcdef.ndjson.gz", 30, 100),
        ("spill/flags2/dt=2026-01-31/d-0123456789abcdef.ndjson.gz", 40, 50),
        ("spill/notes.txt", 1, 1),
    ]);
    let aws = aws(&[], &[&rule]);
    let own = spilled(&aws, "b", "flags", BucketOwnership::Pipeline).await.unwrap();
    let names: Vec<_> = own.objects.iter().map(|it| &it.key[it.key.len() - 28..][..1]).collect();
    assert_eq!(names, ["c", "b", "a"]);
    let pile = SpilledPile { objects: 3, bytes: 60, oldest: at(100), newest: at(300) };
    let piled = async |ownership| spilled_pile(&aws, "b", "flags", ownership).await.unwrap();
    assert_eq!(piled(BucketOwnership::Pipeline).await, (Some(pile), 0));
    let unclaimed: Vec<_> = own.unclaimed.iter().map(|it| (&*it.key, it.reason)).collect();
    assert_eq!(unclaimed, [("spill/notes.txt", UnclaimedReason::NotFromHandler)]);
    assert_eq!(own.claim_command("b", "flags"), None);

    let users = spilled(&aws, "b", "flags", BucketOwnership::User).await.unwrap();
    let pile = SpilledPile { objects: 2, bytes: 50, oldest: at(100), newest: at(200) };
    assert_eq!(piled(BucketOwnership::User).await, (Some(pile), 1));
    assert_eq!(users.unclaimed.len(), 1);
    assert_eq!(
        users.claim_command("b", "flags").unwrap(),
        "aws s3 mv s3://b/spill/dt=2026-01-31 s3://b/spill/flags/dt=2026-01-31 --recursive"
    );
}

#[tokio::test]
async fn objects_of_several_days_are_moved_by_one_command() {
    let rule = bucket(&[
        ("spill/dt=2026-01-31/a-0123456789abcdef.ndjson.gz", 10, 300),
        ("spill/dt=2026-02-01/a-0123456789abcdef.ndjson.gz", 10, 300),
    ]);
    let aws = aws(&[], &[&rule]);
    let users = spilled(&aws, "b", "flags", BucketOwnership::User).await.unwrap();
    let piled = spilled_pile(&aws, "b", "flags", BucketOwnership::User).await;
    assert_eq!(piled.unwrap(), (None, 2));
    assert_eq!(
        users.claim_command("b", "flags").unwrap(),
        "aws s3 mv s3://b/spill/ s3://b/spill/flags/ --recursive --exclude '*' --include 'dt=*'"
    );
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_holds_nothing() {
    let rule = mock!(aws_sdk_s3::Client::list_objects_v2)
        .then_error(|| ListObjectsV2Error::generic(ErrorMetadata::builder().code("NoSuchBucket").build()));
    let none = spilled(&aws(&[], &[&rule]), "b", "flags", BucketOwnership::Pipeline).await;
    assert_eq!(none.unwrap(), Spilled::default());
}

#[test]
fn a_day_is_a_whole_date_and_nothing_else() {
    let is_ours = |day: &str| {
        let key = format!("spill/flags/dt={day}/r-0123456789abcdef.ndjson.gz");
        KeyOwner::of(&key, "flags", BucketOwnership::Pipeline) == KeyOwner::Pipeline
    };
    assert!(is_ours("2026-01-31"));
    for day in ["2026-01-3", "2026-01-31T", "2026-01-3x", "2026/01/31", "abcd-ef-gh", ""] {
        assert!(!is_ours(day), "{day}");
    }
}
