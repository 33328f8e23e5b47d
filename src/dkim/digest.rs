//! Body digests (RFC 6376 §3.7, hash step 1), streamed: one pass of canonicalization and one
//! SHA-256 for all signatures that agree on `c=`, whatever their `l=`.

use ring::digest::{Context, SHA256};

use super::canonical::Canonicalization;
use super::canonical::body::BodyCanonicalizer;

/// What a signature wants hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct BodyWant {
    /// The body half of `c=`.
    pub canonicalization: Canonicalization,
    /// `l=`: how many canonical octets are signed; all where `None`.
    pub length: Option<u64>,
}

/// The digest of a canonicalized body, or of its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyHash {
    /// SHA-256 over the first `l=` octets, or over all where the body has fewer.
    pub sha256: [u8; 32],
    /// How many octets the whole canonicalized body has.
    pub octets: u64,
}

/// Computes wanted digests of one body.
#[derive(Clone, Debug)]
pub struct BodyHasher {
    passes: Vec<Pass>,
}

/// The digests of one body, by what was wanted.
#[derive(Clone, Debug, Default)]
pub struct BodyHashes {
    hashes: Vec<(BodyWant, BodyHash)>,
}

impl BodyHasher {
    /// Starts a body; equal wants share their work.
    pub fn new(wants: impl IntoIterator<Item = BodyWant>) -> Self {
        let mut passes: Vec<Pass> = Vec::new();
        for want in wants {
            let known = passes.iter_mut().find(|p| p.canonicalization == want.canonicalization);
            match known {
                Some(pass) => pass.digest.want(want.length),
                None => passes.push(Pass::new(want)),
            }
        }
        Self { passes }
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        for Pass { canonicalizer, digest, .. } in &mut self.passes {
            canonicalizer.update(chunk, &mut |slice| digest.update(slice));
        }
    }

    /// Ends the body.
    pub fn finish(self) -> BodyHashes {
        BodyHashes { hashes: self.passes.into_iter().flat_map(Pass::finish).collect() }
    }
}

impl BodyHashes {
    /// The digest that `want` asked for; `None` where it was not among the wants.
    pub fn get(&self, want: &BodyWant) -> Option<&BodyHash> {
        self.hashes.iter().find(|(known, _)| known == want).map(|(_, hash)| hash)
    }
}

/// One canonicalization of the body and the digest of what comes out.
#[derive(Clone, Debug)]
struct Pass {
    canonicalization: Canonicalization,
    canonicalizer: BodyCanonicalizer,
    digest: PrefixDigest,
}

impl Pass {
    fn new(want: BodyWant) -> Self {
        let BodyWant { canonicalization, length } = want;
        let mut digest = PrefixDigest::new();
        digest.want(length);
        Self { canonicalization, canonicalizer: BodyCanonicalizer::new(canonicalization), digest }
    }

    fn finish(self) -> impl Iterator<Item = (BodyWant, BodyHash)> {
        let Self { canonicalization, canonicalizer, mut digest } = self;
        canonicalizer.finish(&mut |slice| digest.update(slice));
        let hashes = digest.finish().into_iter();
        hashes.map(move |(length, hash)| (BodyWant { canonicalization, length }, hash))
    }
}

/// SHA-256 of a stream and of some of its beginnings, the octets hashed once.
#[derive(Clone)]
struct PrefixDigest {
    context: Context,
    octets: u64,
    /// The wanted lengths not yet reached, the longest first; `u64::MAX` stands for all.
    waiting: Vec<u64>,
    reached: Vec<(u64, [u8; 32])>,
    whole: bool,
}

impl std::fmt::Debug for PrefixDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrefixDigest").field("octets", &self.octets).finish_non_exhaustive()
    }
}

impl PrefixDigest {
    fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            octets: 0,
            waiting: Vec::new(),
            reached: Vec::new(),
            whole: false,
        }
    }

    /// Adds a wanted length; all are added before the first octet.
    fn want(&mut self, length: Option<u64>) {
        match length {
            None => self.whole = true,
            Some(length) => {
                let at = self.waiting.partition_point(|known| *known > length);
                if self.waiting.get(at) != Some(&length) {
                    self.waiting.insert(at, length);
                }
            }
        }
    }

    fn update(&mut self, mut slice: &[u8]) {
        while let Some(&length) = self.waiting.last() {
            let missing = length - self.octets;
            if missing > slice.len() as u64 {
                break;
            }
            let (before, after) = slice.split_at(missing as usize);
            self.hash(before);
            self.reached.push((length, octets_of(self.context.clone())));
            self.waiting.pop();
            slice = after;
        }
        self.hash(slice);
    }

    /// Past the last wanted length octets are counted and not hashed.
    fn hash(&mut self, slice: &[u8]) {
        if self.whole || !self.waiting.is_empty() {
            self.context.update(slice);
        }
        self.octets += slice.len() as u64;
    }

    fn finish(self) -> Vec<(Option<u64>, BodyHash)> {
        let sha256 = octets_of(self.context);
        let octets = self.octets;
        let whole = self.whole.then_some((None, sha256));
        let missed = self.waiting.into_iter().map(|length| (Some(length), sha256));
        let reached = self.reached.into_iter().map(|(length, hash)| (Some(length), hash));
        reached
            .chain(missed)
            .chain(whole)
            .map(|(length, sha256)| (length, BodyHash { sha256, octets }))
            .collect()
    }
}

pub(super) fn octets_of(context: Context) -> [u8; 32] {
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}
