//! A pipeline's status on one screen: what is wrong, what went through, how each resource is.

use std::fmt::Write as _;

use super::{Detail, StatusResult};
use crate::health::{Condition, ResourceHealth};
use crate::resources::alarm;
use crate::traffic::{NewestObject, Traffic};
use crate::ui::{ADD, BOLD, CHANGE, DIM, HINT, REMOVE, Show, clean, clean_block, show_fields};

/// How the course of a count over time is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// By bars as high as the counts.
    Drawn,
    /// In words, for whoever hears it, or has no such characters.
    Told,
}

impl Show for StatusResult {
    fn urls(&self) -> Vec<&str> {
        self.webhook_url.as_deref().into_iter().collect()
    }

    fn text(&self) -> String {
        screen(self, Course::Drawn)
    }

    fn plain(&self) -> String {
        screen(self, Course::Told)
    }
}

fn screen(status: &StatusResult, course: Course) -> String {
    let mut text = String::new();
    let (style, word) = if status.healthy { (ADD, "healthy") } else { (REMOVE, "not healthy") };
    let _ = writeln!(
        text,
        "{BOLD}{}:{BOLD:#} {style}{word}{style:#} in {} {DIM}at {}{DIM:#}",
        status.name,
        status.region,
        humantime::format_rfc3339_seconds(status.time)
    );
    for problem in &status.problems {
        let (style, word) = if problem.serious { (REMOVE, "problem") } else { (CHANGE, "note") };
        let (message, hint) = (clean_block(&problem.message, 9), clean_block(&problem.hint, 9));
        let _ = writeln!(text, "{style}{word:<8}{style:#} {message}");
        let _ = writeln!(text, "         {HINT}hint:{HINT:#} {hint}");
    }
    text.push('\n');
    traffic(&mut text, &status.traffic, course);
    text.push('\n');
    match status.detail {
        Detail::Every => resources(&mut text, &status.resources),
        Detail::Differing => differing(&mut text, &status.resources),
    }
    let judging = status.alarms.iter().filter(|alarm| alarm.state == "INSUFFICIENT_DATA");
    let judging = judging.count();
    if judging > 0 {
        let _ = writeln!(text, "{judging} of {} alarms have too little data yet", status.alarms.len());
    }
    let _ = writeln!(text, "\nwebhook: {}", status.webhook_url.as_deref().unwrap_or("none"));
    if status.rotating {
        let _ = writeln!(text, "         the URL before works too, until `split-pipeline rotate --revoke`");
    }
    text
}

fn traffic(text: &mut String, traffic: &Traffic, course: Course) {
    let span = duration(traffic.since_seconds);
    let series = &traffic.series;
    let _ = match course {
        Course::Drawn => writeln!(
            text,
            "traffic of the last {span}, {DIM}a bar for every {}{DIM:#}",
            duration(series.step_seconds)
        ),
        Course::Told => writeln!(text, "traffic of the last {span}"),
    };
    for (name, total, parts) in [
        ("requests", traffic.batches, &series.batches),
        ("received", traffic.received, &series.received),
        ("delivered", traffic.delivered, &series.delivered),
        ("spilled", traffic.spilled, &series.spilled),
        ("rejected", traffic.rejected, &series.rejected),
        ("failed", traffic.failed_batches, &series.failed_batches),
    ] {
        let course = match course {
            Course::Drawn => bars(parts),
            Course::Told => told(parts, series.step_seconds),
        };
        row(text, name, &format!("{:>13}  {course}", grouped(total)));
    }
    delivery(text, traffic);
}

/// What is known of the way after the webhook.
fn delivery(text: &mut String, traffic: &Traffic) {
    let metrics = &traffic.metrics;
    if let Some(throttles) = metrics.throttles {
        row(text, "throttled", &format!("{:>13}", grouped(throttles)));
    }
    if let Some(errors) = Some(traffic.delivery_errors).filter(|errors| *errors > 0) {
        row(text, "not delivered", &format!("{:>13}  errors of Firehose's", grouped(errors)));
    }
    if let Some(ms) = metrics.iterator_age_ms {
        let age = duration(ms.div_ceil(1000));
        row(text, "iterator age", &format!("{age:>13}  behind the stream"));
    }
    if let Some(seconds) = metrics.freshness_seconds {
        let age = duration(seconds);
        row(text, "freshness", &format!("{age:>13}  the oldest record not in S3"));
    }
    if let Some(NewestObject { key, bytes, age_seconds }) = &traffic.newest_object {
        let age = duration(*age_seconds);
        row(text, "newest object", &format!("{age:>13}  ago, {} bytes", grouped(*bytes)));
        let _ = writeln!(text, "    {}", clean(key));
    }
}

fn row(text: &mut String, name: &str, rest: &str) {
    let _ = writeln!(text, "{}", format!("  {name:<13} {rest}").trim_end());
}

/// Every resource on a line, but for alarms that are as they should be: those are many, and alike.
fn resources(text: &mut String, resources: &[ResourceHealth]) {
    let is_fine_alarm =
        |resource: &ResourceHealth| resource.kind == alarm::KIND && resource.state == Condition::Ok;
    for resource in resources.iter().filter(|resource| !is_fine_alarm(resource)) {
        let (style, word) = match resource.state {
            Condition::Ok => (ADD, "ok"),
            Condition::Missing => (REMOVE, "missing"),
            Condition::Drifted => (CHANGE, "drifted"),
            Condition::Pending => (CHANGE, "pending"),
            Condition::Failed => (REMOVE, "failed"),
            Condition::Foreign => (REMOVE, "foreign"),
        };
        let _ = writeln!(text, "{style}{word:<8}{style:#} {:<18} {}", resource.kind, clean(&resource.name));
        if let Some(why) = &resource.why {
            let _ = writeln!(text, "    {}", clean_block(why, 4));
        }
        show_fields(text, &resource.drift);
    }
    let alarms = resources.iter().filter(|resource| is_fine_alarm(resource)).count();
    if alarms > 0 {
        let _ = writeln!(text, "{ADD}ok{ADD:#}       {:<18} {alarms} of them", "alarms");
    }
}

/// The resources that are not as they should be, and how many are: so that all of it stays on a screen.
fn differing(text: &mut String, all: &[ResourceHealth]) {
    let others: Vec<_> = all.iter().filter(|it| it.state != Condition::Ok).cloned().collect();
    resources(text, &others);
    let fine = all.len() - others.len();
    if fine > 0 {
        let _ = writeln!(text, "{ADD}ok{ADD:#}       {fine} of {} resources", all.len());
    }
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Counts as bars; nothing is as low as a bar gets, and anything is higher than nothing.
fn bars(parts: &[u64]) -> String {
    let most = parts.iter().copied().max().unwrap_or_default();
    let bar = |part: &u64| {
        let height = (u128::from(*part) * 7).div_ceil(u128::from(most.max(1)));
        BARS[usize::try_from(height).unwrap_or_default().min(7)]
    };
    parts.iter().map(bar).collect()
}

fn told(parts: &[u64], step_seconds: u64) -> String {
    let most = parts.iter().enumerate().rev().max_by_key(|(_, count)| **count);
    match most {
        Some((index, most)) if *most > 0 => {
            let (most, step) = (grouped(*most), duration(step_seconds));
            match u64::try_from(parts.len() - 1 - index).unwrap_or_default() * step_seconds {
                0 => format!("most {most} in the last {step}"),
                ago => format!("most {most} in {step}, {} ago", duration(ago)),
            }
        }
        _ => String::new(),
    }
}

/// A time in its two largest units.
fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let parts = units.iter().filter_map(|(unit, length)| {
        let count = rest / length;
        rest %= length;
        (count > 0).then(|| format!("{count}{unit}"))
    });
    let parts: Vec<_> = parts.take(2).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_that_there_is_something() {
        assert_eq!(bars(&[0, 1, 500, 1000]), "▁▂▅█");
        assert_eq!(bars(&[0, 0]), "▁▁");
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[u64::MAX, u64::MAX / 2, 1]), "█▅▂");
    }

    #[test]
    fn the_course_is_told_by_its_peak() {
        assert_eq!(told(&[0, 1200, 3], 120), "most 1,200 in 2m, 2m ago");
        assert_eq!(told(&[5, 0, 5], 60), "most 5 in 1m, 2m ago");
        assert_eq!(told(&[0, 7], 60), "most 7 in the last 1m");
        assert_eq!(told(&[0, 0], 60), "");
    }

    #[test]
    fn times_are_told_in_their_two_largest_units() {
        assert_eq!([0, 59, 3600, 90_061].map(duration), ["0s", "59s", "1h", "1d 1h"]);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
