//! HCL for people to read: values, references between resources, and the layout of `terraform fmt`.
//!
//! Must not know any one resource.

use hcl::expr::{FuncCall, ObjectKey, TemplateExpr, Variable};
use hcl::format::{Format as _, Formatter};
use hcl::structure::{Attribute, BlockBuilder, Structure};
use hcl::{Block, Body, Expression};
use serde_json::Value;

use super::super::{ExportError, Page, Piece};

/// A part of the text, with a line above that says what it is.
pub(super) struct Section {
    pub(super) about: String,
    pub(super) blocks: Vec<Block>,
}

impl Section {
    pub(super) fn new(about: &str, blocks: impl IntoIterator<Item = Block>) -> Self {
        Self { about: about.to_owned(), blocks: blocks.into_iter().collect() }
    }

    pub(super) fn text(self) -> Result<String, ExportError> {
        let body = self.blocks.into_iter().map(quoted_block).collect::<Body>();
        let mut formatter = Formatter::builder().prefer_ident_keys(true).build_vec();
        let text = body.format_string(&mut formatter)?;
        Ok(format!("# {}\n\n{}", self.about, laid_out(&text)))
    }
}

pub(crate) fn resource(kind: &str, name: &str) -> BlockBuilder {
    Block::builder("resource").add_label(kind).add_label(name)
}

/// A block without labels.
pub(crate) fn block<const N: usize>(name: &str, attributes: [(&str, Expression); N]) -> Block {
    Block::builder(name).add_attributes(attributes).build()
}

/// A value with a name, for what would not be readable in its place.
pub(crate) fn local(name: &str, value: Expression) -> Block {
    block("locals", [(name, value)])
}

/// The address of something, such as `var.secret_path`.
pub(crate) fn reference(address: impl Into<String>) -> Expression {
    Variable::unchecked(address.into()).into()
}

pub(crate) fn references<const N: usize>(addresses: [&str; N]) -> Expression {
    addresses.into_iter().map(reference).collect()
}

pub(crate) fn call(function: &str, argument: Expression) -> Expression {
    FuncCall::builder(function).arg(argument).build().into()
}

/// A text that already has references in it; the rest of it must need no escaping.
pub(crate) fn template(text: impl Into<String>) -> Expression {
    TemplateExpr::QuotedString(text.into()).into()
}

impl Page<'_> {
    /// A text, with references in place of the pipeline's own ARNs.
    pub(crate) fn hcl_text(&self, text: &str) -> Expression {
        match self.pieces(text).as_slice() {
            [Piece::Arn(arn)] => reference(arn.terraform),
            pieces if pieces.iter().any(|piece| matches!(piece, Piece::Arn(_))) => {
                let part = |piece: &Piece<'_>| match piece {
                    Piece::Arn(arn) => format!("${{{}}}", arn.terraform),
                    Piece::Text(text) => literal(text),
                };
                template(pieces.iter().map(part).collect::<Vec<_>>().concat())
            }
            _ => text.into(),
        }
    }

    /// A value, with references in place of the pipeline's own ARNs.
    pub(crate) fn hcl_value(&self, value: &Value) -> Expression {
        match value {
            Value::String(text) => self.hcl_text(text),
            Value::Array(list) => list.iter().map(|value| self.hcl_value(value)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.hcl_value(value))).collect()
            }
            Value::Number(number) => match number.as_i64() {
                Some(number) => number.into(),
                None => number.as_f64().unwrap_or_default().into(),
            },
            Value::Bool(value) => (*value).into(),
            Value::Null => Expression::Null,
        }
    }
}

/// A text between HCL's quotes, where it is nothing but text: no reference, no directive, no end.
fn literal(text: &str) -> String {
    let (mut literal, mut before) = (String::with_capacity(text.len()), None);
    for c in text.chars() {
        match (c, before) {
            ('\\' | '"', _) => literal.extend(['\\', c]),
            ('\n', _) => literal.push_str("\\n"),
            ('\r', _) => literal.push_str("\\r"),
            ('\t', _) => literal.push_str("\\t"),
            // The start of a reference or a directive is text where its first character is written twice.
            ('{', Some(marker @ ('$' | '%'))) => literal.extend([marker, c]),
            _ => literal.push(c),
        }
        before = Some(c);
    }
    match literal.strip_suffix('$') {
        // What follows may be a reference, which this would make a text.
        Some(start) => format!("{start}\\u0024"),
        None => literal,
    }
}

/// The same block with every text in it written as a literal: the formatter does not see a reference after a percent sign.
fn quoted_block(block: Block) -> Block {
    let parts = block.body.into_iter().map(|part| match part {
        Structure::Attribute(attribute) => {
            Structure::Attribute(Attribute { expr: quoted(attribute.expr), ..attribute })
        }
        Structure::Block(block) => Structure::Block(quoted_block(block)),
    });
    Block { body: parts.collect(), ..block }
}

fn quoted(expression: Expression) -> Expression {
    match expression {
        Expression::String(text) => template(literal(&text)),
        Expression::Array(list) => list.into_iter().map(quoted).collect(),
        Expression::Object(fields) => Expression::Object(
            fields.into_iter().map(|(key, value)| (quoted_key(key), quoted(value))).collect(),
        ),
        Expression::FuncCall(call) => {
            let args = call.args.into_iter().map(quoted).collect();
            FuncCall { args, ..*call }.into()
        }
        other => other,
    }
}

fn quoted_key(key: ObjectKey) -> ObjectKey {
    match key {
        // A key that is a word stays one.
        ObjectKey::Expression(Expression::String(text)) if !text.contains('{') => {
            Expression::String(text).into()
        }
        ObjectKey::Expression(key) => quoted(key).into(),
        other => other,
    }
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
    let end = first.ends_with('[').then(|| after.iter().position(|line| line.trim() == "]"))??;
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
    let widest = together.iter().map(|(key, _)| width(key)).max().unwrap_or_default();
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
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let block = block("a", [("b", text.into()), ("c", Expression::from_iter([(text, text)]))]);
        Section::new("x", [block]).text().unwrap()
    }

    #[test]
    fn no_text_is_a_reference_or_a_directive() {
        for (text, literal) in [
            ("${a}", r#""$${a}""#),
            ("%{ if a }", r#""%%{ if a }""#),
            ("%${file(\"x\")}", r#""%$${file(\"x\")}""#),
            ("$${a}", r#""$$${a}""#),
            ("%%{a}$", r#""%%%{a}\u0024""#),
            ("a\\\"\n}", r#""a\\\"\n}""#),
        ] {
            assert!(written(text).contains(&format!("b = {literal}\n")), "{}", written(text));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_one_literal(text in "[$%{}\"\\\\a\n ]{0,12}") {
            let body: Body = hcl::parse(&written(&text)).unwrap();
            let block = body.blocks().next().unwrap();
            for attribute in block.body.attributes() {
                // Of a template with a reference or a directive in it, the parser makes more than a text.
                let values = match attribute.expr() {
                    Expression::Object(fields) => fields.values().cloned().collect(),
                    value => vec![value.clone()],
                };
                for value in values {
                    prop_assert!(matches!(value, Expression::String(_)), "{value:?}");
                }
            }
        }
    }

    #[test]
    fn the_layout_is_that_of_terraform_fmt() {
        let text = "a {\n  b = 1\n  \"c = \\\" d\" = \"e = f\"\n  g = {\n    hh = 2\n  }\n  i = [\n    1,\n    2\n  ]\n\n  jj {  }\n}\n";
        let want = "a {\n  b          = 1\n  \"c = \\\" d\" = \"e = f\"\n  g = {\n    hh = 2\n  }\n  i = [1, 2]\n\n  jj {}\n}\n";
        assert_eq!(laid_out(text), want);
        let long = format!("a = [\n  \"{}\",\n  \"b\"\n]\n", "x".repeat(WIDTH));
        assert_eq!(laid_out(&long), long);
    }
}
