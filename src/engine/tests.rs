//! The engine on made-up kinds and a made-up AWS: whatever happens, the next run that nobody disturbs puts it right.
//!
//! Each seed is a story: what exists at first, then runs of `up` and `down` during which calls fail or their answers are lost,
//! the user interrupts, another run goes on beside, another hand deletes or changes something. Time is tokio's, paused.
//! A failing seed prints itself; CONTRIBUTING has the commands.

mod kinds;
mod story;
mod world;

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

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

/// Plays stories on as many threads as there are processors; gives what happened in all of them.
fn play(seeds: &std::ops::Range<u64>) -> story::Totals {
    let (next, total) = (AtomicU64::new(seeds.start), Mutex::new(story::Totals::default()));
    let aws = crate::aws::testing::aws(&[], &[]);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|seed| seeds.contains(seed)) {
                    let played = story::play(seed, &aws, false).unwrap_or_else(|(why, _)| {
                        let Err(told) = story::play(seed, &aws, true) else {
                            panic!("seed {seed}: {why}; the second time it is right");
                        };
                        assert_eq!(told.0, why, "seed {seed} does not play the same story again");
                        let alone = ALONE.replace("SEED=SEED", &format!("SEED={seed}"));
                        panic!("seed {seed}: {why}\n{}\n{alone}", told.1);
                    });
                    total.lock().unwrap().add(&played);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

const ALONE: &str =
    "play it alone with SPLIT_PIPELINE_SEED=SEED cargo nextest run --lib -E 'test(/engine::tests/)'";

#[test]
fn the_next_undisturbed_run_puts_right_whatever_happened_before() {
    let seeds = seeds();
    let total = play(&seeds);
    if seeds.end - seeds.start >= SEEDS {
        // A story in which nothing goes wrong proves nothing.
        assert!(total.faults > 0 && total.interrupted > 0 && total.other_hands > 0, "{total:?}");
        assert!(total.refused > 0 && total.replaced > 0 && total.beside > 0, "{total:?}");
    }
}

#[test]
fn what_is_bound_to_a_lost_role_is_bound_to_its_successor_wherever_the_run_is_interrupted() {
    let aws = crate::aws::testing::aws(&[], &[]);
    for at in 1..100 {
        story::lose_the_role(at, &aws).unwrap();
    }
}
