//! A smoke test's outcome as `JUnit` XML, which CI systems show.
//!
//! Pure: values in, text out.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::smoke::{SmokeReport, shortfall};

/// The report of one smoke test that took so long, with its outcome or the message of its failure.
pub fn report(pipeline: &str, outcome: Result<&SmokeReport, &str>, elapsed: Duration) -> String {
    let mut suite = TestSuite::new(format!("split-pipeline smoke {pipeline}"));
    match outcome {
        Ok(smoke) => {
            let answered = Duration::from_millis(u64::try_from(smoke.webhook_ms).unwrap_or(u64::MAX));
            suite.add_test_case(case("the webhook takes every batch", None, answered));
            let lost = shortfall(smoke);
            let delivered = Duration::from_millis(u64::try_from(smoke.delivery_ms).unwrap_or(u64::MAX));
            suite.add_test_case(case("every impression arrives in S3", lost, delivered));
        }
        Err(failure) => {
            suite.add_test_case(case("the pipeline works", Some(failure.to_owned()), elapsed));
        }
    }
    suite.set_time(elapsed);
    let mut report = Report::new("split-pipeline");
    report.add_test_suite(suite);
    // Writing to memory does not fail.
    report.to_string().unwrap_or_default()
}

fn case(name: &str, failure: Option<String>, elapsed: Duration) -> TestCase {
    let status = match failure {
        None => TestCaseStatus::success(),
        Some(message) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message);
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname("split-pipeline.smoke");
    case.set_time(elapsed);
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_a_failure() {
        let smoke = |spilled, missing| SmokeReport { sent: 10, spilled, missing, ..SmokeReport::default() };
        let fine = report("flags", Ok(&smoke(0, 0)), Duration::from_secs(1));
        assert!(fine.contains(r#"tests="2""#) && fine.contains(r#"failures="0""#), "{fine}");
        for (spilled, missing, said) in [
            (0, 3, "3 of 10 impressions are not in S3"),
            (10, 0, "10 of 10 impressions were spilled, not delivered"),
            (2, 3, "2 of 10 impressions were spilled, not delivered; 3 of 10 impressions are not in S3"),
        ] {
            let lost = report("flags", Ok(&smoke(spilled, missing)), Duration::from_secs(1));
            assert!(lost.contains(r#"failures="1""#), "{lost}");
            assert!(lost.contains(said), "{lost}");
        }
        let failed = report("flags", Err("no \"<webhook>\""), Duration::from_secs(1));
        assert!(failed.contains("no &quot;&lt;webhook&gt;&quot;"), "{failed}");
    }
}
