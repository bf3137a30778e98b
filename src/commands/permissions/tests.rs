//! No policy for ephemeral pipelines matches anything of another pipeline.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::pipeline::testing::desired;
use crate::spec::RUN_BYTES;

const ALL: [Purpose; 5] = [Purpose::Up, Purpose::Status, Purpose::Down, Purpose::Smoke, Purpose::Replay];

fn text(name: &str) -> String {
    format!(
        "name: {name}\ndelivery: {{format: parquet}}\nmonitoring: {{alarms: true, emails: [a@example.com], dashboard: true}}\n"
    )
}

/// A spec with everything that a pipeline can have.
fn spec(name: &str) -> Option<Spec> {
    Spec::parse(&text(name), "spec").ok().map(|parsed| parsed.spec)
}

fn names(name: &str) -> Names {
    Names::new(name, "123456789012", "aws", "us-east-1")
}

fn resources(spec: &Spec, names: &Names) -> BTreeSet<String> {
    let policy = policy(&ALL, spec, names, &RestApis::OfRegion);
    let statements = policy["Statement"].as_array().unwrap().iter();
    let resources = statements.flat_map(|statement| match &statement["Resource"] {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    });
    resources.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What a policy has of one pipeline alone: the rest is the same for any name.
fn own_resources(spec: &Spec, names: &Names) -> BTreeSet<String> {
    let common = resources(spec, &self::names("some-other-name"));
    let all = resources(spec, names);
    all.difference(&common).cloned().collect()
}

/// What a pipeline has: its own policy names its alarms by how they start.
fn resources_of(pipeline: &Spec) -> BTreeSet<String> {
    let name = pipeline.name.as_str();
    let mut resources = own_resources(pipeline, &names(name));
    assert!(resources.remove(&names(name).alarm_arn(&format!("{name}-*"))));
    let alarms = desired(&text(name)).alarms.into_iter();
    resources.extend(alarms.map(|alarm| alarm.arn));
    resources
}

fn ephemeral_resources(spec: &Spec) -> BTreeSet<String> {
    let (settings, names) = ephemeral(spec, &names(spec.name.as_str()));
    own_resources(&settings, &names)
}

/// Whether some text matches both patterns, in which `*` is any text and `?` any character.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    // The places in `other` up to which it may have matched what was looked at of `one`.
    let skip_stars = |reached: &mut Vec<bool>| {
        for at in 0..other.len() {
            if other[at] == b'*' && reached[at] {
                reached[at + 1] = true;
            }
        }
    };
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    skip_stars(&mut reached);
    for token in one {
        let mut next = vec![false; other.len() + 1];
        if *token == b'*' {
            let mut any = false;
            for at in 0..=other.len() {
                any |= reached[at];
                next[at] = any;
            }
        } else {
            for at in 0..other.len() {
                let same = matches!((token, other[at]), (b'?', _) | (_, b'?')) || *token == other[at];
                if reached[at] && other[at] == b'*' {
                    next[at] = true;
                } else if reached[at] && same {
                    next[at + 1] = true;
                }
            }
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached[other.len()]
}

fn overlaps(ephemeral: &BTreeSet<String>, others: &BTreeSet<String>) -> Option<(String, String)> {
    let pairs = ephemeral.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
    let mut pairs = pairs.filter(|(one, other)| overlap(one.as_bytes(), other.as_bytes()));
    pairs.next().map(|(one, other)| (one.clone(), other.clone()))
}

#[test]
fn patterns_overlap_if_a_text_matches_both() {
    for (one, other, want) in [
        ("abc", "abc", true),
        ("abc", "abd", false),
        ("a?c", "abc", true),
        ("a*", "abc", true),
        ("a*", "b*", false),
        ("a*c", "*b?", true),
        ("a-????????-*", "a-iterator-age", true),
        ("a-????????", "a-frontend", true),
        ("a-????????", "a-front-end", false),
        ("", "*", true),
        ("*", "", true),
        ("a", "", false),
    ] {
        assert_eq!(overlap(one.as_bytes(), other.as_bytes()), want, "{one} {other}");
        assert_eq!(overlap(other.as_bytes(), one.as_bytes()), want, "{other} {one}");
    }
}

#[test]
fn a_pipeline_whose_name_starts_with_anothers_is_not_matched() {
    let ephemeral = ephemeral_resources(&spec("flags").unwrap());
    for other in ["flags", "flags-frontend", "flags-eph", "flags-eph-frontend", "flags-ephemeral"] {
        let others = resources_of(&spec(other).unwrap());
        assert!(others.len() > 10, "{others:?}");
        assert_eq!(overlaps(&ephemeral, &others), None);
    }
    assert_eq!(spec("flags--eph-frontend"), None);
}

#[test]
fn a_policy_that_knows_the_api_reaches_no_other() {
    let (spec, names) = (spec("flags").unwrap(), names("flags"));
    let apis = RestApis::WithIds(vec!["abcde12345".to_owned()]);
    let policy = policy(&[Purpose::Up, Purpose::Down], &spec, &names, &apis);
    let patterns = |verb: &str| -> Vec<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let action = Value::from(format!("apigateway:{verb}"));
        let of_verb = statements.filter(|it| it["Action"].as_array().is_some_and(|it| it.contains(&action)));
        let resources = of_verb.flat_map(|it| it["Resource"].as_array().unwrap());
        resources.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let reaches = |verb: &str, path: &str| {
        let arn = names.api_gateway_arn(path);
        patterns(verb).iter().any(|pattern| overlap(pattern.as_bytes(), arn.as_bytes()))
    };
    let encoded = |arn: &str| arn.replace(':', "%3A").replace('/', "%2F");
    for (api, want) in [("abcde12345", true), ("zzzzz99999", false)] {
        let path = format!("/restapis/{api}");
        let (arn, stage) = (names.api_arn(api), names.stage_arn(api, "abcde12345"));
        for verb in ["PUT", "POST", "PATCH", "DELETE"] {
            assert_eq!(reaches(verb, &path), want, "{verb}");
            assert_eq!(reaches(verb, &format!("{path}/resources/abcde12345")), want, "{verb}");
        }
        for tagged in [encoded(&arn), encoded(&stage), arn, stage] {
            assert_eq!(reaches("PUT", &format!("/tags/{tagged}")), want, "{tagged}");
            assert_eq!(reaches("DELETE", &format!("/tags/{tagged}")), want, "{tagged}");
        }
    }
    // Whoever may create an API has to be allowed to change one whose id is not known.
    assert!(!reaches("POST", "/restapis"));
}

fn two_names() -> impl Strategy<Value = (String, String)> {
    let name = "[a-z][a-z0-9-]{1,30}[a-z0-9]";
    (name, 0..=32_usize, "[-]{0,2}(eph)?[-]{0,2}[a-z0-9?-]{0,12}", name).prop_flat_map(
        |(name, cut, suffix, unlike)| {
            let like = format!("{}{suffix}", &name[..cut.min(name.len())]);
            (Just(name), prop_oneof![9 => Just(like), 1 => Just(unlike)])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_policy_for_ephemeral_pipelines_matches_another_pipeline((name, other) in two_names()) {
        let (Some(spec), Some(other)) = (spec(&name), spec(&other)) else {
            return Ok(());
        };
        let others = resources_of(&other);
        prop_assert_eq!(overlaps(&ephemeral_resources(&spec), &others), None);
    }

    #[test]
    fn each_ephemeral_pipeline_is_matched_by_its_policy(name in "[a-z][a-z0-9-]{1,30}[a-z0-9]", run in any::<[u8; RUN_BYTES]>()) {
        let Some(spec) = spec(&name) else {
            return Ok(());
        };
        let ephemeral = spec.name.ephemeral(&hex::encode(run)).unwrap();
        let settings = smoke::ephemeral::settings(&spec);
        let patterns = ephemeral_resources(&spec);
        for resource in own_resources(&settings, &names(ephemeral.as_str())) {
            let is_matched = patterns.iter().any(|pattern| overlap(pattern.as_bytes(), resource.as_bytes()));
            prop_assert!(is_matched, "{}", resource);
        }
    }
}
