//! A bucket in memory and a pipeline's place, shared by the tests of replaying.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::delete_object::{DeleteObjectError, DeleteObjectOutput};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::{MockResponse, Rule, mock};

use super::Place;
use crate::names::Names;
use crate::objects::BucketOwnership;
use crate::objects::content::Caps;
use crate::objects::lines;
use crate::spec::Spec;

/// An object's bytes, and when it was stored, in seconds since 1970.
type Stored = (Vec<u8>, i64);

#[derive(Clone, Default)]
pub(super) struct FakeBucket {
    pub(super) objects: Arc<Mutex<BTreeMap<String, Stored>>>,
    /// The error codes that calls get, by operation and key.
    pub(super) refused: Arc<Mutex<HashMap<(&'static str, String), &'static str>>>,
}

impl FakeBucket {
    pub(super) fn with(objects: &[(&str, &[u8], i64)]) -> Self {
        let bucket = Self::default();
        for (key, body, written) in objects {
            let object = (body.to_vec(), *written);
            bucket.objects.lock().unwrap().insert((*key).to_owned(), object);
        }
        bucket
    }

    pub(super) fn refuse(&self, operation: &'static str, key: &str, code: &'static str) {
        let call = (operation, key.to_owned());
        self.refused.lock().unwrap().insert(call, code);
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let objects = self.objects.lock().unwrap();
        let text = |(key, (body, _)): (&String, &Stored)| {
            let mut text = String::new();
            let add = |line: &str| {
                text.push_str(line);
                text.push('\n');
            };
            lines::for_each(body, Caps::SPILLED, add).unwrap();
            (key.clone(), text)
        };
        objects.iter().map(text).collect()
    }

    fn refusal(&self, operation: &'static str, key: Option<&str>) -> Option<ErrorMetadata> {
        let call = (operation, key.unwrap().to_owned());
        let code = *self.refused.lock().unwrap().get(&call)?;
        Some(ErrorMetadata::builder().code(code).build())
    }

    pub(super) fn rules(&self) -> [Rule; 4] {
        let (list, get, put, delete) = (self.clone(), self.clone(), self.clone(), self.clone());
        [
            mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
                let objects = list.objects.lock().unwrap();
                let below = objects.iter().filter(|(key, _)| key.starts_with(input.prefix().unwrap()));
                let object = |(key, (body, written)): (&String, &Stored)| {
                    let object = Object::builder().key(key).size(body.len().try_into().unwrap());
                    object.last_modified(DateTime::from_secs(*written)).build()
                };
                let contents = below.map(object).collect();
                ListObjectsV2Output::builder().set_contents(Some(contents)).build()
            }),
            mock!(aws_sdk_s3::Client::get_object).then_compute_response(move |input| {
                let missing = ErrorMetadata::builder().code("NoSuchKey").build();
                let objects = get.objects.lock().unwrap();
                match (get.refusal("get", input.key()), objects.get(input.key().unwrap())) {
                    (Some(error), _) => MockResponse::Error(GetObjectError::generic(error)),
                    (None, None) => MockResponse::Error(GetObjectError::generic(missing)),
                    (None, Some((body, _))) => {
                        let body = ByteStream::from(body.clone());
                        MockResponse::Output(GetObjectOutput::builder().body(body).build())
                    }
                }
            }),
            mock!(aws_sdk_s3::Client::put_object).then_compute_response(move |input| {
                if let Some(error) = put.refusal("put", input.key()) {
                    return MockResponse::Error(PutObjectError::generic(error));
                }
                let object = (input.body().bytes().unwrap().to_vec(), 0);
                put.objects.lock().unwrap().insert(input.key().unwrap().to_owned(), object);
                MockResponse::Output(PutObjectOutput::builder().build())
            }),
            mock!(aws_sdk_s3::Client::delete_object).then_compute_response(move |input| {
                if let Some(error) = delete.refusal("delete", input.key()) {
                    return MockResponse::Error(DeleteObjectError::generic(error));
                }
                delete.objects.lock().unwrap().remove(input.key().unwrap());
                MockResponse::Output(DeleteObjectOutput::builder().build())
            }),
        ]
    }
}

/// The place of a pipeline called `flags` that delivers NDJSON by the hour.
pub(super) fn place(ownership: BucketOwnership) -> Place {
    Place {
        name: "flags".to_owned(),
        stream: "flags".to_owned(),
        bucket: "b".to_owned(),
        ownership,
        prefix: "i/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/".to_owned(),
        misfit_prefix: "errors/".to_owned(),
        record_kib: 100,
        number_fields: Vec::new(),
        columns: None,
    }
}

/// Where the pipeline of the spec in this text has its impressions.
pub(crate) fn place_of(text: &str) -> Place {
    let spec = Spec::parse(text, "test").unwrap().spec;
    let names = Names::new(spec.name.as_str(), "123456789012", "aws", "us-east-1");
    Place::new(&spec, &names)
}
