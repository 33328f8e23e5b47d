//! What the style of an element does to its text: shown or hidden (CSS 2.2, as far as mail uses it).

use std::collections::HashSet;

use super::element::{Content, Element};

/// The most octets of style sheets that are read.
const SHEET_OCTETS_MAX: usize = 262_144;

/// A colour of text or behind it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Color {
    /// As the reader's: black on white.
    #[default]
    Unset,
    /// Red, green, blue.
    Rgb(u32),
    /// A picture, a name that is not known here.
    Other,
}

/// What a start tag says of its element.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub style: &'a str,
    pub class: &'a str,
    pub background: &'a str,
    pub color: &'a str,
    /// Of a font element.
    pub size: &'a str,
    pub is_hidden: bool,
}

/// What is known of the document's style sheets.
#[derive(Default)]
pub(super) struct Sheets {
    octets: usize,
    hiding: HashSet<String>,
    has_background: bool,
    has_important: bool,
}

impl Sheets {
    /// Reads a sheet. Rules inside of others (`@media`) hold for some readers only, and so for none.
    pub(super) fn add(&mut self, sheet: &str) {
        self.octets += sheet.len();
        if self.octets > SHEET_OCTETS_MAX {
            return;
        }
        let sheet = without_comments(&sheet.to_ascii_lowercase());
        self.has_background |= sheet.contains("background");
        self.has_important |= sheet.contains("!important") || sheet.contains("! important");
        let mut depth = 0_usize;
        let mut selectors = "";
        for piece in sheet.split_inclusive(['{', '}']) {
            let (text, is_open) = match piece.strip_suffix('{') {
                Some(text) => (text, true),
                None => (piece.trim_end_matches('}'), false),
            };
            if is_open {
                selectors = if depth == 0 { text } else { "" };
                depth += 1;
            } else {
                if depth == 1 && Style::of(text).is_hiding() {
                    self.hide(selectors);
                }
                depth = depth.saturating_sub(1);
            }
        }
    }

    fn hide(&mut self, selectors: &str) {
        let classes = selectors.split(',').filter_map(|selector| {
            let class = selector.trim().split_once('.')?.1;
            class
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                .then_some(class)
        });
        self.hiding.extend(classes.map(str::to_owned));
    }

    fn hides(&self, class: &str) -> bool {
        !self.hiding.is_empty()
            && class
                .split_ascii_whitespace()
                .any(|name| self.hiding.contains(name.to_ascii_lowercase().as_str()))
    }
}

/// The element of a start tag.
pub(super) fn element(
    name: &[u8],
    facts: &Facts<'_>,
    parent: &Element,
    sheets: &Sheets,
) -> Element {
    let style = Style::of(facts.style);
    let background = match (style.background, color(facts.background)) {
        (Color::Unset, Color::Unset) => parent.background,
        (Color::Unset, of_attribute) => of_attribute,
        (of_style, _) => of_style,
    };
    let color = match (style.color, color(facts.color)) {
        (Color::Unset, Color::Unset) => parent.color,
        (Color::Unset, of_attribute) => of_attribute,
        (of_style, _) => of_style,
    };
    let content = match name {
        b"style" => Content::Style,
        b"script" | b"head" | b"title" | b"template" => Content::Code,
        _ if parent.content != Content::Shown => parent.content,
        _ => {
            let is_undone = sheets.has_important && !facts.class.is_empty();
            let is_hiding = facts.is_hidden
                || style.is_hiding()
                || (facts.size.starts_with('0') && facts.size.ends_with("px"))
                || sheets.hides(facts.class)
                || (is_unseen(color, background) && !sheets.has_background);
            if is_hiding && !is_undone { Content::Hidden } else { Content::Shown }
        }
    };
    let name = if name.len() <= 10 { name.to_vec() } else { Vec::new() };
    Element { name, content, color, background }
}

/// Whether the text has the colour of what is behind it.
fn is_unseen(color: Color, background: Color) -> bool {
    match (color, background) {
        (Color::Rgb(color), Color::Rgb(background)) => color == background,
        (Color::Rgb(color), Color::Unset) => color == 0x00ff_ffff,
        _ => false,
    }
}

/// The declarations that hide text.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a declaration each; two together may hide")]
struct Style {
    hides: bool,
    is_flat: bool,
    is_clipped: bool,
    is_absolute: bool,
    is_far: bool,
    color: Color,
    background: Color,
}

impl Style {
    /// `text` is in lower case.
    fn of(text: &str) -> Self {
        let mut style = Self::default();
        if text.is_empty() {
            return style;
        }
        let text = if text.contains("/*") { without_comments(text) } else { text.to_owned() };
        for declaration in text.split(';') {
            if let Some((property, value)) = declaration.split_once(':') {
                let value = value.split('!').next().unwrap_or_default().trim();
                style.declare(property.trim(), value);
            }
        }
        style
    }

    fn declare(&mut self, property: &str, value: &str) {
        match property {
            "display" => self.hides |= value == "none",
            "visibility" => self.hides |= matches!(value, "hidden" | "collapse"),
            "font-size" => self.hides |= is_tiny(value),
            "opacity" => self.hides |= number(value).is_some_and(|(opacity, _)| opacity < 0.05),
            "text-indent" => self.hides |= is_far(value),
            "height" | "max-height" | "width" | "max-width" => {
                self.is_flat |= number(value).is_some_and(|(size, _)| size == 0.0);
            }
            "overflow" => self.is_clipped = value == "hidden",
            "position" => self.is_absolute = matches!(value, "absolute" | "fixed"),
            "left" | "top" | "margin-left" | "margin-top" => self.is_far |= is_far(value),
            "color" if value == "transparent" => self.hides = true,
            "color" => self.color = color(value),
            "background" | "background-color" => self.background = color(value),
            _ => {}
        }
    }

    fn is_hiding(&self) -> bool {
        self.hides || (self.is_flat && self.is_clipped) || (self.is_absolute && self.is_far)
    }
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

/// A number and its unit.
fn number(value: &str) -> Option<(f32, &str)> {
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// Too small to be read.
fn is_tiny(value: &str) -> bool {
    number(value).is_some_and(|(size, unit)| match unit {
        "px" | "pt" => size <= 1.0,
        "em" | "rem" => size <= 0.1,
        "%" => size <= 10.0,
        _ => size == 0.0,
    })
}

/// Out of sight.
fn is_far(value: &str) -> bool {
    number(value)
        .is_some_and(|(size, unit)| size <= -500.0 || (unit.ends_with("em") && size <= -50.0))
}

/// The colour of a name or number in lower case.
fn color(value: &str) -> Color {
    let value = value.trim();
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    match value {
        "" | "inherit" | "initial" | "none" | "transparent" => return Color::Unset,
        "white" => return Color::Rgb(0x00ff_ffff),
        "black" => return Color::Rgb(0),
        _ => {}
    }
    if let Some(digits) = value.strip_prefix('#').or_else(|| (value.len() == 6).then_some(value))
        && let Some(number) = hex(digits)
    {
        return match digits.len() {
            6 => Color::Rgb(number),
            3 => {
                let nibbles = [number >> 8 & 0xf, number >> 4 & 0xf, number & 0xf];
                Color::Rgb(nibbles.iter().fold(0, |sum, nibble| (sum << 8) | (nibble * 0x11)))
            }
            _ => Color::Other,
        };
    }
    let parts = value.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    let numbers: Option<Vec<u32>> = parts
        .map(|parts| parts.split(',').map(|part| part.trim().parse().unwrap_or(256)).collect());
    match numbers.as_deref() {
        Some([red @ ..=255, green @ ..=255, blue @ ..=255]) => {
            Color::Rgb(red << 16 | green << 8 | blue)
        }
        _ => Color::Other,
    }
}
