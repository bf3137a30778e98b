//! Waits for resources: polls with a deadline, and repeats calls that AWS answers with "not yet".
//!
//! Must not know more of a resource than the words that describe the wait.

use std::time::Duration;

use tokio::time::Instant;

use super::Aws;
use super::{AwsError, ErrorKind};

/// How long a new role or policy may take to be known everywhere (IAM is eventually consistent; Terraform's AWS
/// provider allows the same).
pub const PROPAGATION: Duration = Duration::from_mins(2);

/// How long a resource may take to settle: delivery streams and resharding take minutes.
pub const SETTLING: Duration = Duration::from_mins(10);

/// How long something without any tags is given to get its owner's: another `up` may have made it a moment ago, and
/// not every endpoint keeps the tags that go with a create call.
pub const TAGGING: Duration = Duration::from_secs(3);

/// The shortest and the longest time between two looks. Firehose answers five calls a second.
const LOOK_DELAYS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A look comes after this part of the time waited so far, so that what took a minute is seen three seconds later at most.
const WAITED_PART: u32 = 20;

/// The first and the longest wait before a call is made again that came too early: each may carry the handler's zip.
const CALL_DELAYS: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(3));

/// How long a call in flight may still take when the user interrupts or time runs out.
const GRACE: Duration = Duration::from_secs(10);

pub enum Look<T> {
    Ready(T),
    Pending(String),
}

impl Aws {
    /// Looks again and again, from short to long delays, until `look` finds what it looks for.
    pub async fn wait_until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl AsyncFnMut() -> Result<Look<T>, AwsError>,
    ) -> Result<T, AwsError> {
        let started = Instant::now();
        loop {
            let state = match look().await? {
                Look::Ready(found) => return Ok(found),
                Look::Pending(state) => state,
            };
            let delay = next_look_after(started.elapsed());
            if started.elapsed() + delay > limit {
                let waited = humantime::format_duration(limit);
                let message = format!("waited {waited} for {what}; the last state was {state}");
                return Err(AwsError::new("wait", ErrorKind::TimedOut, message));
            }
            self.pause_for(delay, || format!("{what}; the last state was {state}")).await?;
        }
    }

    /// Repeats a call while AWS answers that something it depends on has not settled yet.
    ///
    /// `waiting` is told what the call waits for, whenever it does.
    pub async fn settle<T>(
        &self,
        waiting: &(dyn Fn(&str) + Sync),
        mut call: impl AsyncFnMut() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let deadline = Instant::now() + PROPAGATION;
        let (mut next, longest) = CALL_DELAYS;
        loop {
            let error = match call().await {
                Err(error) if error.kind == ErrorKind::NotYet => error,
                other => return other,
            };
            let delay = jittered(next);
            next = next.mul_f64(1.5).min(longest);
            if Instant::now() + delay > deadline {
                return Err(error);
            }
            waiting(&error.message);
            self.pause_for(delay, || error.to_string()).await?;
        }
    }

    /// Sleeps, unless the user interrupts.
    pub async fn pause(&self, delay: Duration) -> Result<(), AwsError> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.interrupt.cancelled() => Err(interrupted("interrupted")),
        }
    }

    /// Sleeps, unless the user interrupts, who is then told what was waited for.
    pub(super) async fn pause_for(
        &self,
        delay: Duration,
        what: impl FnOnce() -> String,
    ) -> Result<(), AwsError> {
        let paused = self.pause(delay).await;
        paused.map_err(|_| interrupted(format!("stopped waiting for {}", what())))
    }

    /// Waits for the answer to a call: to its end, but for long only while nobody interrupts.
    pub(super) async fn answer<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError> {
        tokio::select! {
            // An answer that is there counts, whatever else happened.
            biased;
            answer = answer => answer,
            () = self.grace_expired() => Err(interrupted(format!("{call} was sent, and stopped waiting for its answer"))),
        }
    }

    /// Ends when calls in flight at an interruption have had their time.
    pub(crate) async fn grace_expired(&self) {
        self.interrupt.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    /// Stops work of many calls between two of them when the user interrupts.
    pub fn check_interrupt(&self) -> Result<(), AwsError> {
        if self.interrupt.is_cancelled() { Err(interrupted("interrupted")) } else { Ok(()) }
    }
}

/// The error of work that ends because the user interrupts.
pub(super) fn interrupted(message: impl Into<String>) -> AwsError {
    AwsError::new("wait", ErrorKind::Interrupted, message)
}

/// When to look again at what has been waited for so long.
fn next_look_after(waited: Duration) -> Duration {
    let (shortest, longest) = LOOK_DELAYS;
    jittered((waited / WAITED_PART).clamp(shortest, longest))
}

/// A little more or less, so that concurrent waits spread out.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.85 + 0.3 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing;

    async fn after(seconds: u64) -> Result<u64, AwsError> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_ten_more_seconds_once_the_user_interrupts() {
        let aws = testing::aws(&[], &[]);
        assert_eq!(aws.answer("test:Call", after(3600)).await.unwrap(), 3600);
        let interrupt = aws.interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            interrupt.cancel();
        });
        let started = Instant::now();
        let error = aws.answer("test:Call", after(3600)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert_eq!(started.elapsed(), Duration::from_secs(70));
        assert_eq!(aws.answer("test:Call", after(9)).await.unwrap(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_end_at_once_when_the_user_interrupts() {
        let aws = testing::aws(&[], &[]);
        let interrupt = aws.interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            interrupt.cancel();
        });
        let started = Instant::now();
        let look = async || Ok(Look::<()>::Pending("CREATING".to_owned()));
        let error = aws.wait_until("it", SETTLING, look).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert!(error.message.contains("CREATING"), "{}", error.message);
        let not_yet = async || Err::<(), _>(AwsError::new("test:Call", ErrorKind::NotYet, "no"));
        let error = aws.settle(&|_| {}, not_yet).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert_eq!(started.elapsed(), Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_says_how_long_it_was_and_what_it_saw_last() {
        let aws = testing::aws(&[], &[]);
        let started = Instant::now();
        let look = async || Ok(Look::<()>::Pending("CREATING".to_owned()));
        let error = aws.wait_until("it to be ready", SETTLING, look).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TimedOut);
        assert_eq!(error.message, "waited 10m for it to be ready; the last state was CREATING");
        assert!(started.elapsed() <= SETTLING);
        assert!(started.elapsed() + LOOK_DELAYS.1 * 2 > SETTLING);
    }

    #[test]
    fn looks_become_rarer_the_longer_it_takes() {
        for (waited, want) in [(0, 200), (2_000, 200), (20_000, 1_000), (600_000, 5_000)] {
            let (delay, want) = (next_look_after(Duration::from_millis(waited)), Duration::from_millis(want));
            assert!(delay >= want.mul_f64(0.85) && delay <= want.mul_f64(1.15), "{waited}: {delay:?}");
        }
    }
}
