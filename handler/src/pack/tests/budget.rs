//! Tests of telling misfits with what reading the batch has left of its budget.

use super::*;
use crate::elements::parse_within;
use crate::refusal::MAX_INFLATED_BYTES;
use crate::settings::KeptFields;
use crate::testing::in_ms;

#[test]
fn fields_that_were_read_are_counted_when_misfits_are_told() {
    let number_fields = ["time".to_owned()];
    // Fits, but not plainly, and is read twice: to keep some of its fields, and to see that it fits.
    let text = format!("[{0},{0},{0}]", r#"{"key":"","split":"","time":-1}"#);
    let fields = KeptFields::Keep(vec!["time".to_owned()]);
    for (all, want) in [(9, 0), (10, 1), (12, 3), (13, 3)] {
        let mut budget = BatchBudget::with_fields(all);
        let mut elements = parse_within(&text, &fields, &mut budget, 0).unwrap();
        let packed = pack_within(&mut elements.impressions, 100, &number_fields, &mut budget);
        assert_eq!(packed.records.parts[0].rest.len(), want, "{all}");
        assert_eq!(budget.fields_left(), all - 9 - want);
    }
}

#[test]
fn the_largest_batch_of_split_has_no_misfits_for_want_of_a_budget() {
    let number_fields = ["time", "splitVersionNumber"].map(str::to_owned);
    let kept = "key split environmentName treatment time label splitVersionNumber properties";
    let fields = KeptFields::Keep(kept.split(' ').map(str::to_owned).collect());
    for (label, version) in [("default rule", "1690000000000"), (r"in \u0027a\u0027", "null")] {
        let impression = format!(
            r#"{{"key":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","split":"flag","environmentId":"7f3c9f10","environmentName":"Production","treatment":"on","time":1700000000000,"bucketingKey":null,"label":"{label}","machineName":"ip-10-0-3-7","machineIp":"10.0.3.7","splitVersionNumber":{version},"sdk":"java","sdkVersion":"4.10.2","properties":{{"n":1.5}}}},"#
        );
        let count = MAX_INFLATED_BYTES / impression.len();
        assert!(count > 190_000, "{count}");
        let text = format!("[{}]", impression.repeat(count).trim_end_matches(','));
        let mut budget = BatchBudget::of_batch(Memory::unlimited(), 100, in_ms(600_000));
        let mut elements = parse_within(&text, &fields, &mut budget, 0).unwrap();
        let packed = pack_within(&mut elements.impressions, 100, &number_fields, &mut budget);
        assert_eq!(packed.records.parts.map(|part| part.rest.len()), [count, 0, 0]);
    }
}
