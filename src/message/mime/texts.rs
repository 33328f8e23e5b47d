//! The texts of a message's parts: the view `decoded` of its body, what HTML hides, the links.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Mime;
use super::ambiguity::{Ambiguity, Limit};
use super::part::{Part, content};
use crate::message::text::{LINKS_MAX, Link, charset, find_links, html, html_link};

/// How many times as large as its body a message's text may be: an octet of some charsets takes three
/// in UTF-8. What says to be more is read in many readings, to cost the reader time.
const GROWTH_MAX: usize = 3;
/// What a body may be short of that.
const OCTETS_MIN: usize = 4_096;

/// What a reader sees of all text parts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub shown: String,
    pub hidden: String,
    pub links: Vec<Link>,
    /// Which part each stretch of `shown` is of.
    pub stretches: Vec<(Range<usize>, usize)>,
    pub ambiguities: BTreeSet<Ambiguity>,
    pub limits: BTreeSet<Limit>,
}

impl Texts {
    pub(super) fn read(mime: &Mime<'_>) -> Self {
        let mut texts = Self::default();
        for (index, part) in mime.parts().iter().enumerate() {
            // A multipart that has a second type is a text to some readers.
            if part.is_text() {
                texts.add_part(mime, index, part);
            }
        }
        texts
    }

    fn add_part(&mut self, mime: &Mime<'_>, index: usize, part: &Part) {
        for encoding in &part.encodings {
            let octets = mime.octets_of(part);
            let most = mime.limits.text_bytes_max.min(GROWTH_MAX * mime.body.len() + OCTETS_MIN);
            let room = most.saturating_sub(self.shown.len() + self.hidden.len());
            if octets.len() > room {
                self.limits.insert(Limit::Text);
            }
            let octets = &octets[..octets.len().min(room)];
            if octets.is_empty() {
                continue;
            }
            let (octets, is_clean) = content(octets, *encoding);
            if !is_clean && !part.is_cut && part.encodings.len() == 1 {
                self.ambiguities.insert(Ambiguity::BrokenEncoding);
            }
            let (text, is_known) = charset::decode(&octets, part.charset.as_deref());
            if !is_known {
                self.ambiguities.insert(Ambiguity::UnknownCharset);
            }
            let start = self.shown.len();
            if part.is("text/html") || looks_like_html(&text) {
                self.add_html(&text);
            }
            if !part.is("text/html") {
                let links = find_links(&text, &[], self.shown.len());
                self.shown.push_str(&text);
                self.add_links(links);
            }
            if self.shown.len() > start {
                self.stretches.push((start..self.shown.len(), index));
            }
            if !self.shown.is_empty() && !self.shown.ends_with('\n') {
                self.shown.push('\n');
            }
        }
    }

    fn add_html(&mut self, text: &str) {
        let html = html::read(text);
        let at = self.shown.len();
        let mut links: Vec<Link> =
            html.anchors.iter().map(|anchor| html_link(&html, anchor, at)).collect();
        links.extend(find_links(&html.text, &html.anchors, at));
        if html.is_over {
            self.limits.insert(Limit::Links);
        }
        self.add_links(links);
        self.shown.push_str(&html.text);
        self.hidden.push_str(&html.hidden);
        if !self.hidden.is_empty() && !self.hidden.ends_with('\n') {
            self.hidden.push('\n');
        }
    }

    fn add_links(&mut self, links: Vec<Link>) {
        let room = LINKS_MAX.saturating_sub(self.links.len());
        if links.len() > room {
            self.limits.insert(Limit::Links);
        }
        self.links.extend(links.into_iter().take(room));
    }
}

/// Some readers take a text for HTML whatever its type is.
fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}
