//! The open elements of an HTML document, as far as text needs them (WHATWG HTML §13.2).

use super::style::Color;

/// The deepest nesting that is told apart; what is deeper is as its parent.
const DEPTH_MAX: usize = 200;

/// What an element does with the text in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    Shown,
    /// Text that the markup hides.
    Hidden,
    /// No text: scripts, the head.
    Code,
    Style,
}

/// An open element.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// At most 10 octets of the name: no longer one is known here.
    pub name: Vec<u8>,
    pub content: Content,
    pub color: Color,
    pub background: Color,
}

impl Element {
    pub(super) fn is_shown(&self) -> bool {
        self.content == Content::Shown
    }

    pub(super) fn is_code(&self) -> bool {
        self.content == Content::Code
    }

    pub(super) fn is_style(&self) -> bool {
        self.content == Content::Style
    }
}

/// The elements that are open, outermost first.
pub(super) struct Open {
    elements: Vec<Element>,
    /// What text outside of all elements is in.
    root: Element,
    /// How many more are open than are told apart.
    deeper: usize,
}

impl Default for Open {
    fn default() -> Self {
        let root = Element {
            name: Vec::new(),
            content: Content::Shown,
            color: Color::Unset,
            background: Color::Unset,
        };
        Self { elements: Vec::new(), root, deeper: 0 }
    }
}

impl Open {
    pub(super) fn last(&self) -> &Element {
        self.elements.last().unwrap_or(&self.root)
    }

    pub(super) fn push(&mut self, element: Element) {
        if self.elements.len() < DEPTH_MAX {
            self.elements.push(element);
        } else {
            self.deeper += 1;
        }
    }

    /// Ends the innermost element of that name and all in it; an end tag of none does nothing.
    pub(super) fn close(&mut self, name: &[u8]) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(index) = self.elements.iter().rposition(|open| open.name == name) {
            self.elements.truncate(index);
        }
    }

    /// Ends what the start of an element ends: a paragraph ends at the next one.
    pub(super) fn close_for(&mut self, name: &[u8]) {
        if name == b"body" {
            self.close(b"head");
        }
        let ended: &[&[u8]] = match name {
            b"li" => &[b"li", b"p"],
            b"td" | b"th" => &[b"td", b"th", b"p"],
            b"tr" => &[b"tr", b"td", b"th", b"p"],
            b"dd" | b"dt" => &[b"dd", b"dt", b"p"],
            b"option" => &[b"option"],
            _ if breaks_line(name) && name != b"br" => &[b"p"],
            _ => return,
        };
        let is_barrier = |open: &Element| {
            matches!(open.name.as_slice(), b"table" | b"ul" | b"ol" | b"dl" | b"button")
        };
        let from = self.elements.iter().rposition(is_barrier).map_or(0, |barrier| barrier + 1);
        let inside = &self.elements[from.min(self.elements.len())..];
        if let Some(first) = inside.iter().position(|open| ended.contains(&open.name.as_slice())) {
            // A paragraph that a cell stands around ends, and not the cell.
            let is_cell = matches!(inside[first].name.as_slice(), b"td" | b"th" | b"tr" | b"li");
            if is_cell || ended == [b"p".as_slice()] || ended.len() > 1 {
                self.elements.truncate(from + first);
                self.deeper = 0;
            }
        }
    }
}

/// Whether the element begins a line.
pub(super) fn breaks_line(name: &[u8]) -> bool {
    matches!(
        name,
        b"address"
            | b"article"
            | b"aside"
            | b"blockquote"
            | b"body"
            | b"br"
            | b"center"
            | b"dd"
            | b"div"
            | b"dl"
            | b"dt"
            | b"fieldset"
            | b"footer"
            | b"form"
            | b"h1"
            | b"h2"
            | b"h3"
            | b"h4"
            | b"h5"
            | b"h6"
            | b"header"
            | b"hr"
            | b"li"
            | b"main"
            | b"nav"
            | b"ol"
            | b"option"
            | b"p"
            | b"pre"
            | b"section"
            | b"table"
            | b"tr"
            | b"ul"
    )
}

/// Whether the element has no content.
pub(super) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

/// Whether a slash at the tag's end ends the element: in SVG and `MathML` alone.
pub(super) fn is_foreign(name: &[u8]) -> bool {
    matches!(name, b"svg" | b"math" | b"path" | b"rect" | b"circle" | b"g" | b"use")
}
