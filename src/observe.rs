//! Looks at everything a pipeline is made of, all at once.
//!
//! Only reads. Absence is a value.

use futures_util::join;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::desired::Desired;
use crate::resource::{Observed, Resource};
use crate::resources::alarm::{self, Alarm};
use crate::resources::alarm_topic::AlarmTopic;
use crate::resources::bucket::Bucket;
use crate::resources::dashboard::Dashboard;
use crate::resources::database::Database;
use crate::resources::delivery_stream::DeliveryStream;
use crate::resources::function::Function;
use crate::resources::log_group::LogGroup;
use crate::resources::rest_api::RestApi;
use crate::resources::role::Role;
use crate::resources::stage::Stage;
use crate::resources::stream::Stream;
use crate::resources::table::Table;

#[cfg(test)]
pub(crate) mod testing;

/// What is there of a pipeline.
pub struct Snapshot {
    /// The bucket.
    pub bucket: Option<Observed<Bucket>>,
    /// The stream.
    pub stream: Option<Observed<Stream>>,
    /// The delivery stream's role.
    pub delivery_role: Option<Observed<Role>>,
    /// The function's role.
    pub function_role: Option<Observed<Role>>,
    /// The function's log group.
    pub function_log_group: Option<Observed<LogGroup>>,
    /// The delivery stream's log group.
    pub delivery_log_group: Option<Observed<LogGroup>>,
    /// The database of the table, where the spec asks for one.
    pub database: Option<Observed<Database>>,
    /// The table of what is delivered, where the spec asks for one.
    pub table: Option<Observed<Table>>,
    /// The delivery stream.
    pub delivery_stream: Option<Observed<DeliveryStream>>,
    /// The function.
    pub function: Option<Observed<Function>>,
    /// The REST API.
    pub rest_api: Option<Observed<RestApi>>,
    /// The stage.
    pub stage: Option<Observed<Stage>>,
    /// The topic that alarms go to.
    pub alarm_topic: Option<Observed<AlarmTopic>>,
    /// Each alarm, in the order of the desired ones.
    pub alarms: Vec<Option<Observed<Alarm>>>,
    /// The dashboard.
    pub dashboard: Option<Observed<Dashboard>>,
}

/// Looks at every resource of `want`; reports every failure, not only the first.
pub async fn observe(aws: &Aws, want: &Desired) -> Result<Snapshot, Vec<AwsError>> {
    let (
        bucket,
        stream,
        delivery_role,
        function_role,
        function_logs,
        delivery_logs,
        catalog,
        delivery_stream,
        function,
        api,
        alarm_topic,
        alarms,
        dashboard,
    ) = join!(
        want.bucket.observe(aws, &()),
        want.stream.observe(aws, &()),
        want.delivery_role.observe(aws, &()),
        want.function_role.observe(aws, &()),
        want.function_log_group.observe(aws, &()),
        want.delivery_log_group.observe(aws, &()),
        catalog(aws, want),
        want.delivery_stream.observe(aws, &()),
        want.function.observe(aws, &()),
        webhook(aws, want),
        want.alarm_topic.observe(aws, &()),
        alarm::observe_all(aws, &want.alarms),
        want.dashboard.observe(aws, &()),
    );
    let mut errors = Vec::new();
    let (rest_api, stage) = take(api.map(Some), &mut errors).unwrap_or_default();
    let (database, table) = take(catalog.map(Some), &mut errors).unwrap_or_default();
    let snapshot = Snapshot {
        bucket: take(bucket, &mut errors),
        stream: take(stream, &mut errors),
        delivery_role: take(delivery_role, &mut errors),
        function_role: take(function_role, &mut errors),
        function_log_group: take(function_logs, &mut errors),
        delivery_log_group: take(delivery_logs, &mut errors),
        database,
        table,
        delivery_stream: take(delivery_stream, &mut errors),
        function: take(function, &mut errors),
        rest_api,
        stage,
        alarm_topic: take(alarm_topic, &mut errors),
        alarms: take(alarms.map(Some), &mut errors).unwrap_or_default(),
        dashboard: take(dashboard, &mut errors),
    };
    if errors.is_empty() {
        Ok(snapshot)
    } else {
        Err(errors)
    }
}

/// Looks at the REST API and its stage alone: the stage belongs to the API, so it is looked for once that is found.
pub async fn webhook(
    aws: &Aws,
    want: &Desired,
) -> Result<(Option<Observed<RestApi>>, Option<Observed<Stage>>), AwsError> {
    let rest_api = want.rest_api.observe(aws, &()).await?;
    let id = rest_api.as_ref().map(|api| api.id.clone());
    let stage = want.stage.observe(aws, &id).await?;
    Ok((rest_api, stage))
}

/// What Glue's catalog has of a pipeline.
type Catalog = (Option<Observed<Database>>, Option<Observed<Table>>);

/// Looks at the table and its database, where the spec asks for them.
async fn catalog(aws: &Aws, want: &Desired) -> Result<Catalog, AwsError> {
    if want.table.wanted {
        any_catalog(aws, want).await
    } else {
        Ok((None, None))
    }
}

/// Looks at the table and its database, whether the spec asks for them or not.
async fn any_catalog(aws: &Aws, want: &Desired) -> Result<Catalog, AwsError> {
    futures_util::try_join!(want.database.observe(aws, &()), want.table.observe(aws, &()))
}

impl Snapshot {
    /// Looks at a table that the spec asks for no more as well: it has stayed for what was delivered before. Where there is one
    /// and it cannot be looked at, gives why.
    pub async fn with_former_table(
        mut self,
        aws: &Aws,
        want: &Desired,
    ) -> Result<(Self, Option<AwsError>), AwsError> {
        let delivery = self.delivery_stream.as_ref();
        let has_table = delivery.map(|found| found.id.knows_a_table());
        if want.table.wanted || has_table == Some(false) {
            return Ok((self, None));
        }
        match (any_catalog(aws, want).await, has_table) {
            (Ok(found), _) => (self.database, self.table) = found,
            (Err(error), _) if error.kind == ErrorKind::Interrupted => return Err(error),
            // Without the delivery stream, an earlier `down` may have got no further; but most likely there was never a table.
            (Err(_), None) => {}
            (Err(error), Some(_)) => return Ok((self, Some(error))),
        }
        Ok((self, None))
    }
}

fn take<T>(result: Result<Option<T>, AwsError>, errors: &mut Vec<AwsError>) -> Option<T> {
    result.unwrap_or_else(|error| {
        errors.push(error);
        None
    })
}
