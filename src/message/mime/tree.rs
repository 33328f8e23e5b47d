//! From header block and body to the tree of parts, in all readings (RFC 2045, RFC 2046).
//!
//! An outer multipart's delimiters come before an inner one's (RFC 2046 §5.1.2): a part ends where the
//! part around it does. Each level reads its octets again, once for each of its readings; so the work
//! is bounded by the depth, and by a budget of octets besides.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use super::MimeLimits;
use super::ambiguity::{Ambiguity, Limit};
use super::fields::{ContentType, Facts};
use super::header;
use super::part::{Part, content};
use super::split::split;
use super::transfer::Encoding;
use crate::message::header::HeaderBlock;

/// How often the octets of a body are read at most, in all levels and readings.
const PASSES_MAX: usize = 100;

/// What the body may be short of and still be read that often in full.
const OCTETS_MIN: usize = 65_536;

/// The tree on its way.
pub(super) struct Tree<'a> {
    body: &'a [u8],
    limits: &'a MimeLimits,
    pub parts: Vec<Part>,
    /// What was decoded to be read as parts.
    pub buffers: Vec<Vec<u8>>,
    pub ambiguities: BTreeSet<Ambiguity>,
    pub found_limits: BTreeSet<Limit>,
    /// How many octets may still be read.
    budget: usize,
    /// The entities that were read, by buffer, range and whether they are messages where they say
    /// nothing. One that another reading of what is around it has, too, is read once: with two readings
    /// a level it would be there 2^depth times.
    entities: HashSet<(usize, Range<usize>, bool)>,
}

/// Where a part stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    parent: Option<usize>,
    depth: usize,
    reading: usize,
    buffer: usize,
    is_cut: bool,
    /// The boundaries of the multiparts around it.
    around: &'p Around<'p>,
}

struct Around<'p> {
    boundary: &'p [u8],
    outer: Option<&'p Around<'p>>,
}

impl Around<'_> {
    fn has(&self, boundary: &[u8]) -> bool {
        self.boundary == boundary || self.outer.is_some_and(|outer| outer.has(boundary))
    }
}

/// Builds the tree.
pub(super) fn build<'a>(
    headers: &HeaderBlock,
    body: &'a [u8],
    is_cut: bool,
    limits: &'a MimeLimits,
) -> Tree<'a> {
    let mut tree = Tree {
        body,
        limits,
        parts: Vec::new(),
        buffers: Vec::new(),
        ambiguities: BTreeSet::new(),
        found_limits: BTreeSet::new(),
        budget: PASSES_MAX * (body.len() + OCTETS_MIN),
        entities: HashSet::new(),
    };
    if is_cut {
        tree.found_limits.insert(Limit::BodyCut);
    }
    let fields = headers.iter().map(|field| (field.name, field.value));
    let around = Around { boundary: &[], outer: None };
    let place = Place { parent: None, depth: 0, reading: 0, buffer: 0, is_cut, around: &around };
    tree.add(Facts::read(fields, "text/plain"), place, 0..body.len());
    tree
}

impl Tree<'_> {
    pub(super) fn octets(&self, buffer: usize, range: Range<usize>) -> &[u8] {
        let buffer = match buffer {
            0 => self.body,
            buffer => self.buffers.get(buffer - 1).map_or(&[][..], Vec::as_slice),
        };
        buffer.get(range).unwrap_or_default()
    }

    /// Takes octets from the budget.
    fn spend(&mut self, octets: usize) -> bool {
        let is_enough = self.budget >= octets;
        if is_enough {
            self.budget -= octets;
        } else {
            self.found_limits.insert(Limit::Readings);
        }
        is_enough
    }

    /// Adds a part, and what is in it.
    fn add(&mut self, facts: Facts, place: Place<'_>, body: Range<usize>) {
        if self.parts.len() >= self.limits.parts_max {
            self.found_limits.insert(Limit::Parts);
            return;
        }
        let Facts { types, encodings, disposition, names, ambiguities } = facts;
        self.ambiguities.extend(ambiguities);
        let index = self.parts.len();
        self.parts.push(Part {
            parent: place.parent,
            depth: place.depth,
            reading: place.reading,
            types: super::parameter::once(types.iter().map(|reading| reading.name.clone())),
            charset: types.iter().find_map(|reading| reading.charset.clone()),
            encodings: encodings.clone(),
            disposition,
            names,
            is_leaf: true,
            is_cut: place.is_cut && body.end == self.octets_len(place.buffer),
            buffer: place.buffer,
            body: body.clone(),
        });
        for (number, reading) in types.iter().enumerate() {
            let is_multipart = reading.name.starts_with("multipart/");
            let is_message = matches!(
                reading.name.as_str(),
                "message/rfc822" | "message/global" | "message/news"
            );
            if !is_multipart && !is_message {
                continue;
            }
            if place.depth >= self.limits.depth_max {
                self.found_limits.insert(Limit::Depth);
                continue;
            }
            let place = Place {
                parent: Some(index),
                depth: place.depth + 1,
                reading: place.reading + number,
                is_cut: self.parts[index].is_cut,
                ..place
            };
            if is_multipart {
                self.multipart(reading, &encodings, place, body.clone());
            } else {
                self.message(&encodings, place, body.clone());
            }
        }
    }

    fn octets_len(&self, buffer: usize) -> usize {
        self.octets(buffer, 0..usize::MAX).len().max(match buffer {
            0 => self.body.len(),
            buffer => self.buffers.get(buffer - 1).map_or(0, Vec::len),
        })
    }

    /// RFC 2045 §6.4: a multipart has no encoding but an identity. One that has is read both ways.
    fn multipart(
        &mut self,
        reading: &ContentType,
        encodings: &[Encoding],
        place: Place<'_>,
        body: Range<usize>,
    ) {
        self.parts_of(reading, place, body.clone());
        for encoding in encodings.iter().filter(|encoding| **encoding != Encoding::Identity) {
            self.ambiguities.insert(Ambiguity::EncodedMultipart);
            if let Some(place) = self.decode(*encoding, place, body.clone()) {
                let body = 0..self.octets_len(place.buffer);
                self.parts_of(reading, Place { reading: place.reading + 1, ..place }, body);
            }
        }
    }

    fn parts_of(&mut self, reading: &ContentType, place: Place<'_>, body: Range<usize>) {
        let mut boundaries = reading.boundaries.clone();
        if boundaries.is_empty() {
            self.ambiguities.insert(Ambiguity::NoBoundary);
            boundaries.extend(guessed_boundary(self.octets(place.buffer, body.clone())));
        }
        let default_type = match reading.name.as_str() {
            "multipart/digest" => "message/rfc822",
            _ => "text/plain",
        };
        let mut is_found = false;
        for (number, boundary) in boundaries.iter().enumerate() {
            if place.around.has(boundary) {
                self.ambiguities.insert(Ambiguity::ReusedBoundary);
            }
            if !self.spend(body.len()) {
                return;
            }
            let text = self.octets(place.buffer, body.clone());
            let found = split(text, boundary, place.is_cut, self.limits.parts_max);
            self.ambiguities.extend(found.ambiguities.iter());
            let around = Around { boundary, outer: Some(place.around) };
            for (second, ranges) in found.readings.into_iter().enumerate() {
                is_found = true;
                if ranges.is_empty() {
                    continue;
                }
                if let Some(parent) = place.parent {
                    self.parts[parent].is_leaf = false;
                }
                let reading = place.reading + number + second;
                let place = Place { reading, around: &around, ..place };
                for range in ranges {
                    if self.found_limits.contains(&Limit::Parts) {
                        return;
                    }
                    let range = body.start + range.start..body.start + range.end;
                    self.entity(default_type, place, range);
                }
            }
        }
        if !is_found && !body.is_empty() {
            // Readers that find no part show the whole.
            let place = Place { reading: place.reading + 1, ..place };
            self.add(Facts::read(std::iter::empty(), "text/plain"), place, body);
        }
    }

    fn message(&mut self, encodings: &[Encoding], place: Place<'_>, body: Range<usize>) {
        for (number, encoding) in encodings.iter().enumerate() {
            let place = Place { reading: place.reading + number, ..place };
            let Some(place) = self.decode(*encoding, place, body.clone()) else { continue };
            let body = match encoding {
                Encoding::Identity => body.clone(),
                _ => 0..self.octets_len(place.buffer),
            };
            if let Some(parent) = place.parent {
                self.parts[parent].is_leaf = false;
            }
            let around = Around { boundary: &[], outer: None };
            self.entity("text/plain", Place { around: &around, ..place }, body);
        }
    }

    /// The place in the buffer that the octets are decoded to.
    fn decode<'p>(
        &mut self,
        encoding: Encoding,
        place: Place<'p>,
        body: Range<usize>,
    ) -> Option<Place<'p>> {
        if encoding == Encoding::Identity {
            return Some(place);
        }
        let decoded: usize = self.buffers.iter().map(Vec::len).sum();
        if decoded + body.len() > self.limits.text_bytes_max || !self.spend(body.len()) {
            self.found_limits.insert(Limit::Readings);
            return None;
        }
        let (octets, is_clean) = content(self.octets(place.buffer, body), encoding);
        let octets = octets.into_owned();
        if !is_clean && !place.is_cut {
            self.ambiguities.insert(Ambiguity::BrokenEncoding);
        }
        self.buffers.push(octets);
        Some(Place { buffer: self.buffers.len(), ..place })
    }

    /// Adds the part or message that lies there with its own header.
    fn entity(&mut self, default_type: &str, place: Place<'_>, range: Range<usize>) {
        let is_message = default_type == "message/rfc822";
        if !self.entities.insert((place.buffer, range.clone(), is_message)) {
            return;
        }
        let octets = self.octets(place.buffer, range.clone());
        let header = header::read(octets, place.is_cut);
        let facts = Facts::read(header.fields(octets), default_type);
        let second = header.broken.map(|(body, fields)| {
            (Facts::read(header.fields(octets).take(fields), default_type), body)
        });
        self.ambiguities.extend(header.ambiguity);
        self.found_limits.extend(header.limit);
        self.add(facts, place, range.start + header.body..range.end);
        if let Some((facts, body)) = second {
            let place = Place { reading: place.reading + 1, ..place };
            self.add(facts, place, range.start + body..range.end);
        }
    }
}

/// What readers take for the boundary that is not named: the first line of two hyphens and more.
fn guessed_boundary(body: &[u8]) -> Option<Vec<u8>> {
    let lines = body.split(|octet| *octet == b'\n').take(1_000);
    let mut candidates = lines.filter_map(|line| line.trim_ascii_end().strip_prefix(b"--"));
    candidates.find(|rest| !rest.is_empty() && !rest.starts_with(b"-")).map(<[u8]>::to_vec)
}
