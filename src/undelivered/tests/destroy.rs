//! Unit tests of what `down` deletes, and in which order: a stream after what it holds is in the bucket, a bucket or a database
//! only if nothing of value goes with it.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_sdk_glue::operation::delete_database::DeleteDatabaseOutput;
use aws_sdk_glue::operation::delete_table::{DeleteTableError, DeleteTableOutput};
use aws_sdk_glue::operation::get_tables::GetTablesOutput;
use aws_sdk_kinesis::operation::delete_stream::DeleteStreamOutput;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::operation::list_shards::{ListShardsError, ListShardsOutput};
use aws_sdk_s3::operation::delete_bucket::DeleteBucketOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use crate::aws::testing::{Seen, aws, every_service};
use crate::aws::{Aws, ErrorKind};
use crate::engine::destroy::{Data, Destroyed, destroy};
use crate::kind::Kind;
use crate::names::Tags;
use crate::pipeline::testing::{as_wanted, desired, nothing as nothing_there};
use crate::pipeline::{Desired, Snapshot};
use crate::replay::testing::place_of;
use crate::resource::Observed;
use crate::resource::Phase;
use crate::resources::catalog::{database, table};
use crate::resources::stream;
use crate::undelivered::drain::Unproven;
use crate::undelivered::gaps::Gaps;
use crate::undelivered::{Drained, Draining};

const SPEC: &str = "name: flags\n";

/// What a pipeline is that has nothing left but its stream.
fn only_a_stream(want: &Desired, tags: Tags) -> Snapshot {
    let stream =
        Observed { id: want.stream.arn.clone(), state: want.stream.state.clone(), tags, phase: Phase::Ready };
    Snapshot { stream: Some(stream), ..nothing_there(want) }
}

/// A stream that can be deleted, and whose shards are listed as `shards` says.
fn kinesis(shards: Rule, deleted: &Arc<Mutex<usize>>) -> [Rule; 3] {
    let deleted = Arc::clone(deleted);
    let delete = mock!(aws_sdk_kinesis::Client::delete_stream).then_output(move || {
        *deleted.lock().unwrap() += 1;
        DeleteStreamOutput::builder().build()
    });
    let code = || ErrorMetadata::builder().code("ResourceNotFoundException").build();
    let describe = mock!(aws_sdk_kinesis::Client::describe_stream_summary)
        .then_error(move || DescribeStreamSummaryError::generic(code()));
    [shards, delete, describe]
}

fn no_shards() -> Rule {
    mock!(aws_sdk_kinesis::Client::list_shards).then_output(|| ListShardsOutput::builder().build())
}

fn denied() -> Rule {
    let code = || ErrorMetadata::builder().code("AccessDeniedException").message("no").build();
    mock!(aws_sdk_kinesis::Client::list_shards).then_error(move || ListShardsError::generic(code()))
}

/// Destroys a pipeline that has nothing left but its stream; gives how that went, and how often the stream was deleted.
async fn destroy_stream(shards: Rule, tags: impl Fn(&Desired) -> Tags) -> (Destroyed, Drained, usize) {
    let deleted = Arc::default();
    let rules = kinesis(shards, &deleted);
    let aws = aws(&rules.each_ref(), &[]);
    let (want, place) = (desired(SPEC), place_of(SPEC));
    let have = only_a_stream(&want, tags(&want));
    let unproven = Unproven {
        gaps: Gaps::default(),
        since: SystemTime::UNIX_EPOCH,
        prefix: place.prefix.clone(),
        delivers_within: None,
    };
    let draining = Draining::new(&want, &place, Some(unproven));
    let destroyed = destroy(&aws, &want, have, Data::Keep, &draining).await;
    let deleted = *deleted.lock().unwrap();
    (destroyed, draining.drained(), deleted)
}

#[tokio::test]
async fn a_stream_that_holds_nothing_is_deleted() {
    let (destroyed, drained, deleted) = destroy_stream(no_shards(), |want| want.stream.tags.clone()).await;
    assert!(destroyed.report.is_complete(), "{:?}", destroyed.report);
    assert_eq!((drained, deleted), (Drained::Yes { copied: 0 }, 1));
}

#[tokio::test]
async fn a_stream_that_cannot_be_looked_into_stays() {
    let (destroyed, drained, deleted) = destroy_stream(denied(), |want| want.stream.tags.clone()).await;
    assert_eq!((drained, deleted), (Drained::No, 0));
    let (kind, _, error) = &destroyed.report.failed[0];
    assert_eq!((*kind, error.kind), (stream::KIND, ErrorKind::Denied));
    assert!(error.message.contains("the stream is kept"), "{}", error.message);
}

#[tokio::test]
async fn a_stream_that_is_not_the_pipelines_stays_whatever_it_holds() {
    let (destroyed, _, deleted) = destroy_stream(no_shards(), |_| Tags::new()).await;
    assert_eq!((destroyed.kept[0].kind, deleted), (stream::KIND, 0));
}

#[tokio::test]
async fn a_stream_that_is_not_looked_into_because_the_user_interrupted_stays_and_is_no_failure() {
    let rules = kinesis(no_shards(), &Arc::default());
    let aws = aws(&rules.each_ref(), &[]);
    aws.interrupt.cancel();
    let (want, place) = (desired(SPEC), place_of(SPEC));
    let have = only_a_stream(&want, want.stream.tags.clone());
    let unproven = Unproven {
        gaps: Gaps::default(),
        since: SystemTime::UNIX_EPOCH,
        prefix: place.prefix.clone(),
        delivers_within: None,
    };
    let draining = Draining::new(&want, &place, Some(unproven));
    let destroyed = destroy(&aws, &want, have, Data::Keep, &draining).await;
    assert!(destroyed.report.failed.is_empty() && destroyed.report.done.is_empty());
    assert!(!destroyed.report.not_started.is_empty());
    assert_eq!(draining.drained(), Drained::No);
}

/// What became of a resource: why it was kept, and the calls that changed something.
type Fate = (Vec<String>, Vec<&'static str>);

async fn destroy_of(aws: Aws, want: &Desired, have: Snapshot, data: Data) -> (Destroyed, Fate) {
    let (aws, seen) = Seen::by(aws);
    let destroyed = destroy(&aws, want, have, data, &()).await;
    let kept = destroyed.kept.iter().map(|kept| kept.why.clone()).collect();
    (destroyed, (kept, seen.changes()))
}

fn somebodys() -> Tags {
    [("owner".to_owned(), "somebody".to_owned())].into()
}

#[tokio::test]
async fn a_bucket_goes_only_with_its_data_and_only_if_it_is_the_pipelines() {
    let rules = [
        mock!(aws_sdk_s3::Client::list_object_versions)
            .then_output(|| ListObjectVersionsOutput::builder().build()),
        mock!(aws_sdk_s3::Client::list_multipart_uploads)
            .then_output(|| ListMultipartUploadsOutput::builder().build()),
        mock!(aws_sdk_s3::Client::delete_bucket).then_output(|| DeleteBucketOutput::builder().build()),
    ];
    let own = desired(SPEC);
    let users = desired("name: flags\ndelivery: {bucket: shared, existing_bucket: true}\n");
    let holds = "it holds the impressions; --purge-data deletes it with them";
    let (yours, foreign) = ("it is yours (existing_bucket)", "it is not tagged as this pipeline's");
    let (keep, purge) = (Data::Keep, Data::Purge);
    let ours = own.bucket.tags.clone();
    let cases: [(&Desired, Tags, Data, &[&str]); 6] = [
        (&own, ours.clone(), keep, &[holds]),
        (&own, ours, purge, &[]),
        (&own, somebodys(), keep, &[foreign]),
        (&own, somebodys(), purge, &[foreign]),
        (&users, users.bucket.tags.clone(), keep, &[yours]),
        (&users, users.bucket.tags.clone(), purge, &[yours]),
    ];
    for (want, tags, data, kept) in cases {
        let mut have = nothing_there(want);
        have.bucket = as_wanted(&want.bucket).map(|bucket| Observed { tags, ..bucket });
        let (destroyed, fate) = destroy_of(every_service(&rules.each_ref()), want, have, data).await;
        assert!(destroyed.report.is_complete(), "{:?}", destroyed.report);
        let deleted: &[&str] = if kept.is_empty() { &["s3:DeleteBucket"] } else { &[] };
        assert_eq!(fate, (kept.iter().map(|&why| why.to_owned()).collect(), deleted.to_vec()));
    }
    let nothing = nothing_there(&own);
    let (_, fate) = destroy_of(every_service(&[]), &own, nothing, purge).await;
    assert_eq!(fate, Fate::default());
}

/// The tables and views of a database.
fn tables(names: &'static [&'static str]) -> Rule {
    mock!(aws_sdk_glue::Client::get_tables).then_output(move || {
        let table = |name: &&str| aws_sdk_glue::types::Table::builder().name(*name).build().unwrap();
        let tables = names.iter().map(table).collect();
        GetTablesOutput::builder().set_table_list(Some(tables)).build()
    })
}

#[tokio::test]
async fn a_database_goes_only_if_it_is_the_pipelines_and_nobody_keeps_tables_in_it() {
    const PARQUET: &str = "name: flags\ndelivery: {format: parquet}\n";
    let want = desired(PARQUET);
    let database = || {
        mock!(aws_sdk_glue::Client::delete_database).then_output(|| DeleteDatabaseOutput::builder().build())
    };
    let table =
        || mock!(aws_sdk_glue::Client::delete_table).then_output(|| DeleteTableOutput::builder().build());
    let denied = || ErrorMetadata::builder().code("AccessDeniedException").build();
    let refuses =
        mock!(aws_sdk_glue::Client::delete_table).then_error(move || DeleteTableError::generic(denied()));
    let have = |tags: Tags| {
        let mut have = nothing_there(&want);
        have.table = as_wanted(&want.table);
        have.database = as_wanted(&want.database).map(|database| Observed { tags, ..database });
        have
    };
    let ours = || want.database.tags.clone();
    let run = async |rules: [Rule; 3], tags| {
        destroy_of(every_service(&rules.each_ref()), &want, have(tags), Data::Keep).await
    };

    let (destroyed, fate) = run([tables(&[]), table(), database()], ours()).await;
    assert!(destroyed.report.is_complete());
    assert_eq!(fate, (Vec::new(), vec!["glue:DeleteTable", "glue:DeleteDatabase"]));

    let (destroyed, fate) = run([tables(&["a", "b"]), table(), database()], ours()).await;
    assert!(destroyed.report.is_complete());
    let why = "it has tables or views that are not the pipeline's: a, b";
    assert_eq!(fate, (vec![why.to_owned()], vec!["glue:DeleteTable"]));

    let (_, fate) = run([tables(&["a"]), table(), database()], somebodys()).await;
    let why = "it is not tagged as this pipeline's";
    assert_eq!(fate, (vec![why.to_owned()], vec!["glue:DeleteTable"]));

    // The table that is in the way is the pipeline's own.
    let (destroyed, (kept, _)) = run([tables(&["impressions"]), refuses, database()], ours()).await;
    let kinds = |all: Vec<&Kind>| all.into_iter().copied().collect::<Vec<_>>();
    let failed = destroyed.report.failed.iter().map(|(kind, ..)| kind).collect();
    let not_started = destroyed.report.not_started.iter().map(|(kind, ..)| kind).collect();
    assert_eq!((kinds(failed), kinds(not_started)), (vec![table::KIND], vec![database::KIND]));
    assert_eq!(kept, [""; 0]);
}
