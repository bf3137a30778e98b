//! Decides which failed calls are repeated, when, and how many in total.
//!
//! Pure, except for the budget that all calls of a run share. Must not sleep.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{AwsError, ErrorKind};

/// How often a call is made whose connection or answer is lost, or that AWS fails with 5xx. AWS's own standard of three is
/// few for a command of fifty calls that all have to succeed.
const MOST_ATTEMPTS: u32 = 6;

/// The longest wait before the second attempt; it doubles with each. An endpoint that is not there is given up after
/// some three seconds.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);

const THROTTLED_LIMIT: Duration = Duration::from_mins(2);

/// The first wait of a throttled call, and the longest, where AWS does not say how long to wait.
const THROTTLED_DELAYS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Calls that AWS allows an account only once in a while, whoever makes them ("Amazon API Gateway quotas").
const SLOW_CALLS: [(&str, Duration); 3] = [
    ("apigateway:DeleteRestApi", Duration::from_secs(30)),
    ("apigateway:CreateDeployment", Duration::from_secs(5)),
    ("apigateway:CreateRestApi", Duration::from_secs(3)),
];

/// In how many paces a call's turn should have come that others make as well.
const MOST_TURNS: u32 = 10;

pub(super) struct Attempts {
    pace: Duration,
    started: Instant,
    made: u32,
}

impl Attempts {
    pub(super) fn new(call: &str) -> Self {
        let pace = SLOW_CALLS.iter().find(|(slow, _)| *slow == call);
        Self { pace: pace.map(|(_, pace)| *pace).unwrap_or_default(), started: Instant::now(), made: 0 }
    }

    /// How long to wait before the next attempt, if there is to be one.
    pub(super) fn next(&mut self, error: &AwsError) -> Option<Duration> {
        self.made += 1;
        let doubled = |first: Duration| first.saturating_mul(1 << (self.made - 1).min(16));
        match error.kind {
            ErrorKind::Unreachable | ErrorKind::Failed => {
                let backoff = doubled(FIRST_BACKOFF).mul_f64(fastrand::f64());
                (self.made < MOST_ATTEMPTS).then(|| backoff.max(error.retry_after.unwrap_or_default()))
            }
            ErrorKind::Throttled => {
                let (first, longest) = THROTTLED_DELAYS;
                let backoff = doubled(first).min(longest).mul_f64(0.5 + fastrand::f64() / 2.0);
                // Whoever else waits for the same turn should not come at the same moment.
                let turn = self.pace.max(error.retry_after.unwrap_or_default());
                let delay = backoff.max(turn.mul_f64(1.0 + fastrand::f64() / 10.0));
                let limit = THROTTLED_LIMIT.max(self.pace * MOST_TURNS);
                (self.started.elapsed() + delay <= limit).then_some(delay)
            }
            _ => None,
        }
    }
}

/// How often the calls of a run may be repeated, all together: an outage must not make a storm of them.
pub(super) struct RepetitionBudget {
    /// When the budget would be whole again.
    whole_at: Mutex<Instant>,
}

/// One more call every so often, and so many at once.
const REFILL: Duration = Duration::from_millis(200);
const BURST: u32 = 20;

impl Default for RepetitionBudget {
    fn default() -> Self {
        Self { whole_at: Mutex::new(Instant::now()) }
    }
}

impl RepetitionBudget {
    /// Takes one repetition out of the budget; gives how long to wait until it is there.
    pub(super) fn take(&self, now: Instant) -> Duration {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        *whole_at = (*whole_at).max(now) + REFILL;
        (*whole_at - now).saturating_sub(REFILL * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, retry_after: Option<u64>) -> AwsError {
        let mut error = AwsError::new("a test", kind, "");
        error.retry_after = retry_after.map(Duration::from_secs);
        error
    }

    #[test]
    fn a_lost_call_is_made_six_times() {
        let mut attempts = Attempts::new("kinesis:CreateStream");
        let lost = error(ErrorKind::Unreachable, None);
        for attempt in 0..5 {
            let delay = attempts.next(&lost).unwrap();
            assert!(delay <= FIRST_BACKOFF * (1 << attempt), "{attempt}: {delay:?}");
        }
        assert_eq!(attempts.next(&lost), None);
    }

    #[test]
    fn what_cannot_pass_by_itself_is_not_repeated() {
        for kind in [ErrorKind::Denied, ErrorKind::Exists, ErrorKind::NotYet, ErrorKind::Other] {
            assert_eq!(Attempts::new("iam:CreateRole").next(&error(kind, None)), None);
        }
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_aws_says_and_as_its_own_limit() {
        let first = |call, retry_after| {
            let mut attempts = Attempts::new(call);
            attempts.next(&error(ErrorKind::Throttled, retry_after)).unwrap()
        };
        let within = |delay: Duration, from: u64| {
            let from = Duration::from_secs(from);
            assert!(delay >= from && delay <= from.mul_f64(1.1), "{delay:?}");
        };
        assert!(first("kinesis:CreateStream", None) <= Duration::from_millis(500));
        within(first("kinesis:CreateStream", Some(7)), 7);
        within(first("apigateway:DeleteRestApi", None), 30);
        within(first("apigateway:DeleteRestApi", Some(7)), 30);
        within(first("apigateway:CreateRestApi", None), 3);
        // Longer than a throttled call is repeated at all.
        let mut attempts = Attempts::new("kinesis:CreateStream");
        assert_eq!(attempts.next(&error(ErrorKind::Throttled, Some(121))), None);
    }

    #[test]
    fn repetitions_share_a_budget() {
        let budget = RepetitionBudget::default();
        let now = Instant::now();
        for _ in 0..BURST {
            assert_eq!(budget.take(now), Duration::ZERO);
        }
        assert_eq!(budget.take(now), REFILL);
        assert_eq!(budget.take(now), REFILL * 2);
        assert_eq!(budget.take(now + REFILL * 12), Duration::ZERO);
    }
}
