//! HCL for people to read: values, references between resources, and the layout of `terraform fmt`.
//!
//! Must not know any one resource.

use hcl::expr::{FuncCall, TemplateExpr, Variable};
use hcl::format::{Format as _, Formatter};
use hcl::structure::BlockBuilder;
use hcl::template::Template;
use hcl::{Block, Body, Expression};
use serde_json::Value;

use super::super::{ExportError, Piece, Pipeline};
use super::address;

/// A part of the text, with a line above that says what it is.
pub(super) struct Section {
    /// What it is.
    pub(super) about: String,
    /// What it is made of.
    pub(super) blocks: Vec<Block>,
}

impl Section {
    pub(super) fn new(about: &str, blocks: impl IntoIterator<Item = Block>) -> Self {
        Self {
            about: about.to_owned(),
            blocks: blocks.into_iter().collect(),
        }
    }

    /// The section as text.
    pub(super) fn text(self) -> Result<String, ExportError> {
        let body = Body::from_iter(self.blocks);
        let mut formatter = Formatter::builder().prefer_ident_keys(true).build_vec();
        let text = body.format_string(&mut formatter)?;
        Ok(format!("# {}\n\n{}", self.about, laid_out(&text)))
    }
}

/// A resource, to be filled in.
pub(super) fn resource(kind: &str, name: &str) -> BlockBuilder {
    Block::builder("resource").add_label(kind).add_label(name)
}

/// A block without labels.
pub(super) fn block<const N: usize>(name: &str, attributes: [(&str, Expression); N]) -> Block {
    Block::builder(name).add_attributes(attributes).build()
}

/// A value with a name, for what would not be readable in its place.
pub(super) fn local(name: &str, value: Expression) -> Block {
    block("locals", [(name, value)])
}

/// The address of something, such as `var.secret_path`.
pub(super) fn reference(address: impl Into<String>) -> Expression {
    Variable::unchecked(address.into()).into()
}

/// A list of addresses.
pub(super) fn references<const N: usize>(addresses: [&str; N]) -> Expression {
    addresses.into_iter().map(reference).collect()
}

/// The call of a function with one argument.
pub(super) fn call(function: &str, argument: Expression) -> Expression {
    FuncCall::builder(function).arg(argument).build().into()
}

/// A text that already has references in it; the rest of it must need no escaping.
pub(super) fn template(text: impl Into<String>) -> Expression {
    TemplateExpr::QuotedString(text.into()).into()
}

impl Pipeline<'_> {
    /// A text, with references in place of the pipeline's own ARNs.
    pub(super) fn hcl_text(&self, text: &str) -> Expression {
        match self.pieces(text).as_slice() {
            [Piece::Arn(referent, _)] => reference(address(self, *referent)),
            pieces if pieces.iter().any(|piece| matches!(piece, Piece::Arn(..))) => {
                let template = pieces
                    .iter()
                    .fold(Template::new(), |template, piece| match piece {
                        Piece::Arn(referent, _) => {
                            template.add_interpolation(reference(address(self, *referent)))
                        }
                        Piece::Text(text) => template.add_literal(escaped(text)),
                    });
                self::template(template.to_string())
            }
            _ => text.into(),
        }
    }

    /// A value, with references in place of the pipeline's own ARNs.
    pub(super) fn hcl_value(&self, value: &Value) -> Expression {
        match value {
            Value::String(text) => self.hcl_text(text),
            Value::Array(list) => list.iter().map(|value| self.hcl_value(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), self.hcl_value(value)))
                .collect(),
            Value::Number(number) => match number.as_i64() {
                Some(number) => number.into(),
                None => number.as_f64().unwrap_or_default().into(),
            },
            Value::Bool(value) => (*value).into(),
            Value::Null => Expression::Null,
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The widest line that a short list is written into.
const WIDTH: usize = 100;

/// Lays a text out as `terraform fmt` does, with short lists on one line.
fn laid_out(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (mut joined, mut rest) = (Vec::new(), lines.as_slice());
    while let Some((line, after)) = rest.split_first() {
        let list = short_list(line, after);
        rest = &after[list.as_ref().map_or(0, |(_, taken)| *taken)..];
        joined.push(list.map_or_else(|| without_gap(line), |(line, _)| line));
    }
    aligned(&joined)
}

/// A list that fits on one line, and how many lines it took after its first.
fn short_list(first: &str, after: &[&str]) -> Option<(String, usize)> {
    let end = first
        .ends_with('[')
        .then(|| after.iter().position(|line| line.trim() == "]"))??;
    let elements: Vec<_> = after[..end].iter().map(|line| line.trim()).collect();
    let plain = elements.iter().all(|element| !element.ends_with(['{', '[', '}']));
    let line = format!("{first}{}]", elements.join(" "));
    (plain && line.len() <= WIDTH).then_some((line, end + 1))
}

/// A line, with nothing between the braces of an empty block.
fn without_gap(line: &str) -> String {
    let opened = line.strip_suffix('}').map(str::trim_end);
    opened
        .filter(|opened| opened.ends_with('{'))
        .map_or_else(|| line.to_owned(), |opened| format!("{opened}}}"))
}

/// Aligns the equals signs of lines that follow each other.
fn aligned(lines: &[String]) -> String {
    let mut text = String::new();
    let mut together: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        if let Some(parts) = assignment(line) {
            together.push(parts);
        } else {
            write_aligned(&mut text, &mut together);
            text += line;
            text.push('\n');
        }
    }
    write_aligned(&mut text, &mut together);
    text
}

fn write_aligned(lines: &mut String, together: &mut Vec<(&str, &str)>) {
    let width = |key: &str| key.chars().count();
    let widest = together
        .iter()
        .map(|(key, _)| width(key))
        .max()
        .unwrap_or_default();
    for (key, value) in together.drain(..) {
        *lines += key;
        lines.extend(std::iter::repeat_n(' ', widest - width(key)));
        *lines += " = ";
        *lines += value;
        lines.push('\n');
    }
}

/// The two sides of a line that is an assignment as a whole.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let indent = line.len() - line.trim_start().len();
    let key_end = match line[indent..].strip_prefix('"') {
        // A quoted key may have an equals sign in it.
        Some(quoted) => indent + 1 + closing_quote(quoted)? + 1,
        None => indent + line[indent..].find(' ')?,
    };
    let value = line[key_end..].strip_prefix(" = ")?;
    (!value.ends_with(['{', '[', '('])).then_some((&line[..key_end], value))
}

/// Where the quote is that ends a quoted text.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_terraform_fmt() {
        let text = "a {\n  b = 1\n  \"c = \\\" d\" = \"e = f\"\n  g = {\n    hh = 2\n  }\n  i = [\n    1,\n    2\n  ]\n\n  jj {  }\n}\n";
        let want = "a {\n  b          = 1\n  \"c = \\\" d\" = \"e = f\"\n  g = {\n    hh = 2\n  }\n  i = [1, 2]\n\n  jj {}\n}\n";
        assert_eq!(laid_out(text), want);
        let long = format!("a = [\n  \"{}\",\n  \"b\"\n]\n", "x".repeat(WIDTH));
        assert_eq!(laid_out(&long), long);
    }
}
