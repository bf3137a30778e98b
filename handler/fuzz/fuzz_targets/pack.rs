//! Any text as a batch: no panic, and the records are exactly the impressions, one a line and in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use split_pipeline_handler::elements::{parse, stored};
use split_pipeline_handler::pack::{MAX_RECORD_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_RECORDS, pack, requests};
use split_pipeline_handler::request::Bodies;
use split_pipeline_handler::settings::Fields;

fuzz_target!(|input: (u16, bool, &str)| {
    let (size, project, text) = input;
    let fields = if project {
        Fields::Keep(vec!["key".to_owned(), "a".to_owned()])
    } else {
        Fields::All
    };
    let Ok(elements) = parse(text, &fields) else { return };
    let packed = pack(&elements.impressions, u32::from(size % 1001));
    assert!(packed.oversized.iter().all(|line| line.len() + 1 > MAX_RECORD_BYTES));
    let mut have = Vec::new();
    for request in requests(packed.records) {
        assert!(request.len() <= MAX_REQUEST_RECORDS);
        assert!(request.iter().map(|record| record.bytes).sum::<usize>() <= MAX_REQUEST_BYTES);
        assert!(!Bodies::default().write("stream", &request).is_empty());
        request.iter().for_each(|record| record.write_to(&mut have));
    }
    let fits = |line: &&str| line.len() < MAX_RECORD_BYTES;
    let lines = elements.impressions.iter().map(|impression| impression.line.as_ref()).filter(fits);
    let want: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(have, want.as_bytes());
    assert_eq!(stored(&want).len(), want.lines().count());
});
