//! Attachments: names in all readings, types, and what is inside (RFC 2183, RFC 2231).

use std::collections::BTreeSet;

use super::Mime;
use super::ambiguity::{Ambiguity, Limit};
use super::archive::{Contents, Member, Unpacking};
use super::part::{Part, content};
use super::transfer::Encoding;
use super::{kind, name, uuencode};

/// A part that is no mere text to read, or a file in the old form inside of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a test of rules by itself")]
pub struct Attachment {
    /// Which part it is.
    pub part: usize,
    /// The names in all readings, decoded, likeliest first; none where it has none.
    pub names: Vec<String>,
    /// The declared types, likeliest first.
    pub types: Vec<String>,
    /// The type by content; `None` where the content does not tell, as that of text.
    pub true_type: Option<&'static str>,
    /// What is in it, and in the archives in it.
    pub members: Vec<Member>,
    /// Whether it is an archive by its content.
    pub is_archive: bool,
    /// Whether it, or a member, needs a password.
    pub is_encrypted: bool,
    /// Whether it, or an archive in it, is of a kind whose members are not listed.
    pub is_unread: bool,
    /// Whether its end was not kept.
    pub is_cut: bool,
    /// About how many octets it has, or what was kept of it.
    pub bytes: usize,
}

impl Attachment {
    /// The extensions of its names, in lower case without the dot.
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        self.names.iter().filter_map(|name| name::extension(name))
    }

    /// Extensions that follow that of a document: `pdf.exe`.
    pub fn double_extensions(&self) -> impl Iterator<Item = String> {
        self.names.iter().filter_map(|name| name::double_extension(name))
    }

    /// Its names, and the paths of its members.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        let members = self.members.iter().map(|member| member.path.as_str());
        self.names.iter().map(String::as_str).chain(members)
    }

    /// Whether the content tells another type than each that is declared.
    pub fn type_differs(&self) -> bool {
        let differs = |kind| !self.types.iter().any(|declared| kind::agrees(kind, declared));
        self.true_type.is_some_and(differs)
    }
}

/// All attachments of a message.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    pub list: Vec<Attachment>,
    pub ambiguities: BTreeSet<Ambiguity>,
    pub limits: BTreeSet<Limit>,
}

impl Attachments {
    pub(super) fn read(mime: &Mime<'_>) -> Self {
        let mut unpacking = Unpacking::new(mime.tree_limits());
        let mut found = Self::default();
        for (index, part) in mime.parts().iter().enumerate() {
            let is_attached = (part.is_leaf && !part.is_plain_text()) || !part.names.is_empty();
            if is_attached {
                found.add(mime, index, part, &mut unpacking);
            }
            if part.is_leaf && part.is_text() && part.encodings.contains(&Encoding::Identity) {
                found.list.extend(uuencode::files(mime.octets_of(part), index, part.is_cut));
            }
        }
        found.limits.extend(&unpacking.found_limits);
        found
    }

    fn add(&mut self, mime: &Mime<'_>, index: usize, part: &Part, unpacking: &mut Unpacking<'_>) {
        self.judge_names(&part.names);
        let octets = mime.octets_of(part);
        let mut contents = Contents::default();
        let mut true_type = None;
        let mut is_archive = false;
        for encoding in &part.encodings {
            // Four octets of base64 are three, an escape of quoted-printable is one.
            let (head, _) = content(&octets[..octets.len().min(2 * kind::OCTETS_MAX)], *encoding);
            let Some(kind) = kind::of(&head) else { continue };
            true_type.get_or_insert(kind);
            is_archive |= kind::is_archive(kind);
            if kind::is_archive(kind) || kind == "application/x-ole-storage" {
                let (file, _) = content(octets, *encoding);
                let name = part.names.first().map_or("", String::as_str);
                unpacking.open(&file, kind, name, 1, &mut contents);
            }
        }
        let Contents { members, is_encrypted, is_unread } = contents;
        self.list.push(Attachment {
            part: index,
            names: part.names.clone(),
            types: part.types.clone(),
            true_type,
            members,
            is_archive,
            is_encrypted: is_encrypted || part.is("multipart/encrypted"),
            is_unread,
            is_cut: part.is_cut,
            bytes: match part.encodings.first() {
                Some(Encoding::Base64) => octets.len() / 78 * 57,
                _ => octets.len(),
            },
        });
    }

    /// Readings of a name matter where they lead to different programs.
    fn judge_names(&mut self, names: &[String]) {
        let extensions: BTreeSet<Option<String>> =
            names.iter().map(|name| name::extension(name)).collect();
        if extensions.len() > 1 {
            self.ambiguities.insert(Ambiguity::TwoNames);
        }
        if names.iter().any(|name| name::is_deceptive(name)) {
            self.ambiguities.insert(Ambiguity::DeceptiveName);
        }
    }
}
