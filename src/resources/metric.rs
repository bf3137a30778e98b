//! The CloudWatch metrics that alarms, the dashboard and `status` read.

use std::collections::BTreeMap;

use split_pipeline_handler::log::NAMESPACE;

use crate::names::Names;
use crate::spec::Spec;

/// Over what time values are gathered, but for those that are about silence.
pub(super) const PERIOD_SECONDS: i32 = 300;

/// A metric of something that the pipeline is made of.
#[derive(Clone)]
pub(crate) struct Metric {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) statistic: &'static str,
}

impl Metric {
    fn new<const N: usize>(
        namespace: &'static str,
        name: &'static str,
        dimensions: [(&str, String); N],
        statistic: &'static str,
    ) -> Self {
        let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value));
        Self { namespace, name, dimensions: dimensions.into(), statistic }
    }

    pub(crate) fn webhook(name: &'static str, spec: &Spec, names: &Names) -> Self {
        let stage = spec.webhook.stage.to_string();
        let dimensions = [("ApiName", names.api()), ("Stage", stage)];
        Self::new("AWS/ApiGateway", name, dimensions, "Sum")
    }

    pub(crate) fn function(name: &'static str, names: &Names) -> Self {
        Self::new("AWS/Lambda", name, [("FunctionName", names.function())], "Sum")
    }

    pub(crate) fn handler(name: &'static str, names: &Names) -> Self {
        Self::new(NAMESPACE, name, [("function", names.function())], "Sum")
    }

    fn firehose(name: &'static str, names: &Names, statistic: &'static str) -> Self {
        let dimensions = [("DeliveryStreamName", names.delivery_stream())];
        Self::new("AWS/Firehose", name, dimensions, statistic)
    }

    /// How far the delivery is behind the stream, in milliseconds: the age that its iterator has, and no other reader's.
    pub(crate) fn iterator_age(names: &Names) -> Self {
        Self::firehose("KinesisMillisBehindLatest", names, "Maximum")
    }

    /// How old the oldest record is that is not in S3 yet, in seconds.
    pub(crate) fn freshness(names: &Names) -> Self {
        Self::firehose("DeliveryToS3.DataFreshness", names, "Maximum")
    }

    pub(super) fn unconverted(names: &Names) -> Self {
        Self::firehose("FailedConversion.Records", names, "Sum")
    }
}
