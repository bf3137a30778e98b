//! One file a command: its arguments and help, what it composes of the engine, its result and the text of it for people.
//!
//! Must not print, nor know an SDK's types. A new command is a file here, and its two lines below.

mod athena;
mod build;
mod completions;
mod down;
mod estimate;
mod export;
mod init;
mod input;
mod local;
mod logs;
mod man;
mod permissions;
mod plan;
mod replay;
mod rotate;
mod schema;
mod session;
mod skipped;
mod smoke;
mod status;
mod up;
mod url;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::failure::{Exit, Failure, FailureKind};
use crate::ui::{Confirmation, Show, Ui};

/// Split (Harness FME) impressions into your own S3, with one command.
#[derive(Clone, Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// A command with its arguments.
trait Invocation {
    /// Whether the command goes on until it is interrupted, which is then how it ends and no failure.
    fn is_endless(&self) -> bool {
        false
    }

    async fn run(&self, context: &Context) -> Result<Exit, Failure>;
}

/// Makes the enum of the commands, each by the `Args` of its module.
macro_rules! commands {
    ($($module:ident: $command:ident,)*) => {
        #[derive(Clone, Debug, Subcommand)]
        pub enum Command {
            $($command($module::Args),)*
        }

        impl Invocation for Command {
            fn is_endless(&self) -> bool {
                match self {
                    $(Self::$command(args) => args.is_endless(),)*
                }
            }

            async fn run(&self, context: &Context) -> Result<Exit, Failure> {
                match self {
                    $(Self::$command(args) => args.run(context).await,)*
                }
            }
        }
    };
}

// In the order in which the help lists them.
commands! {
    init: Init,
    validate: Validate,
    plan: Plan,
    up: Up,
    status: Status,
    url: Url,
    smoke: Smoke,
    down: Down,
    build: Build,
    replay: Replay,
    logs: Logs,
    estimate: Estimate,
    athena: Athena,
    export: Export,
    rotate: Rotate,
    permissions: Permissions,
    schema: Schema,
    local: Local,
    completions: Completions,
    man: Man,
}

/// What every command gets: the global options, the user interface, and the user's interruption.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) ui: Arc<Ui>,
    pub(crate) interrupt: CancellationToken,
}

/// Runs a command and gives the process's exit code.
pub async fn run(cli: Cli) -> u8 {
    let ui = Arc::new(Ui::new(&cli.global));
    let context = Context { global: cli.global, ui: Arc::clone(&ui), interrupt: CancellationToken::new() };
    let is_endless = cli.command.is_endless();
    // Listening starts before the command does: no signal is missed.
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    if let (Ok(interrupts), Ok(terminations)) = signals {
        let watched = watch_for_interrupts(context.clone(), is_endless, interrupts, terminations);
        tokio::spawn(watched);
    }
    match cli.command.run(&context).await {
        Ok(exit) => exit.code(),
        Err(failure) => {
            if !(is_endless && failure.kind == FailureKind::Interrupted) {
                ui.failure(&failure);
            }
            failure.code()
        }
    }
}

/// The first Ctrl-C, or SIGTERM, lets calls in flight finish and starts nothing new; the second ends the process.
async fn watch_for_interrupts(
    context: Context,
    is_endless: bool,
    mut interrupts: Signal,
    mut terminations: Signal,
) {
    let mut interruption =
        async || tokio::select! { _ = interrupts.recv() => {}, _ = terminations.recv() => {} };
    interruption().await;
    if !is_endless {
        context.ui.warn("interrupted: finishing what is under way; interrupt again to stop at once");
    }
    context.interrupt.cancel();
    interruption().await;
    std::process::exit(130);
}

impl Context {
    /// Prints the result of a command that is done.
    pub(crate) fn done(&self, result: &impl Show) -> Result<Exit, Failure> {
        self.ui.result(result)?;
        Ok(Exit::Done)
    }

    /// Asks the user, who may interrupt instead of answering.
    pub(crate) async fn ask(&self, question: &str) -> Result<Confirmation, Failure> {
        let answered = self.unless_interrupted(self.ui.ask(question)).await;
        answered.map_err(|failure| failure.context("nothing was changed"))
    }

    /// Does work that, when time runs out, ends as it does when the user interrupts: nothing new starts.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let out_of_time = self.interrupt.child_token();
        let bounded = Self { interrupt: out_of_time.clone(), ..self.clone() };
        let mut work = Box::pin(work(bounded));
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(limit) => {}
        }
        let by_user = self.interrupt.is_cancelled();
        out_of_time.cancel();
        work.await.map_err(|failure| if by_user { failure } else { failure.timed_out(limit) })
    }

    /// Runs something that changes nothing and can simply be dropped when the user interrupts.
    pub(crate) async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            result = Box::pin(work) => Ok(result),
            () = self.interrupt.cancelled() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
        }
    }
}
