//! `estimate`: what a rate of impressions needs and costs.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;

use super::session::{Session, read_spec};
use super::{Context, Invocation};
use crate::cli::some_time;
use crate::estimate::{DAY_SECONDS, Estimate, POST_EVERY_SECONDS, Prices, Sizing, estimate};
use crate::failure::{Exit, Failure, FailureKind};
use crate::spec::Spec;
use crate::traffic::{self, Series};
use crate::ui::{BOLD, CHANGE, REMOVE, Show};

/// Say what a rate of impressions needs and costs: shards, headroom to every limit, money by service
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline estimate --per-second 2000 --environments 3
  split-pipeline estimate --per-day 50000000
  split-pipeline estimate --since 24h         # what the running pipeline receives")]
pub struct Args {
    /// Impressions a second; without it, what the running pipeline receives
    #[arg(long, group = "rate", value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    per_second: Option<f64>,
    /// Impressions a day
    #[arg(long, group = "rate", value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    per_day: Option<f64>,
    /// With a rate: how many environments post to the webhook, each every 10 seconds
    #[arg(long, requires = "rate", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    environments: u32,
    /// How far back to look at the running pipeline
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = some_time)]
    since: Duration,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let given = self.per_second.or(self.per_day.map(|a_day| a_day / DAY_SECONDS));
        let (spec, per_second, posts) = match given {
            Some(per_second) => {
                let posts = f64::from(self.environments) / POST_EVERY_SECONDS;
                (read_spec(context).await?, per_second, posts)
            }
            None => measured(context, self.since).await?,
        };
        context.done(&estimate(&spec, per_second, posts))
    }
}

/// How long it is since the first batch: before, there may have been no pipeline.
fn busy_seconds(series: &Series) -> u64 {
    let before = series.batches.iter().take_while(|batches| **batches == 0).count();
    let parts = series.batches.len() - before;
    u64::try_from(parts).unwrap_or_default().max(1) * series.step_seconds
}

/// The rates at which the pipeline takes impressions, and posts.
async fn measured(context: &Context, since: Duration) -> Result<(Spec, f64, f64), Failure> {
    let session = Session::open(context).await?;
    session.mind_log_retention(since);
    let read = traffic::read(&session.aws, &session.names, since);
    let traffic = context.unless_interrupted(read).await??;
    let span = humantime::format_duration(since);
    if traffic.received == 0 {
        let message = format!("{} received nothing in the last {span}", session.spec.name);
        let failure = Failure::new(FailureKind::Aws, message);
        return Err(failure.hint("--per-second or --per-day says a rate; --since looks further back"));
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let a_second = |count: u64| count as f64 / busy_seconds(&traffic.series) as f64;
    let (received, batches) = (a_second(traffic.received), a_second(traffic.batches.max(1)));
    Ok((session.spec, received, batches))
}

impl Show for Estimate {
    fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:.1} impressions a second, {:.1} million a month",
            self.per_second,
            self.impressions_a_month / 1e6
        );
        let _ = writeln!(text, "{} in a post", number(self.impressions_a_post));
        let _ = writeln!(text, "{}", sizing(&self.sizing));
        let _ = writeln!(text, "{} objects a day in S3\n", self.objects_per_day);
        for limit in &self.limits {
            let style = match limit.share {
                share if share > 1.0 => REMOVE,
                share if share > 0.7 => CHANGE,
                _ => Style::new(),
            };
            let (used, allowed) = (number(limit.used), number(limit.allowed));
            let share = limit.share * 100.0;
            let _ = writeln!(text, "{style}{share:>6.1} %{style:#} {}: {used} of {allowed}", limit.limit);
        }
        for problem in &self.problems {
            let _ = writeln!(text, "{REMOVE}does not fit{REMOVE:#} {problem}");
        }
        let _ = writeln!(text, "\n{:<12} {:>12} {:>12}", "$ a month", "packed", "unpacked");
        for cost in &self.monthly {
            let _ = writeln!(text, "{:<12} {:>12.2} {:>12.2}", cost.service, cost.packed, cost.unpacked);
        }
        let (packed, unpacked) = (self.total_packed, self.total_unpacked);
        let _ = writeln!(text, "{BOLD}{:<12} {packed:>12.2} {unpacked:>12.2}{BOLD:#}", "together");
        let Prices { region, as_of, source } = &self.prices;
        let _ = writeln!(
            text,
            "\nList prices of {region}, {as_of}, without free tiers and discounts ({source}). `packed` is \
             `handler.record_kib` above 0, `unpacked` one record an impression."
        );
        text
    }
}

fn sizing(sizing: &Sizing) -> String {
    let needed = sizing.shards_needed;
    let plural = if needed > 1.0 { "s" } else { "" };
    match sizing.shards {
        None => format!("on demand; {needed} shard{plural} would take it"),
        Some(shards) => {
            let advice =
                if sizing.on_demand_is_cheaper { "; `stream.mode: on_demand` would cost less" } else { "" };
            format!("needs {needed} shard{plural}, and the spec has {shards}{advice}")
        }
    }
}

/// A number for people to read.
fn number(number: f64) -> String {
    if number >= 1e6 {
        format!("{:.1} M", number / 1e6)
    } else if number >= 10.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e12 => Ok(rate),
        _ => Err("must be a number above 0".to_owned()),
    }
}
