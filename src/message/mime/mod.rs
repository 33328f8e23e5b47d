//! MIME: the tree of a message's parts and what is in them (RFC 2045, RFC 2046, RFC 2183, RFC 2231).
//!
//! What two readers of mail can take for different things is read in both ways, and named
//! (`Ambiguity`); what is not looked into for its depth, number or size is named, too (`Limit`). The
//! body may be cut: what is past the kept beginning is `Limit::BodyCut`.
//!
//! Failure: there is none. Whatever the octets are, they have some tree.

mod ambiguity;
mod archive;
mod attachment;
mod fields;
mod header;
mod kind;
mod name;
mod parameter;
mod part;
mod split;
mod texts;
pub(crate) mod transfer;
mod tree;
mod uuencode;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::header::HeaderBlock;
use super::text::{self, Folding, Link};
use attachment::Attachments;
use texts::Texts;

pub use ambiguity::{Ambiguity, Limit};
pub use archive::Member;
pub use attachment::Attachment;
pub use name::extension;
pub use part::Part;
pub use transfer::Encoding;

/// What is looked into at most.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MimeLimits {
    /// Parts, in all readings.
    pub parts_max: usize,
    /// Parts in parts.
    pub depth_max: usize,
    /// Octets of text, decoded.
    pub text_bytes_max: usize,
    /// Archives in archives.
    pub archive_depth_max: usize,
    /// Members of all archives.
    pub archive_members_max: usize,
    /// Octets of all archives, unpacked.
    pub archive_bytes_max: usize,
    /// How many times as large an archive may be when unpacked.
    pub archive_ratio_max: usize,
}

impl Default for MimeLimits {
    fn default() -> Self {
        Self {
            parts_max: 1_000,
            depth_max: 30,
            text_bytes_max: 16 * 1_048_576,
            archive_depth_max: 4,
            archive_members_max: 10_000,
            archive_bytes_max: 32 * 1_048_576,
            archive_ratio_max: 200,
        }
    }
}

/// The MIME tree of one message. What needs decoding is decoded when it is asked for, once.
#[derive(Debug)]
pub struct Mime<'a> {
    headers: &'a HeaderBlock,
    body: &'a [u8],
    is_cut: bool,
    limits: MimeLimits,
    parts: Vec<Part>,
    buffers: Vec<Vec<u8>>,
    ambiguities: BTreeSet<Ambiguity>,
    found_limits: BTreeSet<Limit>,
    texts: OnceLock<Texts>,
    attachments: OnceLock<Attachments>,
    folded: [OnceLock<String>; 4],
}

impl<'a> Mime<'a> {
    /// Reads a message's header block and the beginning of its body that was kept.
    pub fn parse(
        headers: &'a HeaderBlock,
        body: &'a [u8],
        body_is_cut: bool,
        limits: &MimeLimits,
    ) -> Self {
        let tree = tree::build(headers, body, body_is_cut, limits);
        let tree::Tree { parts, buffers, ambiguities, found_limits, .. } = tree;
        Self {
            headers,
            body,
            is_cut: body_is_cut,
            limits: limits.clone(),
            parts,
            buffers,
            ambiguities,
            found_limits,
            texts: OnceLock::new(),
            attachments: OnceLock::new(),
            folded: Default::default(),
        }
    }

    /// All parts, depth first; the first is the message itself.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the body is longer than what was kept of it.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What readers of the message differ about, each kind once.
    pub fn ambiguities(&self) -> Vec<Ambiguity> {
        let mut all = self.ambiguities.clone();
        all.extend(&self.texts().ambiguities);
        all.extend(&self.attached().ambiguities);
        if has_broken_words(self.headers) {
            all.insert(Ambiguity::BrokenEncodedWord);
        }
        all.into_iter().collect()
    }

    /// Those of the structure and of names: what can be told without the texts.
    pub fn structural_ambiguities(&self) -> Vec<Ambiguity> {
        self.ambiguities.union(&self.attached().ambiguities).copied().collect()
    }

    /// Why parts or archives were not looked into: what can be told without the texts.
    pub fn structural_limits(&self) -> Vec<Limit> {
        self.found_limits.union(&self.attached().limits).copied().collect()
    }

    /// Why something of the message was not looked into, each kind once.
    pub fn limits(&self) -> Vec<Limit> {
        let mut all = self.found_limits.clone();
        all.extend(&self.texts().limits);
        all.extend(&self.attached().limits);
        all.into_iter().collect()
    }

    /// The view `decoded` of the body: what a reader sees of all text parts, a line end between.
    pub fn decoded(&self) -> &str {
        &self.texts().shown
    }

    /// The view `folded` of the body.
    pub fn folded(&self) -> &str {
        self.folded_as(Folding::default())
    }

    /// The same with other options.
    pub fn folded_as(&self, folding: Folding) -> &str {
        let index = usize::from(folding.leet) + 2 * usize::from(folding.separators);
        self.folded[index].get_or_init(|| text::folded(self.decoded(), folding).into_owned())
    }

    /// What the HTML hides from its readers.
    pub fn hidden(&self) -> &str {
        &self.texts().hidden
    }

    /// The links of all text parts.
    pub fn links(&self) -> &[Link] {
        &self.texts().links
    }

    /// The attachments: all parts that are no mere text to read.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attached().list
    }

    /// The part that an offset of the view `decoded` lies in.
    pub fn part_at(&self, offset: usize) -> Option<usize> {
        let stretches = &self.texts().stretches;
        let index = stretches.partition_point(|(stretch, _)| stretch.end <= offset);
        stretches.get(index).filter(|(stretch, _)| stretch.contains(&offset)).map(|(_, part)| *part)
    }

    /// The octets of a part's body, as encoded.
    pub fn octets_of(&self, part: &Part) -> &[u8] {
        let buffer = match part.buffer {
            0 => self.body,
            buffer => self.buffers.get(buffer - 1).map_or(&[][..], Vec::as_slice),
        };
        buffer.get(part.body.clone()).unwrap_or_default()
    }

    fn tree_limits(&self) -> &MimeLimits {
        &self.limits
    }

    fn attached(&self) -> &Attachments {
        self.attachments.get_or_init(|| Attachments::read(self))
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts::read(self))
    }
}

/// Whether a field that readers show has a broken encoded word.
fn has_broken_words(headers: &HeaderBlock) -> bool {
    let shown = |name: &[u8]| {
        ["subject", "from", "to", "reply-to"]
            .iter()
            .any(|shown| name.eq_ignore_ascii_case(shown.as_bytes()))
    };
    headers.iter().any(|field| shown(field.name.trim_ascii_end()) && text::is_broken(field.value))
}
