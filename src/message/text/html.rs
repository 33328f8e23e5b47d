//! HTML as the text that a reader sees, and apart from it what the markup hides (WHATWG HTML).
//!
//! `html5gum` reads the tags as browsers do. Of the style sheets only this is known: what is hidden by
//! the style of an element or by the one class of a rule. Where a sheet could undo that
//! (`!important`), the element counts as shown.

use std::collections::HashSet;
use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::LINKS_MAX;

mod element;
mod style;

use element::Open;
use style::Sheets;

/// What an HTML document shows.
#[derive(Debug, Default)]
pub(crate) struct Html {
    /// What a reader sees, white space put together, a line a block.
    pub text: String,
    /// What the markup hides.
    pub hidden: String,
    /// The links: where they lead, and where their text stands in `text`.
    pub anchors: Vec<Anchor>,
    /// What relative links are relative to.
    pub base: Option<String>,
    /// Whether there are more links than are kept.
    pub is_over: bool,
}

/// One link.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// Where it leads, as written.
    pub target: String,
    /// Where its text begins.
    pub start: usize,
    /// Where its text ends.
    pub end: usize,
}

/// The longest target of a link that is kept, in characters.
const TARGET_CHARS_MAX: usize = 2_048;

/// Reads a document.
pub(crate) fn read(html: &str) -> Html {
    let mut reader = Reader::default();
    let on_event = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        reader.take(&event);
        None
    };
    let mut emitter = CallbackEmitter::new(on_event);
    emitter.naively_switch_states(true);
    // A text in memory is read without fault.
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    reader.end_anchor();
    reader.out
}

/// What is known up to some place in the document.
#[derive(Default)]
struct Reader {
    out: Html,
    open: Open,
    tag: Tag,
    attribute: Vec<u8>,
    sheets: Sheets,
    has_anchor: bool,
}

/// A start tag on its way.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    style: String,
    class: String,
    target: Option<String>,
    alt: String,
    background: String,
    color: String,
    size: String,
    is_hidden: bool,
    seen: HashSet<Vec<u8>>,
}

impl Reader {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Tag { name: name.to_vec(), ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => self.name_attribute(name),
            CallbackEvent::AttributeValue { value } => self.tag.set(&self.attribute, value),
            CallbackEvent::CloseStartTag { self_closing } => self.start(*self_closing),
            CallbackEvent::EndTag { name } => self.end(name),
            CallbackEvent::String { value } => self.text(value),
            CallbackEvent::Comment { .. }
            | CallbackEvent::Doctype { .. }
            | CallbackEvent::Error(_) => {}
        }
    }

    /// Of two attributes of one name the first counts.
    fn name_attribute(&mut self, name: &[u8]) {
        self.attribute.clear();
        let is_known = matches!(
            name,
            b"style"
                | b"class"
                | b"href"
                | b"action"
                | b"formaction"
                | b"alt"
                | b"bgcolor"
                | b"background"
                | b"color"
                | b"text"
                | b"size"
                | b"hidden"
        );
        if is_known && self.tag.seen.insert(name.to_vec()) {
            self.attribute.extend_from_slice(name);
            self.tag.is_hidden |= name == b"hidden";
        }
    }

    fn start(&mut self, self_closing: bool) {
        let tag = std::mem::take(&mut self.tag);
        self.open.close_for(&tag.name);
        if element::breaks_line(&tag.name) {
            self.break_text('\n');
        } else if matches!(tag.name.as_slice(), b"td" | b"th") {
            self.break_text(' ');
        }
        let parent = self.open.last();
        let element = style::element(&tag.name, &tag.facts(), parent, &self.sheets);
        if element.is_shown() {
            self.start_link(&tag);
        }
        if tag.name == b"img" && !tag.alt.is_empty() && element.is_shown() {
            self.text(tag.alt.as_bytes());
        }
        let is_closed = self_closing && element::is_foreign(&tag.name);
        if !element::is_void(&tag.name) && !is_closed {
            self.open.push(element);
        }
    }

    fn start_link(&mut self, tag: &Tag) {
        let Some(target) = &tag.target else { return };
        match tag.name.as_slice() {
            b"base" => {
                self.out.base.get_or_insert_with(|| target.clone());
            }
            b"a" | b"area" | b"form" | b"button" | b"input" => {
                self.end_anchor();
                if self.out.anchors.len() >= LINKS_MAX {
                    self.out.is_over = true;
                    return;
                }
                let at = self.out.text.len();
                self.out.anchors.push(Anchor { target: target.clone(), start: at, end: at });
                self.has_anchor = tag.name == b"a";
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        if name == b"a" {
            self.end_anchor();
        }
        if element::breaks_line(name) {
            self.break_text('\n');
        }
        self.open.close(name);
    }

    fn end_anchor(&mut self) {
        let end = self.out.text.len();
        if let Some(anchor) = self.out.anchors.last_mut().filter(|_| self.has_anchor) {
            anchor.end = end;
        }
        self.has_anchor = false;
    }

    fn break_text(&mut self, with: char) {
        let out =
            if self.open.last().is_shown() { &mut self.out.text } else { &mut self.out.hidden };
        if out.ends_with(' ') {
            out.pop();
        }
        if !out.is_empty() && !out.ends_with('\n') {
            out.push(with);
        }
    }

    fn text(&mut self, value: &[u8]) {
        let element = self.open.last();
        if element.is_style() {
            return self.sheets.add(&String::from_utf8_lossy(value));
        }
        if element.is_code() {
            return;
        }
        let out = if element.is_shown() { &mut self.out.text } else { &mut self.out.hidden };
        push_spaced(&String::from_utf8_lossy(value), out);
    }
}

/// Adds text, with white space put together to one space.
fn push_spaced(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let is_space = |octet: u8| octet.is_ascii_whitespace();
        let end = rest.bytes().position(is_space).unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = &rest[end..];
        let space = rest.bytes().take_while(|octet| is_space(*octet)).count();
        if space > 0 && !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
        rest = &rest[space..];
    }
}

impl Tag {
    fn set(&mut self, attribute: &[u8], value: &[u8]) {
        let value = String::from_utf8_lossy(value);
        match attribute {
            b"style" => self.style = value.to_ascii_lowercase(),
            b"class" => self.class = value.into_owned(),
            b"href" | b"action" | b"formaction" => {
                let target = value.trim().chars().take(TARGET_CHARS_MAX).collect();
                self.target.get_or_insert(target);
            }
            b"alt" => self.alt = value.into_owned(),
            b"bgcolor" => self.background = value.to_ascii_lowercase(),
            b"background" if !value.trim().is_empty() => "url".clone_into(&mut self.background),
            b"color" | b"text" => self.color = value.to_ascii_lowercase(),
            b"size" => self.size = value.into_owned(),
            _ => {}
        }
    }

    fn facts(&self) -> style::Facts<'_> {
        style::Facts {
            style: &self.style,
            class: &self.class,
            background: &self.background,
            color: &self.color,
            size: if self.name == b"font" { &self.size } else { "" },
            is_hidden: self.is_hidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        read(html).text.trim().to_owned()
    }

    #[test]
    fn a_reader_sees_the_text() {
        for (html, seen) in [
            ("<p>one</p><p>two<br>three", "one\ntwo\nthree"),
            ("vi<b></b>ag<!-- x -->ra", "viagra"),
            ("a&amp;b &#118;&#x69;agra &eacute;", "a&b viagra é"),
            ("<table><tr><td>a<td>b<tr><td>c", "a b\nc"),
            ("<head><title>t</title><style>p{}</style></head>x<script>y()</script>z", "xz"),
            ("<img alt='picture'> text", "picture text"),
            ("  a \r\n\t b  ", "a b"),
            ("no markup at all < 3", "no markup at all < 3"),
            ("<noscript>seen</noscript>", "seen"),
            ("<!DOCTYPE html><html><body>x</body></html>", "x"),
        ] {
            assert_eq!(text(html), seen, "{html}");
        }
    }

    #[test]
    fn what_is_hidden_is_apart() {
        for hiding in [
            "style='display:none'",
            "style=\"DISPLAY : NONE !important\"",
            "hidden",
            "style='visibility:hidden'",
            "style='font-size:0'",
            "style='font-size:0.0px;color:red'",
            "style='font-size:1px'",
            "style='opacity:0'",
            "style='max-height:0;overflow:hidden'",
            "style='color:#fff'",
            "style='color:transparent'",
            "style='text-indent:-9999px'",
            "style='background:#000;color:black'",
            "style='position:absolute;left:-1000px'",
            "style='display:/**/none'",
        ] {
            let html = format!("vi<span {hiding}>xx</span>agra");
            let Html { text, hidden, .. } = read(&html);
            assert_eq!((text.as_str(), hidden.as_str()), ("viagra", "xx"), "{hiding}");
        }
        let html = "<style>.x, .y { color: red; display: none }</style>vi<i class='a y'>xx</i>agra";
        assert_eq!(text(html), "viagra");
        assert_eq!(text("<p style='display:none'>a<p>b"), "b");
        assert_eq!(text("<font color=white>a</font><font size=0>b</font>"), "b");
    }

    #[test]
    fn what_may_be_seen_is_shown() {
        for shown in [
            "<span style='color:#fff;background:#000'>x</span>",
            "<td bgcolor='#003366'><font color='white'>x</font></td>",
            "<style>.m{display:block!important}</style><p class=m style='display:none'>x</p>",
            "<style>.b{background:navy}</style><p class=b><span style='color:white'>x</span></p>",
            "<p style='font-size:12px;display:block;opacity:1;height:0'>x</p>",
            "<br style='display:none'>x",
            "<input hidden>x",
        ] {
            assert_eq!(text(shown), "x", "{shown}");
        }
    }

    #[test]
    fn links_have_their_text() {
        let html = read("see <a href=' https://a.example/x '>our <b>page</b></a> <area href='/y'>");
        let links: Vec<(&str, &str)> =
            html.anchors.iter().map(|a| (a.target.as_str(), &html.text[a.start..a.end])).collect();
        assert_eq!(links, [("https://a.example/x", "our page"), ("/y", "")]);
    }

    #[test]
    fn nesting_without_end_is_linear() {
        let deep =
            "<div style='color:red'>".repeat(100_000) + "x" + &"</p></b></div>".repeat(100_000);
        assert_eq!(text(&deep), "x");
        let attributes = (0..100_000).map(|n| format!("a{n}=b ")).collect::<Vec<_>>().concat();
        assert_eq!(text(&format!("<p {attributes}>x")), "x");
    }
}
