//! Unit tests of what cannot be looked for, and of what comes late.

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;

use super::*;

/// A drain with these rules before those of the world; gives how many impressions were copied.
async fn drained(
    world: &DrainWorld,
    first: Option<&Rule>,
    spec: &str,
    pass: Pass,
) -> Result<usize, ReplayError> {
    let (kinesis, s3) = (world.kinesis(), world.s3());
    let rules: Vec<_> = first.into_iter().chain(&s3).collect();
    let (aws, place) = (aws(&kinesis.each_ref(), &rules), place_of(spec));
    let unproven = Unproven {
        gaps: Gaps::default(),
        since: SystemTime::now() - LIMIT,
        prefix: place.prefix.clone(),
        delivers_within: Some(LIMIT),
    };
    let drain = Drain { aws: &aws, place: &place, waiting: &|_| {} };
    match pass {
        Pass::First => drain.run(&unproven).await,
        Pass::Late => drain.late(&unproven, SystemTime::now()).await,
    }
}

#[derive(Clone, Copy)]
enum Pass {
    First,
    Late,
}

fn fails(code: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2)
        .then_error(move || ListObjectsV2Error::generic(ErrorMetadata::builder().code(code).build()))
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_gone_has_nothing_and_one_that_may_not_be_looked_at_is_an_error() {
    let world = DrainWorld::new(&[&["a"]]).delivering(&["a"], 1);
    let gone = drained(&world, Some(&fails("NoSuchBucket")), SPEC, Pass::First).await;
    assert_eq!((gone.unwrap(), world.has_copied()), (1, true));
    let world = DrainWorld::new(&[&["a"]]).delivering(&["a"], 1);
    let denied = drained(&world, Some(&fails("AccessDenied")), SPEC, Pass::First).await;
    let Err(ReplayError::Aws(error)) = denied else {
        panic!("the bucket was looked at");
    };
    assert_eq!((error.kind, world.has_copied()), (ErrorKind::Denied, false));
}

#[tokio::test(start_paused = true)]
async fn what_arrived_around_the_look_is_late_and_copied() {
    let world = DrainWorld::new(&[&["late"]]);
    let copied = drained(&world, None, SPEC, Pass::Late).await;
    assert_eq!((copied.unwrap(), world.has_copied()), (1, true));
    let world = DrainWorld::new(&[&["late"]]).delivering(&["late"], 1);
    let copied = drained(&world, None, SPEC, Pass::Late).await;
    assert_eq!((copied.unwrap(), world.has_copied()), (0, false));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_row_is_copied_and_counted_too() {
    let world = DrainWorld::new(&[&["[]"]]);
    let spec = "name: flags\ndelivery: {format: parquet, prefix: impressions/}\n";
    let copied = drained(&world, None, spec, Pass::First).await;
    assert_eq!((copied.unwrap(), world.has_copied()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn megabytes_are_looked_for() {
    let large = "x".repeat(2 * 1024 * 1024);
    let world = DrainWorld::new(&[&[&large]]).delivering(&[&large], 1);
    assert_eq!(drained(&world, None, SPEC, Pass::First).await.unwrap(), 0);
    assert!(world.looks.load(Ordering::Relaxed) > 0);
}
