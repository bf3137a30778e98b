//! Unit tests of rotating the secret path, on a REST API in memory.

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::operation::update_rest_api::UpdateRestApiError;
use aws_sdk_apigateway::operation::update_stage::UpdateStageError;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::testing::every_service;
use crate::kind::Kind;
use crate::pipeline::testing::desired;
use crate::resources::webhook;
use crate::resources::webhook::testing::Gateway;
use crate::resources::webhook::{rest_api, stage};

/// Clients of the API, some of whose calls are answered otherwise.
fn aws(gateway: &Gateway, first: &[Rule]) -> Aws {
    let rules = [first.to_vec(), gateway.rules()].concat();
    every_service(&rules.iter().collect::<Vec<_>>())
}

fn path(api: &rest_api::Id) -> String {
    api.route.as_ref().unwrap().path.clone()
}

/// The kinds that are as they should be, and those that failed.
fn outcome(report: &Report) -> (Vec<Kind>, Vec<Kind>) {
    let done = report.done.iter().map(|done| done.kind).collect();
    (done, report.failed.iter().map(|(kind, ..)| *kind).collect())
}

fn denied() -> ErrorMetadata {
    ErrorMetadata::builder().code("AccessDeniedException").build()
}

#[tokio::test(start_paused = true)]
async fn a_rotation_adds_a_path_and_a_revocation_takes_the_one_before_away() {
    let want = desired("name: flags\n");
    let (gateway, before) = Gateway::open(&want.rest_api, &want.stage).await;
    let aws = aws(&gateway, &[]);
    let (report, rotated) = rotate(&aws, &want, &before, SecretChange::Rotate).await;
    assert_eq!(outcome(&report), (vec![rest_api::KIND, stage::KIND], Vec::new()));
    let rotated = rotated.unwrap();
    let (old, new) = (path(&before), path(&rotated));
    assert_eq!(rotated.old.as_ref().map(|old| &old.path), Some(&old));
    let mut paths = gateway.paths();
    paths.sort();
    let mut both = [old, new.clone()];
    both.sort();
    assert_eq!(paths, both);
    // The stage points to the one deployment that is left.
    let (deployments, deployed) = gateway.deployed();
    assert_eq!(deployments, Vec::from_iter(deployed));
    assert_eq!(deployments, rotated.deployments);

    let (report, revoked) = rotate(&aws, &want, &rotated, SecretChange::Revoke).await;
    assert_eq!(outcome(&report), (vec![rest_api::KIND, stage::KIND], Vec::new()));
    let revoked = revoked.unwrap();
    assert_eq!((path(&revoked), revoked.old.is_none()), (new.clone(), true));
    assert_eq!(gateway.paths(), [new]);
    let (api, stage) = webhook::look(&aws, &want.rest_api, &want.stage).await.unwrap();
    for action in [
        decide(&want.rest_api, api, Adoption::Refuse).action,
        decide(&want.stage, stage, Adoption::Refuse).action,
    ] {
        assert_eq!(action, Action::Keep);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_leaves_the_webhook_as_it_was() {
    let want = desired("name: flags\n");
    let (gateway, before) = Gateway::open(&want.rest_api, &want.stage).await;
    let (paths, deployed) = (gateway.paths(), gateway.deployed());
    let refuses = mock!(Client::update_rest_api).then_error(|| UpdateRestApiError::generic(denied()));
    let aws = aws(&gateway, &[refuses]);
    let (report, rotated) = rotate(&aws, &want, &before, SecretChange::Rotate).await;
    assert_eq!(outcome(&report), (Vec::new(), vec![rest_api::KIND]));
    assert!(rotated.is_none());
    assert_eq!((gateway.paths(), gateway.deployed()), (paths, deployed));
}

#[tokio::test(start_paused = true)]
async fn a_rotation_whose_stage_does_not_move_gives_no_new_path_and_keeps_the_old_one() {
    let want = desired("name: flags\n");
    let (gateway, before) = Gateway::open(&want.rest_api, &want.stage).await;
    let (_, deployed) = gateway.deployed();
    let refuses = mock!(Client::update_stage).then_error(|| UpdateStageError::generic(denied()));
    let aws = aws(&gateway, &[refuses]);
    let (report, rotated) = rotate(&aws, &want, &before, SecretChange::Rotate).await;
    assert_eq!(outcome(&report), (vec![rest_api::KIND], vec![stage::KIND]));
    assert!(rotated.is_none());
    assert_eq!(gateway.deployed().1, deployed);
    assert!(gateway.paths().contains(&path(&before)));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_meanwhile_is_an_error() {
    let want = desired("name: flags\n");
    let (gateway, before) = Gateway::open(&want.rest_api, &want.stage).await;
    gateway.world(|world| world.stages.clear());
    let aws = aws(&gateway, &[]);
    let (report, rotated) = rotate(&aws, &want, &before, SecretChange::Rotate).await;
    assert_eq!(outcome(&report), (vec![rest_api::KIND], vec![stage::KIND]));
    assert!(report.lost_something() && rotated.is_none());
}
