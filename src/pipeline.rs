//! The resources of a pipeline: the one list, and the one graph of what needs what.
//!
//! Must not call AWS itself. A kind is a room under `resources`, its entry in `list!`, and its lines in `TIES`.

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::engine::destroy::Kept;
use crate::engine::{Decided, Look, Map, Resources, Seen, Slot, Tie, Visit, Wanted, When};
use crate::resource::{Latest, Target};
use crate::resources::catalog::{self, database, table};
use crate::resources::webhook::{self, ApiId, OpenWebhook, rest_api, stage};
use crate::resources::{
    Blueprint, Exported, Permitted, alarm, alarm_topic, bucket, dashboard, delivery_stream, function,
    log_group, role, stream,
};

pub mod access;
pub mod export;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

/// The only list. `list!(m)` expands to `m! { field: Kind = want, … }`, and does so twice: `engine::resources` writes `Each` and the
/// engine's walk, `desired_and_visits` writes `Desired::new` and the walks for permissions and exports.
///
/// The order is that of output, and has a kind after those that it is bound to. What is created first follows from `TIES`.
macro_rules! list {
    ($($then:tt)*) => {
        $($then)*! {
            bucket: bucket::Bucket = bucket::want,
            stream: stream::Stream = stream::want,
            delivery_role: role::Role = role::of_delivery,
            function_role: role::Role = role::of_function,
            delivery_log_group: log_group::LogGroup = log_group::of_delivery,
            function_log_group: log_group::LogGroup = log_group::of_function,
            database: database::Database = database::want,
            table: table::Table = table::want,
            delivery_stream: delivery_stream::DeliveryStream = delivery_stream::want,
            function: function::Function = function::want,
            rest_api: rest_api::RestApi = rest_api::want,
            stage: stage::Stage = stage::want,
            alarms: [alarm::Alarm] = alarm::wants,
            alarm_topic: alarm_topic::AlarmTopic = alarm_topic::want,
            dashboard: dashboard::Dashboard = dashboard::want,
        }
    };
}

/// Writes what a blueprint makes of the list, and how permissions and other tools walk it.
macro_rules! desired_and_visits {
    ($($field:ident: $resource:tt $(:: $name:ident)? = $want:path,)*) => {
        fn visit_kinds(visit: &mut impl VisitKind) {
            $(desired_and_visits!(@kind visit, $resource $(:: $name)?);)*
        }

        impl Desired {
            pub fn new(blueprint: &Blueprint<'_>) -> Self {
                Self { $($field: $want(blueprint),)* }
            }

            fn visit_wanted(&self, visit: &mut impl VisitWanted) {
                $(desired_and_visits!(@wanted visit, &self.$field, $resource);)*
            }
        }
    };
    (@kind $visit:ident, [$($resource:tt)*]) => { $visit.visit::<$($resource)*>() };
    (@kind $visit:ident, $($resource:tt)*) => { $visit.visit::<$($resource)*>() };
    (@wanted $visit:ident, $want:expr, [$($resource:tt)*]) => {
        $want.iter().filter(|want| want.is_wanted()).for_each(|want| $visit.visit(want))
    };
    (@wanted $visit:ident, $want:expr, $resource:tt) => {
        if $want.is_wanted() {
            $visit.visit($want);
        }
    };
}

list!(crate::engine::resources);
list!(desired_and_visits);

trait VisitKind {
    fn visit<R: Permitted>(&mut self);
}

trait VisitWanted {
    fn visit<R: Exported>(&mut self, want: &Target<R>);
}

pub type Desired = Each<Wanted>;
pub type Snapshot = Each<Seen>;
pub type Plan = Each<Decided>;

impl Desired {
    /// What the last look or change found of the REST API.
    pub fn api(&self) -> Latest<ApiId> {
        self.rest_api.extra.api.clone()
    }

    /// Looks at the REST API and its stage alone.
    pub async fn look_at_webhook(&self, aws: &Aws) -> Result<Option<OpenWebhook>, AwsError> {
        let (api, stage) = webhook::look(aws, &self.rest_api, &self.stage).await?;
        Ok(OpenWebhook::of(api.as_ref(), stage.as_ref()))
    }
}

impl Snapshot {
    /// Whether the webhook has two secret paths.
    pub fn is_rotating(&self) -> bool {
        self.rest_api.as_ref().is_some_and(|api| api.id.old.is_some())
    }

    /// The webhook, if its API and stage exist.
    pub fn webhook(&self) -> Option<OpenWebhook> {
        OpenWebhook::of(self.rest_api.as_ref(), self.stage.as_ref())
    }

    /// Looks also at a table that the spec no longer asks for: it has stayed for what was delivered before. If it cannot be
    /// looked at, it is kept.
    pub async fn with_former_table(
        mut self,
        aws: &Aws,
        want: &Desired,
    ) -> Result<(Self, Option<Kept>), AwsError> {
        let delivery = self.delivery_stream.as_ref();
        let has_table = delivery.map(|found| found.id.knows_a_table());
        if want.table.is_wanted() || has_table == Some(false) {
            return Ok((self, None));
        }
        match (catalog::look(aws, &want.database, &want.table).await, has_table) {
            (Ok(found), _) => (self.database, self.table) = found,
            (Err(error), _) if error.kind == ErrorKind::Interrupted => return Err(error),
            // Without the delivery stream, an earlier `down` may have got no further; but most likely there was never a table.
            (Err(_), None) => {}
            (Err(error), Some(_)) => {
                let kept = Kept {
                    kind: want.table.kind,
                    name: want.table.name.clone(),
                    why: format!("it could not be looked at, nor its database: {error}"),
                };
                return Ok((self, Some(kept)));
            }
        }
        Ok((self, None))
    }
}

/// What each kind needs. `up` creates a kind after what it needs, `down` deletes it before. What the spec no longer asks for,
/// `up` deletes after everything that used it. The order of these lines has no meaning.
const TIES: &[Tie] = &[
    Tie::new(table::KIND, database::KIND),
    Tie::new(delivery_stream::KIND, role::OF_DELIVERY),
    Tie::new(delivery_stream::KIND, stream::KIND),
    Tie::new(delivery_stream::KIND, bucket::KIND),
    Tie::new(delivery_stream::KIND, log_group::OF_DELIVERY),
    Tie::new(delivery_stream::KIND, table::KIND),
    // Lambda creates a missing log group, without retention, whenever it writes a line, even after `down` deleted it.
    Tie::new(function::KIND, log_group::OF_FUNCTION),
    // A new role has a new id, to which the key that encrypts the function's settings was not granted.
    Tie::when(
        function::KIND,
        role::OF_FUNCTION,
        When::Bound(
            "its role is gone, and the key that encrypts its settings was granted to that one, not to its successor",
        ),
    ),
    // A function that is called must not be told to spill into a bucket that does not exist yet.
    Tie::when(function::KIND, bucket::KIND, When::Existing),
    // The delivery stream is needed until all impressions of the stream are in the bucket, so their writer goes first.
    Tie::when(function::KIND, delivery_stream::KIND, When::Deleting),
    Tie::when(stage::KIND, rest_api::KIND, When::Inside),
    Tie::new(stage::KIND, function::KIND),
    // Firehose does not read records that arrive before the delivery stream is ACTIVE, so the stage is created last, and
    // deleted first.
    Tie::new(stage::KIND, delivery_stream::KIND),
    // The actions of an alarm name the topic, so the topic exists for as long as an alarm does.
    Tie::new(alarm::KIND, alarm_topic::KIND),
];
