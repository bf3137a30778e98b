//! The engine on made-up kinds and a made-up AWS: whatever happens, the next run that nobody disturbs puts it right.
//!
//! Each seed is a story: what exists at first, then runs of `up` and `down` during which calls fail or their answers are lost,
//! the user interrupts, another run goes on beside, another hand deletes or changes something. Time is tokio's, paused.
//! A failing seed prints itself; CONTRIBUTING has the commands.

mod kinds;
mod story;
mod world;

/// How many stories each test run plays.
const SEEDS: u64 = 1_000;

/// The first seed, and how many of them; `SPLIT_PIPELINE_SEED` plays one alone, `SPLIT_PIPELINE_SEEDS` more of them.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SPLIT_PIPELINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SPLIT_PIPELINE_SEEDS").unwrap_or(SEEDS),
    }
}

#[test]
fn the_next_undisturbed_run_puts_right_whatever_happened_before() {
    let (mut total, aws) = (story::Totals::default(), crate::aws::testing::aws(&[], &[]));
    for seed in seeds() {
        match story::play(seed, &aws, false) {
            Ok(totals) => total.add(&totals),
            Err((why, _)) => {
                let told = story::play(seed, &aws, true).map(drop).unwrap_err();
                assert_eq!(told.0, why, "seed {seed} does not play the same story again");
                let alone =
                    format!("SPLIT_PIPELINE_SEED={seed} cargo nextest run --lib -E 'test(/engine::tests/)'");
                panic!(
                    "seed {seed}: {why}
{}
alone: {alone}",
                    told.1
                );
            }
        }
    }
    if seeds().count() > 1 {
        // A story in which nothing goes wrong proves nothing.
        assert!(
            total.faults > 0 && total.interrupted > 0 && total.other_hands > 0,
            "{total:?}"
        );
        assert!(
            total.refused > 0 && total.replaced > 0 && total.beside > 0,
            "{total:?}"
        );
    }
}
