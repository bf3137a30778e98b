//! Starts the handler: reads settings and builds clients once, then handles one invocation after the other.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use split_pipeline_handler::aws::{Clients, MissingVariable};
use split_pipeline_handler::event::Response;
use split_pipeline_handler::log::Line;
use split_pipeline_handler::settings::{HandlerSettings, LambdaFunction};
use split_pipeline_handler::webhook::Webhook;
use tokio::time::Instant;

/// The most time that is kept for passing the response on before Lambda ends the invocation.
const RESPONSE_RESERVE: Duration = Duration::from_millis(500);

/// What `lambda_runtime` reads from the environment, and panics without.
const RUNTIME_VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Line::startup_failed(error.as_ref()).write();
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let get = |name: &str| env::var(name).ok();
    if let Some(name) = RUNTIME_VARIABLES.into_iter().find(|name| get(name).is_none()) {
        return Err(MissingVariable { name }.into());
    }
    let function = LambdaFunction::from_env(get)?;
    let webhook = Webhook::new(HandlerSettings::from_env(get)?, Clients::from_env(get)?, function);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let service = service_fn(|event| invoke(&webhook, event));
    runtime.block_on(Runtime::new(service).run())
}

/// Takes any JSON as the event, so that one of another shape is answered rather than an error of the function.
async fn invoke(webhook: &Webhook, event: LambdaEvent<Box<RawValue>>) -> Result<Response, Error> {
    let deadline = deadline(event.context.deadline);
    let request_id = &event.context.request_id;
    let handled = webhook.handle(&event.payload, request_id, deadline).await;
    handled.line.write();
    Ok(handled.response)
}

/// Returns when the response must be there, given when Lambda ends the invocation in milliseconds since 1970.
fn deadline(epoch_ms: u64) -> Instant {
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms);
    let remaining = end.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + remaining - RESPONSE_RESERVE.min(remaining / 5)
}
