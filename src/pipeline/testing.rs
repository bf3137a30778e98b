//! A pipeline as a spec asks for it, and one that is in its desired state, for unit tests.

use aws_smithy_mocks::Rule;

use super::{Desired, Each, Snapshot};
use crate::aws::Aws;
use crate::aws::testing::every_service;
use crate::engine::{Map, Resources, Seen, Slot};
use crate::resource::{Observed, Resource, Target};
use crate::resources::delivery_stream::testing::Firehose;
use crate::resources::testing::wanted;
use crate::resources::webhook;
use crate::resources::webhook::testing::Gateway;

pub(crate) use crate::resources::testing::{names, spec};

pub(crate) fn desired(text: &str) -> Desired {
    wanted(text, Desired::new)
}

/// Services in memory that have a pipeline in its desired state: those whose ids are more than a name.
pub(crate) struct Services {
    pub(crate) firehose: Firehose,
    pub(crate) gateway: Gateway,
}

impl Services {
    pub(crate) fn rules(&self) -> Vec<Rule> {
        [self.firehose.rules(), self.gateway.rules()].concat()
    }

    /// Clients of these services, which answer otherwise where these rules say so.
    pub(crate) fn aws(&self, first: &[Rule]) -> Aws {
        let rules = [first.to_vec(), self.rules()].concat();
        every_service(&rules.iter().collect::<Vec<_>>())
    }
}

/// A resource in its desired state, with the name as its id.
pub(crate) fn as_wanted<R: Resource<Id = String>>(want: &Target<R>) -> Option<Observed<R>> {
    want.is_wanted().then(|| want.created(want.name.clone(), want.state.clone()))
}

pub(crate) async fn pipeline(want: &Desired) -> (Services, Snapshot) {
    let (gateway, _) = Gateway::open(&want.rest_api, &want.stage).await;
    let services = Services { firehose: Firehose::with(&want.delivery_stream), gateway };
    let aws = services.aws(&[]);
    let (rest_api, stage) = webhook::look(&aws, &want.rest_api, &want.stage).await.unwrap();
    let delivery_stream = want.delivery_stream.observe(&aws).await.unwrap();
    let snapshot = Snapshot {
        bucket: as_wanted(&want.bucket),
        stream: as_wanted(&want.stream),
        delivery_role: as_wanted(&want.delivery_role),
        function_role: as_wanted(&want.function_role),
        function_log_group: as_wanted(&want.function_log_group),
        delivery_log_group: as_wanted(&want.delivery_log_group),
        database: as_wanted(&want.database),
        table: as_wanted(&want.table),
        delivery_stream,
        function: as_wanted(&want.function),
        rest_api,
        stage,
        alarm_topic: as_wanted(&want.alarm_topic),
        alarms: want.alarms.iter().map(as_wanted).collect(),
        dashboard: as_wanted(&want.dashboard),
    };
    (services, snapshot)
}

/// A pipeline of which nothing exists.
pub(crate) fn nothing(want: &Desired) -> Snapshot {
    struct Absent;

    impl<'a> Map<'a, Absent, Seen> for Absent {
        fn map<R: Resource>(&mut self, _want: &'a Target<R>, (): ()) -> Option<Observed<R>> {
            None
        }
    }

    impl Slot for Absent {
        type Of<R: Resource> = ();
    }

    let values = Each::<Absent> {
        bucket: (),
        stream: (),
        delivery_role: (),
        function_role: (),
        function_log_group: (),
        delivery_log_group: (),
        database: (),
        table: (),
        delivery_stream: (),
        function: (),
        rest_api: (),
        stage: (),
        alarm_topic: (),
        alarms: want.alarms.iter().map(|_| ()).collect(),
        dashboard: (),
    };
    want.map(values, &mut Absent)
}
