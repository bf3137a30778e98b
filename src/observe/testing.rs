//! A pipeline that is as it should be, for unit tests.

use aws_smithy_mocks::Rule;

use super::*;
use crate::aws::testing::every_service;
use crate::resource::Phase;
use crate::resources::delivery_stream::testing::Firehose;
use crate::resources::testing::Gateway;

/// Services in memory that have a pipeline as it should be: those whose ids are more than a name.
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

/// A resource as it should be, with the name as its id.
pub(crate) fn as_wanted<R: Resource<Id = String>>(want: &R) -> Option<Observed<R>>
where
    R::State: Clone,
{
    want.wanted().then(|| Observed {
        id: want.name().to_owned(),
        state: want.want().clone(),
        tags: want.tags().clone(),
        phase: Phase::Ready,
    })
}

/// A pipeline that is as it should be.
pub(crate) async fn pipeline(want: &Desired) -> (Services, Snapshot) {
    let (gateway, _) = Gateway::open(want).await;
    let services = Services {
        firehose: Firehose::with(&want.delivery_stream),
        gateway,
    };
    let aws = services.aws(&[]);
    let (rest_api, stage) = webhook(&aws, want).await.unwrap();
    let delivery_stream = want.delivery_stream.observe(&aws, &()).await.unwrap();
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

/// A pipeline of which nothing is there.
pub(crate) fn nothing(want: &Desired) -> Snapshot {
    Snapshot {
        bucket: None,
        stream: None,
        delivery_role: None,
        function_role: None,
        function_log_group: None,
        delivery_log_group: None,
        database: None,
        table: None,
        delivery_stream: None,
        function: None,
        rest_api: None,
        stage: None,
        alarm_topic: None,
        alarms: want.alarms.iter().map(|_| None).collect(),
        dashboard: None,
    }
}
