//! What the user sees: results on standard output, everything else on standard error.
//!
//! The only place that prints. Must not decide anything.

use std::fmt::Write as _;
use std::io::{BufRead, ErrorKind, IsTerminal, Write as _};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;

use crate::cli::{Global, Output};
use crate::failure::{Failure, FailureKind};
use crate::foreign;
use crate::progress::{Event, Progress};

mod clean;
mod live;
mod mask;
mod text;

pub(crate) use clean::{clean, clean_block};
use live::Live;
use mask::{Masks, shapes};
pub use text::Show;
pub(crate) use text::{ADD, BOLD, CHANGE, DIM, HINT, REMOVE, Verbatim, show_fields, value};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

fn draws(color: ColorChoice) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !is_dumb
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    Yes,
    No,
    NobodyThere,
}

/// Prints why a command line makes no sense, or the help that was asked for, and gives the exit code.
pub fn usage(error: &clap::Error, arguments: impl Iterator<Item = String>) -> u8 {
    let arguments: Vec<_> = arguments.collect();
    let asks_for_json = arguments.iter().any(|argument| argument == "--output=json")
        || arguments.windows(2).any(|pair| pair == ["--output", "json"]);
    if error.use_stderr() && asks_for_json {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        let failure = Failure::new(FailureKind::Usage, message);
        let _ = writeln!(anstream::stderr(), "{}", as_json(&failure));
    } else {
        // A terminal that went away is no reason to fail otherwise.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn as_json(failure: &Failure) -> String {
    foreign::json(&serde_json::json!({ "error": failure }).to_string())
}

pub struct Ui {
    output: Output,
    verbosity: Verbosity,
    live: Option<Live>,
    plain: live::PlainLines,
    masks: Masks,
    /// Whether results may draw on the screen and overwrite what is there: not for those who have asked for plain text.
    drawing: bool,
}

impl Ui {
    pub fn new(global: &Global) -> Self {
        anstream::ColorChoice::write_global(match global.color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        });
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let live = std::io::stderr().is_terminal() && verbosity == Verbosity::Normal;
        Self {
            output: global.output,
            verbosity,
            live: live.then(Live::new),
            drawing: draws(global.color),
            plain: live::PlainLines::default(),
            masks: Masks::default(),
        }
    }

    /// Makes room for a result that takes the place of the one before, on a terminal; elsewhere they follow each other.
    pub fn clear_screen(&self) {
        if std::io::stdout().is_terminal() && self.drawing && self.output == Output::Text {
            let _ = write!(anstream::stdout(), "\x1b[H\x1b[2J");
        }
    }

    /// Prints a command's result on standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be written; that its reader has gone away is the reader's wish.
    pub fn result<T: Show>(&self, result: &T) -> Result<(), Failure> {
        self.finish_progress();
        let text = match self.output {
            Output::Json => foreign::json(&serde_json::to_string(result).unwrap_or_default()) + "\n",
            Output::Text if self.drawing => foreign::styled(&result.text()),
            Output::Text => foreign::styled(&result.plain()),
        };
        let text = if T::OF_OTHERS { shapes(&text) } else { text };
        let text = self.masks.known_except(&text, &result.urls());
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let message = format!("the result cannot be written to standard output: {error}");
                Err(Failure::new(FailureKind::Io, message))
            }
            _ => Ok(()),
        }
    }

    pub fn failure(&self, failure: &Failure) {
        self.finish_progress();
        let failure = &self.shown(failure);
        if self.output == Output::Json {
            return self.line(&as_json(failure));
        }
        let mut text = String::new();
        let _ = write!(text, "{ERROR}error:{ERROR:#} {}", failure.message.replace('\n', "\n  "));
        for hint in &failure.hints {
            let _ = write!(text, "\n{HINT}hint:{HINT:#} {hint}");
        }
        self.line(&text);
    }

    /// A failure as it may be shown or written to a file: without secrets, and without anything that a terminal obeys.
    pub fn shown(&self, failure: &Failure) -> Failure {
        self.masks.failure(failure)
    }

    /// Says something that is neither result nor error: the next steps, what was left.
    pub fn note(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet && self.output == Output::Text {
            self.finish_progress();
            self.line(&self.masks.block(text, 0));
        }
    }

    /// Says something with a URL that only a terminal shows: what is not read at once ends in a log.
    pub fn note_with_url(&self, text: &str, url: &str) {
        if std::io::stderr().is_terminal()
            && self.verbosity != Verbosity::Quiet
            && self.output == Output::Text
        {
            self.finish_progress();
            self.line(&foreign::block(&self.masks.known_except(text, &[url]), 0));
        } else {
            self.note(text);
        }
    }

    pub fn warn(&self, text: &str) {
        let text = self.masks.block(text, 2);
        self.line(&format!("{WARNING}warning:{WARNING:#} {text}"));
    }

    /// Asks a question whose answer is no unless it is `yes` or `y`.
    pub async fn ask(&self, question: &str) -> Confirmation {
        if !std::io::stdin().is_terminal() {
            return Confirmation::NobodyThere;
        }
        self.finish_progress();
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{} [y/N] ", self.masks.block(question, 0)).and_then(|()| stderr.flush());
        drop(stderr);
        let (sender, answer) = tokio::sync::oneshot::channel();
        // On a thread of its own, which nobody waits for: an interruption must not have to wait for the user's answer.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            // Nobody listens any more after an interruption.
            let _ = sender.send(read.map(|_| line));
        });
        match answer.await {
            Ok(Ok(line)) if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") => Confirmation::Yes,
            _ => Confirmation::No,
        }
    }

    fn finish_progress(&self) {
        if let Some(live) = &self.live {
            live.finish();
        }
    }

    fn line(&self, text: &str) {
        let print = || {
            let _ = writeln!(anstream::stderr(), "{text}");
        };
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }
}

impl Progress for Ui {
    fn event(&self, event: Event) {
        let Some(event) = self.masks.event(event) else {
            return;
        };
        match event {
            Event::Call { call, elapsed, outcome } if self.verbosity == Verbosity::Verbose => {
                self.line(&format!("{DIM}{call} {outcome} {} ms{DIM:#}", elapsed.as_millis()));
            }
            Event::Call { .. } => {}
            _ if self.verbosity == Verbosity::Quiet => {}
            event => match &self.live {
                Some(live) => live.event(&event),
                None => {
                    if let Some(text) = self.plain.event(&event) {
                        self.line(&text);
                    }
                }
            },
        }
    }
}
