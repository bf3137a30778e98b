//! Each check of `docs/promises.md` on a small text, so that it can be seen to fail.

use super::*;

const PAGE: &str = "## Data\n\n| promise | said in | held by |\n|---|---|---|\n\
    | kept | `a.md` “It never fails.” “a \\| b” `b.rs` “nothing is lost” | `it::a::holds`, `x` |\n\
    | open | `a.md` “It is safe.” | by hope |\n\n\
    ## Not promises\n\n| said in | why |\n|---|---|\n| `a.md` “You cannot.” | |\n";

#[test]
fn a_test_that_does_not_exist_is_found() {
    let rows = rows(PAGE);
    let tests = tests_in("it::a", "#[test]\nfn other() {}\n");
    assert_eq!(unknown_tests(&rows, &tests.into_iter().collect()), ["it::a::holds"]);
    let tests = tests_in("it::a", "#[tokio::test(flavor = \"x\")]\nasync fn holds() {}\n");
    assert_eq!(unknown_tests(&rows, &tests.into_iter().collect()), [""; 0]);
}

#[test]
fn a_test_has_the_modules_around_it() {
    let text = "fn no() {}\nmod tests {\n    mod inner {\n        #[test]\n        #[expect(x)]\n        fn a() {}\n    }\n    \
        proptest! {\n        #[test]\n        fn b(x in 0..1) {}\n    }\n}\n#[test]\nfn c<T>() {}\n";
    assert_eq!(tests_in("m", text), ["m::tests::inner::a", "m::tests::b", "m::c"]);
    assert_eq!(module("handler", Path::new("webhook/tests.rs")), "handler::webhook::tests");
    assert_eq!(module("", Path::new("lib.rs")), "");
}

#[test]
fn words_that_are_not_in_the_file_are_found() {
    let a = "It never\nfails. It is safe.\n\n```text\nYou cannot.\n```\n\n`a | b` a | b\n";
    let b = "/// That nothing\n/// is lost.\n";
    let read = |file: &str| (file == "a.md").then(|| a.to_owned());
    let wrong = wrong_quotes(&rows(PAGE), read);
    assert_eq!(wrong, ["b.rs: nothing is lost", "a.md: You cannot."]);
    let wrong = wrong_quotes(&rows(PAGE), |file| Some(if file == "a.md" { a } else { b }.to_owned()));
    assert_eq!(wrong, ["a.md: You cannot."]);
}

#[test]
fn a_promise_without_a_row_is_found() {
    let rows = rows(PAGE);
    let page = "# Never\n\nIt never\nfails. You cannot. Neverland. Loss.\n- Always a\n  bullet. Fine\n\
        1. It is safe. A lost.\n\n| `x` | no impression |\n\n```\nnothing\n```\n";
    let found = without_row(&rows, "a.md", page);
    assert_eq!(found, ["Never", "Always a bullet.", "A lost.", "no impression"]);
    assert_eq!(without_row(&rows, "c.md", "It never fails."), ["It never fails."]);
    assert_eq!(without_row(&rows, "a.md", "It never fails. and cannot."), ["It never fails. and cannot."]);
}

#[test]
fn a_row_without_a_test_or_a_reason_is_found() {
    let open = ["Data: a.md: It is safe.", "Not promises: a.md: You cannot."];
    assert_eq!(unheld(&rows(PAGE)), open);
}
