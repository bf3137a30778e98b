//! One file a command: what it composes of the engine, from arguments to result.
//!
//! Must not print, nor know an SDK's types.

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
mod smoke;
mod status;
mod up;
mod url;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Global};
use crate::failure::{Exit, Failure, FailureKind};
use crate::ui::{Answer, Ui};

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
    let context = Context {
        global: cli.global,
        ui: Arc::clone(&ui),
        interrupt: CancellationToken::new(),
    };
    let is_endless = cli.command.is_endless();
    // Listening starts before the command does: no signal is missed.
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    if let (Ok(interrupts), Ok(terminations)) = signals {
        let watched = watch_for_interrupts(context.clone(), is_endless, interrupts, terminations);
        tokio::spawn(watched);
    }
    match dispatch(&context, cli.command).await {
        Ok(exit) => exit.code(),
        Err(failure) => {
            if !(is_endless && failure.kind == FailureKind::Interrupted) {
                ui.failure(&failure);
            }
            failure.code()
        }
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(context, &args),
        Command::Validate => validate::run(context).await,
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Up(args) => up::run(context, &args).await,
        Command::Status(args) => status::run(context, &args).await,
        Command::Url => url::run(context).await,
        Command::Smoke(args) => smoke::run(context, &args).await,
        Command::Down(args) => down::run(context, &args).await,
        Command::Build(args) => build::run(context, &args).await,
        Command::Replay(args) => replay::run(context, &args).await,
        Command::Rotate(args) => rotate::run(context, &args).await,
        Command::Permissions(args) => permissions::run(context, &args).await,
        Command::Logs(args) => logs::run(context, &args).await,
        Command::Estimate(args) => estimate::run(context, &args).await,
        Command::Athena => athena::run(context).await,
        Command::Export(args) => export::run(context, &args).await,
        Command::Man(args) => man::run(context, &args),
        Command::Schema => schema::run(context),
        Command::Local(args) => local::run(context, &args).await,
        Command::Completions(args) => completions::run(context, &args),
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
        context
            .ui
            .warn("interrupted: finishing what is under way; interrupt again to stop at once");
    }
    context.interrupt.cancel();
    interruption().await;
    std::process::exit(130);
}

impl Context {
    /// Asks the user, who may interrupt instead of answering.
    pub(crate) async fn ask(&self, question: &str) -> Result<Answer, Failure> {
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
        let bounded = Self {
            interrupt: out_of_time.clone(),
            ..self.clone()
        };
        let mut work = Box::pin(work(bounded));
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(limit) => {}
        }
        let by_user = self.interrupt.is_cancelled();
        out_of_time.cancel();
        work.await.map_err(|failure| {
            if by_user {
                failure
            } else {
                failure.timed_out(limit)
            }
        })
    }

    /// Runs something that changes nothing and can simply be dropped when the user interrupts.
    pub(crate) async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            result = Box::pin(work) => Ok(result),
            () = self.interrupt.cancelled() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
        }
    }
}
