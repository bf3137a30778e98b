//! Makes other people's text (a spec, tags, AWS's messages, log lines) harmless before it is shown or written.
//!
//! Defines which characters deceive a reader, and how each format escapes them. Pure: text in, text out. Must not know secrets:
//! `ui` masks those.

use std::error::Error;

/// Tells whether a character is obeyed by a terminal, ends a line, turns the direction of text, or cannot be seen.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, fillers, the Mongolian separator, zero-width spaces and joiners, directional marks.
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            // Line and paragraph separator, directional embeddings, overrides and isolates, invisible operators.
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            // The byte order mark, interlinear annotations, tags.
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

pub fn check_visible(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_deceptive(*c)) {
        Some(c) => Err(format!(
            "must not contain line breaks, control characters or invisible characters, such as {}",
            c.escape_default()
        )),
        None => Ok(()),
    }
}

/// Spells out every character that deceives, line breaks too: the text stays on its line.
pub fn line(text: &str) -> String {
    spelled_out(text, is_deceptive)
}

/// Spells out every character that deceives but line breaks, and indents every line but the first: no line of the text
/// starts where this program's own lines start.
pub fn block(text: &str, indent: usize) -> String {
    let lines: Vec<_> = text.split('\n').map(line).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// Quotes the output of another program: every line is marked as such, and what deceives in it is spelled out.
pub fn quote(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|text| format!("| {}", line(text))).collect();
    lines.join("\n")
}

/// Spells out what deceives in a text for a terminal, but for line breaks and the colours and weights that it has.
pub fn styled(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c != '\n' && is_deceptive(c)) {
        harmless.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = style_length(rest);
        if let (0, Some(c)) = (taken, rest.chars().next()) {
            harmless.extend(c.escape_default());
            rest = &rest[c.len_utf8()..];
        } else {
            harmless.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    harmless + rest
}

/// How long the sequence is that sets colours and weights at the start of a text; zero if there is none.
fn style_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        Some(end) if parameters[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

/// Spells out what deceives in a text of JSON, as JSON does: the value stays the same.
pub fn json(text: &str) -> String {
    let mut units = [0; 2];
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        // JSON has such characters in strings alone, but for the line breaks between its parts.
        if c == '\n' || !is_deceptive(c) {
            harmless.push(c);
        } else {
            let units = c.encode_utf16(&mut units).iter();
            harmless.extend(units.map(|unit| format!("\\u{unit:04x}")));
        }
    }
    harmless
}

/// Spells out what deceives in a text of HCL, as HCL does in quoted strings: the value stays the same.
pub fn hcl(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c) {
            _ if c == '\n' || !is_deceptive(c) => harmless.push(c),
            code @ 0..=0xffff => harmless.extend([format!("\\u{code:04x}")]),
            code => harmless.extend([format!("\\U{code:08x}")]),
        }
    }
    harmless
}

/// One word of a command line for a POSIX shell, to be pasted: the shell hands on exactly this text.
pub fn shell_word(text: &str) -> String {
    if text.chars().any(is_deceptive) {
        // Dollar-single-quotes (POSIX.1-2024) keep visible what the word has.
        let mut word = String::from("$'");
        for c in text.chars() {
            match c {
                // In octal digits as well: a shell without this quoting then runs nothing of the text.
                _ if is_deceptive(c) || matches!(c, '\'' | '\\') => {
                    let mut bytes = [0; 4];
                    // Three octal digits: a digit that follows belongs to the text.
                    word.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:03o}")));
                }
                _ => word.push(c),
            }
        }
        return word + "'";
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // Only a NUL cannot be quoted, and that is spelled out above.
    shlex::try_quote(text).map_or_else(|_| String::from("''"), std::borrow::Cow::into_owned)
}

fn spelled_out(text: &str, is_meant: impl Fn(char) -> bool) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_meant(c) {
            visible.extend(c.escape_default());
        } else {
            visible.push(c);
        }
    }
    visible
}

/// An error and everything that caused it, without saying anything twice.
pub fn whole_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A cause is not worded here, so it stays on the line that says what it caused.
        let part = line(&error.to_string());
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
