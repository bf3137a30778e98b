//! What is to be done about every resource, decided before anything is changed.
//!
//! Pure: values in, values out.

use crate::desired::Desired;
use crate::observe::Snapshot;
use crate::resource::{Action, Adoption, Decision, FieldChange, Kind, Owner, Phase, Resource, decide};
use crate::resources::alarm::Alarm;
use crate::resources::alarm_topic::AlarmTopic;
use crate::resources::bucket::Bucket;
use crate::resources::dashboard::Dashboard;
use crate::resources::database::Database;
use crate::resources::delivery_stream::DeliveryStream;
use crate::resources::function::Function;
use crate::resources::log_group::LogGroup;
use crate::resources::rest_api::RestApi;
use crate::resources::role::Role;
use crate::resources::stage::{Permission, Stage};
use crate::resources::stream::Stream;
use crate::resources::table::Table;

/// The decisions about every resource of a pipeline.
pub struct Plan {
    /// The bucket.
    pub bucket: Decision<Bucket>,
    /// The stream.
    pub stream: Decision<Stream>,
    /// The delivery stream's role.
    pub delivery_role: Decision<Role>,
    /// The function's role.
    pub function_role: Decision<Role>,
    /// The function's log group.
    pub function_log_group: Decision<LogGroup>,
    /// The delivery stream's log group.
    pub delivery_log_group: Decision<LogGroup>,
    /// The database of the table.
    pub database: Decision<Database>,
    /// The table of what is delivered.
    pub table: Decision<Table>,
    /// The delivery stream.
    pub delivery_stream: Decision<DeliveryStream>,
    /// The function.
    pub function: Decision<Function>,
    /// The REST API.
    pub rest_api: Decision<RestApi>,
    /// The stage.
    pub stage: Decision<Stage>,
    /// The topic that alarms go to.
    pub alarm_topic: Decision<AlarmTopic>,
    /// Each alarm, in the order of the desired ones.
    pub alarms: Vec<Decision<Alarm>>,
    /// The dashboard.
    pub dashboard: Decision<Dashboard>,
}

/// One decision without its types: for showing, counting and asking.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its id, if it exists.
    pub id: Option<String>,
    /// What AWS is doing with it, if it exists.
    pub phase: Option<Phase>,
    /// What is to be done.
    pub action: Action,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// Whose it is.
    pub owner: Owner,
    /// What the user has to agree to first.
    pub caution: Option<String>,
    /// Why it is replaced or refused.
    pub reason: Option<String>,
    /// What somebody added that stays as it is.
    pub left_alone: Vec<String>,
}

impl Plan {
    /// Decides about every resource of `want`, given what is there.
    pub fn new(want: &Desired, mut have: Snapshot, adoption: Adoption) -> Self {
        let function_role = decide(&want.function_role, have.function_role, adoption);
        let mut function = decide(&want.function, have.function, adoption);
        if function_role.action == Action::Create && matches!(function.action, Action::Keep | Action::Update)
        {
            function.replace(
                "its role is gone, and the key that encrypts its settings was granted to that one, not to its successor",
            );
        }
        if let Some(stage) = have.stage.as_mut().filter(|_| function.action == Action::Replace) {
            stage.state.invoke_permission = Permission::Missing;
            stage.state.other_permissions.clear();
        }
        let alarms = want.alarms.iter().zip(have.alarms);
        Self {
            bucket: decide(&want.bucket, have.bucket, adoption),
            stream: decide(&want.stream, have.stream, adoption),
            delivery_role: decide(&want.delivery_role, have.delivery_role, adoption),
            function_role,
            function_log_group: decide(&want.function_log_group, have.function_log_group, adoption),
            delivery_log_group: decide(&want.delivery_log_group, have.delivery_log_group, adoption),
            database: decide(&want.database, have.database, adoption),
            table: decide(&want.table, have.table, adoption),
            delivery_stream: decide(&want.delivery_stream, have.delivery_stream, adoption),
            function,
            rest_api: decide(&want.rest_api, have.rest_api, adoption),
            stage: decide(&want.stage, have.stage, adoption),
            alarm_topic: decide(&want.alarm_topic, have.alarm_topic, adoption),
            alarms: alarms.map(|(want, have)| decide(want, have, adoption)).collect(),
            dashboard: decide(&want.dashboard, have.dashboard, adoption),
        }
    }

    /// Every decision, in the order in which data flows, but for what is neither wanted nor there.
    pub fn summaries(&self, want: &Desired) -> Vec<Summary> {
        let alarms = want.alarms.iter().zip(&self.alarms);
        let watching = alarms.map(|(want, decision)| optional(want, decision)).chain([
            optional(&want.alarm_topic, &self.alarm_topic),
            optional(&want.dashboard, &self.dashboard),
        ]);
        let catalog = [
            optional(&want.database, &self.database),
            optional(&want.table, &self.table),
        ];
        let mut summaries = vec![
            summary(&want.bucket, &self.bucket),
            summary(&want.stream, &self.stream),
            summary(&want.delivery_role, &self.delivery_role),
            summary(&want.function_role, &self.function_role),
            summary(&want.delivery_log_group, &self.delivery_log_group),
            summary(&want.function_log_group, &self.function_log_group),
        ];
        summaries.extend(catalog.into_iter().flatten());
        summaries.extend([
            summary(&want.delivery_stream, &self.delivery_stream),
            summary(&want.function, &self.function),
            summary(&want.rest_api, &self.rest_api),
            summary(&want.stage, &self.stage),
        ]);
        summaries.extend(watching.flatten());
        summaries
    }
}

fn optional<R: Resource>(want: &R, decision: &Decision<R>) -> Option<Summary> {
    let concerns = want.wanted() || decision.action != Action::Keep;
    concerns.then(|| summary(want, decision))
}

fn summary<R: Resource>(want: &R, decision: &Decision<R>) -> Summary {
    let ours = decision.have.as_ref().filter(|_| !decision.owner.is_foreign());
    let left_alone = ours.map(|have| want.left_alone(&have.state));
    Summary {
        kind: want.kind(),
        name: want.name().to_owned(),
        id: decision.have.as_ref().map(|have| R::display_id(&have.id)),
        phase: decision.have.as_ref().map(|have| have.phase.clone()),
        action: decision.action,
        fields: decision.fields.clone(),
        owner: decision.owner,
        caution: decision.caution.clone(),
        reason: decision.reason.clone(),
        left_alone: left_alone.map(<[_]>::to_vec).unwrap_or_default(),
    }
}
