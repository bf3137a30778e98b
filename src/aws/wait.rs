//! Every wait and every retry: polling from short to long with a deadline, and repeating calls that AWS answers
//! with "not yet" or "too often".
//!
//! Owns the delays. Must not know what is being waited for beyond the words to say it.

use std::time::Duration;

use tokio::time::Instant;

use super::Aws;
use super::error::{AwsError, ErrorKind};

/// How long a new role or policy may take to be known everywhere (IAM is eventually consistent; Terraform's AWS
/// provider allows the same).
pub const PROPAGATION: Duration = Duration::from_mins(2);

/// How long a resource may take to settle: delivery streams and resharding take minutes.
pub const SETTLING: Duration = Duration::from_mins(10);

/// How long something without any tags is given to get its owner's: another `up` may have made it a moment ago, and
/// not every endpoint keeps the tags that go with a create call.
pub const TAGGING: Duration = Duration::from_secs(3);

/// How long a throttled call is repeated.
const THROTTLING: Duration = Duration::from_mins(2);

const FIRST_DELAY: Duration = Duration::from_millis(150);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What a look at a resource found.
pub enum Look<T> {
    /// What was waited for.
    Ready(T),
    /// Not there yet, and its state in a word.
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
        let deadline = Instant::now() + limit;
        let mut delays = Delays::default();
        loop {
            let state = match look().await? {
                Look::Ready(found) => return Ok(found),
                Look::Pending(state) => state,
            };
            let delay = delays.next();
            if Instant::now() + delay > deadline {
                let waited = humantime::format_duration(limit);
                let message = format!("waited {waited} for {what}; the last state was {state}");
                return Err(AwsError::own("wait", ErrorKind::TimedOut, message));
            }
            self.pause(delay).await?;
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
        let mut delays = Delays::default();
        loop {
            let error = match call().await {
                Err(error) if error.kind == ErrorKind::NotYet => error,
                other => return other,
            };
            let delay = delays.next();
            if Instant::now() + delay > deadline {
                return Err(error);
            }
            waiting(&error.message);
            self.pause(delay).await?;
        }
    }

    /// Repeats a call while AWS answers that it is made too often.
    pub(super) async fn throttled<T>(
        &self,
        mut call: impl AsyncFnMut() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let deadline = Instant::now() + THROTTLING;
        let mut delays = Delays {
            next: Duration::from_millis(500),
        };
        loop {
            let error = match call().await {
                Err(error) if error.kind == ErrorKind::Throttled => error,
                other => return other,
            };
            let delay = delays.next();
            if Instant::now() + delay > deadline {
                return Err(error);
            }
            self.pause(delay).await?;
        }
    }

    /// Sleeps, unless the user interrupts.
    pub async fn pause(&self, delay: Duration) -> Result<(), AwsError> {
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.interrupt.cancelled() => Err(interrupted()),
        }
    }

    /// Stops work of many calls between two of them when the user interrupts.
    pub fn go_on(&self) -> Result<(), AwsError> {
        if self.interrupt.is_cancelled() {
            Err(interrupted())
        } else {
            Ok(())
        }
    }
}

fn interrupted() -> AwsError {
    AwsError::own("wait", ErrorKind::Interrupted, "interrupted")
}

/// Delays that grow by half each time, with a little jitter so that concurrent waits spread out.
struct Delays {
    next: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { next: FIRST_DELAY }
    }
}

impl Delays {
    fn next(&mut self) -> Duration {
        let delay = self.next.mul_f64(0.85 + 0.3 * fastrand::f64());
        self.next = self.next.mul_f64(1.5).min(LONGEST_DELAY);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest() {
        let mut delays = Delays::default();
        let first = delays.next();
        assert!(first >= FIRST_DELAY.mul_f64(0.85) && first <= FIRST_DELAY.mul_f64(1.15));
        for _ in 0..30 {
            delays.next();
        }
        assert_eq!(delays.next, LONGEST_DELAY);
    }
}
