//! `docs/promises.md`, held to the docs and to the tests: every promise has a row, every row has tests, every test exists.
//!
//! A sentence promises if it contains one of [`WORDS`], as whole words in any case. A bullet point, a heading and a cell of a
//! table are sentences too; a block of code is not. [`SWEPT`] are the pages in which each such sentence must be quoted by a row,
//! or be listed under [`NOT_PROMISES`] with the reason.
//!
//! The defences in SECURITY.md name their tests themselves: their rows count as rows of `docs/promises.md`.
//!
//! Test names are read from the sources: a function after `#[test]` or `#[tokio::test]`, also within `proptest!`, in the module
//! that follows from its file and the inline modules around it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::support::command::root;

mod samples;

/// The words and phrases that make a sentence a promise.
const WORDS: [&str; 13] = [
    "always",
    "cannot",
    "every impression",
    "guarantee",
    "guarantees",
    "is safe",
    "lose",
    "loses",
    "lost",
    "never",
    "no impression",
    "nothing",
    "refuses",
];

/// The pages that are searched for promises without a row.
const SWEPT: [&str; 3] = ["README.md", "SECURITY.md", "docs/how-it-works.md"];

/// The sections of `docs/promises.md` whose rows need a reason in place of tests.
const ARGUED: &str = "Argued, not tested";
const NOT_PROMISES: &str = "Not promises";

/// The page whose section of that name has tables of defences, each with its tests in the last cell.
const SECURITY: &str = "SECURITY.md";
const DEFENCES: &str = "Attackers and defences";

/// The directories with tests, each with what their names start with.
const SOURCES: [(&str, &str); 3] = [("tests/it", "it"), ("src", ""), ("handler/src", "handler")];

/// Words as they stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quote {
    file: String,
    words: String,
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.words)
    }
}

/// A row of a table in `docs/promises.md`.
#[derive(Clone, Debug)]
struct Row {
    section: String,
    quotes: Vec<Quote>,
    /// The last cell: tests, or a reason.
    held_by: String,
}

impl Row {
    /// The names of tests in the last cell.
    fn tests(&self) -> impl Iterator<Item = &str> {
        let code = self.held_by.split('`').skip(1).step_by(2);
        code.filter(|name| name.contains("::"))
    }

    fn needs_tests(&self) -> bool {
        self.section != ARGUED && self.section != NOT_PROMISES
    }
}

/// The rows of all tables.
fn rows(page: &str) -> Vec<Row> {
    let (mut rows, mut section) = (Vec::new(), String::new());
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.trim().clone_into(&mut section);
        }
        let cells = cells(line);
        if let [.., said, held_by] = cells.as_slice()
            && said.contains('“')
        {
            rows.push(Row { section: section.clone(), quotes: quotes(said), held_by: held_by.clone() });
        }
    }
    rows
}

/// The rows of the tables of defences: an attack, what stands against it, and the tests that show it.
fn defences(page: &str) -> Vec<Row> {
    let section = page.split(&format!("\n## {DEFENCES}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().map(cells).filter(|cells| cells.len() == 3);
    let rows = rows.filter(|cells| !cells[0].starts_with("can") && !cells[0].starts_with("---"));
    let quote = |words: &String| Quote { file: SECURITY.to_owned(), words: words.clone() };
    let row = |cells: Vec<String>| Row {
        section: DEFENCES.to_owned(),
        // The names of tests are words of the page as well.
        quotes: cells.iter().map(quote).collect(),
        held_by: cells[2].clone(),
    };
    rows.map(row).collect()
}

/// The cells of a line of a table; none if it is no such line.
fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.trim().strip_prefix('|').and_then(|it| it.strip_suffix('|')) else {
        return Vec::new();
    };
    let inner = inner.replace("\\|", "\u{0}");
    let cells = inner.split('|').map(|cell| spaced(&cell.replace('\u{0}', "|")));
    cells.collect()
}

/// The quotes of a cell: a file in backticks, and then what stands in it, in quotation marks.
fn quotes(cell: &str) -> Vec<Quote> {
    let (mut quotes, mut file) = (Vec::new(), "");
    for part in cell.split('”') {
        let Some((before, words)) = part.split_once('“') else {
            continue;
        };
        file = before.split('`').nth(1).unwrap_or(file);
        quotes.push(Quote { file: file.to_owned(), words: words.to_owned() });
    }
    quotes
}

/// A text with single spaces.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines of a page that are not in a block of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What a file says, on one line: a page without its code, a source without what makes comments and long texts of it.
fn said(file: &str, text: &str) -> String {
    if Path::new(file).extension() != Some("rs".as_ref()) {
        return spaced(&prose(text).collect::<Vec<_>>().join(" "));
    }
    let lines = text.lines().map(|line| {
        let line = line.trim();
        let line = line.trim_start_matches('/').trim_start_matches('!');
        line.strip_suffix('\\').unwrap_or(line)
    });
    spaced(&lines.collect::<Vec<_>>().join(" "))
}

/// The sentences of a page.
fn sentences(page: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), String::new());
    for line in prose(page).map(str::trim) {
        let cells = cells(line);
        let item = line.strip_prefix("- ").or_else(|| numbered(line));
        if line.is_empty() || line.starts_with('#') || !cells.is_empty() || item.is_some() {
            blocks.push(std::mem::take(&mut block));
        }
        if cells.is_empty() {
            block += " ";
            block += item.unwrap_or(line).trim_start_matches('#');
        } else {
            blocks.extend(cells);
        }
    }
    blocks.push(block);
    blocks.iter().flat_map(|block| split_sentences(block)).collect()
}

/// The text of a numbered item.
fn numbered(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
}

fn split_sentences(block: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut words = block.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let sentence = sentences.last_mut().unwrap();
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        let bare = word.trim_end_matches(['*', ')', '"']);
        let goes_on = words.peek().is_some_and(|next| next.starts_with(char::is_lowercase));
        if bare.ends_with(['.', '!', '?']) && !goes_on {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// Whether a sentence has one of [`WORDS`].
fn promises(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let words: Vec<_> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    let words = format!(" {} ", spaced(&words.join(" ")));
    WORDS.iter().any(|word| words.contains(&format!(" {word} ")))
}

/// The named tests that do not exist.
fn unknown_tests(rows: &[Row], tests: &BTreeSet<String>) -> Vec<String> {
    let named = rows.iter().flat_map(Row::tests);
    named.filter(|name| !tests.contains(*name)).map(str::to_owned).collect()
}

/// The quotes that are not in their files.
fn wrong_quotes(rows: &[Row], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let quotes = rows.iter().flat_map(|row| &row.quotes);
    let wrong = quotes.filter(|quote| {
        let text = read(&quote.file).map(|text| said(&quote.file, &text));
        quote.words.is_empty() || !text.is_some_and(|text| text.contains(&quote.words))
    });
    wrong.map(Quote::to_string).collect()
}

/// The sentences of a page with a promise outside of what rows quote.
fn without_row(rows: &[Row], file: &str, page: &str) -> Vec<String> {
    let quotes = rows.iter().flat_map(|row| &row.quotes);
    let quotes: Vec<_> = quotes.filter(|quote| quote.file == file).collect();
    let is_open = |sentence: &String| {
        let is_quoted = quotes.iter().any(|quote| quote.words.contains(sentence));
        let rest = quotes.iter().fold(sentence.clone(), |rest, quote| rest.replace(&quote.words, " … "));
        !is_quoted && promises(&rest)
    };
    sentences(page).into_iter().filter(is_open).collect()
}

/// The rows without a test, or without a reason where that is enough.
fn unheld(rows: &[Row]) -> Vec<String> {
    let unheld = rows
        .iter()
        .filter(|row| if row.needs_tests() { row.tests().next().is_none() } else { row.held_by.is_empty() });
    unheld.map(|row| format!("{}: {}", row.section, row.quotes[0])).collect()
}

/// The tests of a source file, given its module.
fn tests_in(module: &str, text: &str) -> Vec<String> {
    let (mut tests, mut is_test) = (Vec::new(), false);
    let mut modules: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if code == "}" && modules.last().is_some_and(|(opened, _)| *opened == indent) {
            modules.pop();
        } else if let Some(name) = code.strip_prefix("mod ").and_then(|it| it.strip_suffix(" {")) {
            modules.push((indent, name));
        } else if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(code).filter(|_| std::mem::take(&mut is_test)) {
            let names = modules.iter().map(|(_, name)| *name).chain([name]);
            let path = std::iter::once(module).filter(|it| !it.is_empty()).chain(names);
            tests.push(path.collect::<Vec<_>>().join("::"));
        }
    }
    tests
}

/// The name of a function whose first line this is.
fn function(code: &str) -> Option<&str> {
    let code = code.strip_prefix("async ").unwrap_or(code);
    code.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The module of a source file below one of [`SOURCES`].
fn module(prefix: &str, below: &Path) -> String {
    let path = below.with_extension("");
    let parts = path.iter().map(|part| part.to_str().unwrap());
    let parts = parts.filter(|part| !["main", "lib", "mod"].contains(part));
    let all = std::iter::once(prefix).filter(|it| !it.is_empty()).chain(parts);
    all.collect::<Vec<_>>().join("::")
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    let mut files: Vec<_> = paths.flat_map(of).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files
}

/// Every test that there is.
fn all_tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (directory, prefix) in SOURCES {
        let directory = root().join(directory);
        for path in sources(&directory) {
            let module = module(prefix, path.strip_prefix(&directory).unwrap());
            tests.extend(tests_in(&module, &std::fs::read_to_string(&path).unwrap()));
        }
    }
    tests
}

fn page(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn promised() -> Vec<Row> {
    let (promises, defences) = (rows(&page("docs/promises.md")), defences(&page(SECURITY)));
    assert!(promises.len() > 20 && defences.len() > 20, "{}", promises.len());
    [promises, defences].concat()
}

#[track_caller]
fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_test_that_a_row_names_exists() {
    let tests = all_tests();
    assert!(tests.len() > 200, "{}", tests.len());
    none(&unknown_tests(&promised(), &tests), "docs/promises.md names tests that do not exist");
}

#[test]
fn every_quote_is_in_its_file() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).ok();
    none(&wrong_quotes(&promised(), read), "docs/promises.md quotes what is not there");
}

#[test]
fn every_promise_of_the_docs_has_a_row() {
    let rows = promised();
    for file in SWEPT {
        let found = without_row(&rows, file, &page(file));
        none(&found, &format!("{file} promises what docs/promises.md does not have"));
    }
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    none(&unheld(&promised()), "rows of docs/promises.md without a test or a reason");
}
