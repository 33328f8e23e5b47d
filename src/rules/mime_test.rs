//! Tests on the links and attachments of a message, and on how its MIME structure is made.

use std::sync::Arc;

use super::captures::Captures;
use super::found::Found;
use super::list::List;
use super::looked::Place;
use super::pattern::Pattern;
use crate::message::mime::{Ambiguity, Attachment, Limit, Member, Mime};
use crate::message::text::Link;
use crate::text::excerpt;

/// One such test.
#[derive(Debug)]
pub(super) enum MimeTest {
    Link(LinkTest),
    Attachment(Box<AttachmentTest>),
    /// The structure is read in two ways.
    Ambiguous(Vec<Ambiguity>),
    /// Something was not looked into.
    Limited(Vec<Limit>),
    Any(Vec<MimeTest>),
}

/// What one link must be, all of it.
#[derive(Debug, Default)]
pub(super) struct LinkTest {
    pub(super) target: Option<Arc<Pattern>>,
    pub(super) host: Option<Arc<Pattern>>,
    pub(super) text: Option<Arc<Pattern>>,
    pub(super) in_list: Option<Arc<List>>,
    pub(super) differs: Option<bool>,
}

/// What one attachment must be, all of it.
#[derive(Debug, Default)]
pub(super) struct AttachmentTest {
    pub(super) name: Option<Arc<Pattern>>,
    pub(super) extension: Option<Vec<String>>,
    pub(super) double_extension: Option<bool>,
    pub(super) declared_type: Option<Arc<Pattern>>,
    pub(super) true_type: Option<Arc<Pattern>>,
    pub(super) type_differs: Option<bool>,
    pub(super) member: Option<Arc<Pattern>>,
    pub(super) member_extension: Option<Vec<String>>,
    pub(super) archive: Option<bool>,
    pub(super) encrypted: Option<bool>,
    pub(super) unread: Option<bool>,
}

impl MimeTest {
    /// What it finds first.
    pub(super) fn find(&self, mime: &Mime<'_>) -> Option<Place> {
        match self {
            Self::Link(test) => {
                let link = mime.links().iter().find(|link| test.holds(link))?;
                Some(place("link", link.target.as_bytes()))
            }
            Self::Attachment(test) => {
                let found = mime.attachments().iter().find(|attachment| test.holds(attachment))?;
                Some(place("attachment", shown(found).as_bytes()))
            }
            Self::Ambiguous(kinds) => {
                let found = mime.ambiguities();
                let found = found.iter().find(|kind| kinds.contains(kind))?;
                Some(place("mime", found.as_str().as_bytes()))
            }
            Self::Limited(kinds) => {
                let found = mime.limits();
                let found = found.iter().find(|kind| kinds.contains(kind))?;
                Some(place("mime", found.as_str().as_bytes()))
            }
            Self::Any(tests) => tests.iter().find_map(|test| test.find(mime)),
        }
    }
}

fn place(part: &str, text: &[u8]) -> Place {
    let found = Found { part: part.to_owned(), view: None, offset: None, text: excerpt(text) };
    Place { found, field: None, captures: Captures::default() }
}

/// An attachment's name, or its type where it has none.
fn shown(attachment: &Attachment) -> &str {
    let named = attachment.names.first().or(attachment.types.first());
    named.map_or("without a name", String::as_str)
}

impl LinkTest {
    fn holds(&self, link: &Link) -> bool {
        let host = link.host.as_deref();
        holds(self.target.as_ref(), |target| finds(target, &link.target))
            && holds(self.host.as_ref(), |wanted| host.is_some_and(|host| finds(wanted, host)))
            && holds(self.text.as_ref(), |text| finds(text, &link.text))
            && holds(self.in_list.as_ref(), |list| host.is_some_and(|host| list.has_host(host)))
            && holds(self.differs.as_ref(), |differs| link.differs() == *differs)
    }
}

impl AttachmentTest {
    fn holds(&self, attachment: &Attachment) -> bool {
        let members = &attachment.members;
        let is = |wanted: Option<bool>, fact: bool| wanted.is_none_or(|wanted| wanted == fact);
        holds(self.name.as_ref(), |name| attachment.names.iter().any(|n| finds(name, n)))
            && holds(self.extension.as_ref(), |wanted| {
                attachment.extensions().any(|extension| wanted.contains(&extension))
            })
            && is(self.double_extension, attachment.double_extensions().next().is_some())
            && holds(self.declared_type.as_ref(), |wanted| {
                attachment.types.iter().any(|declared| finds(wanted, declared))
            })
            && holds(self.true_type.as_ref(), |wanted| {
                attachment.true_type.is_some_and(|found| finds(wanted, found))
            })
            && is(self.type_differs, attachment.type_differs())
            && holds(self.member.as_ref(), |wanted| {
                members.iter().any(|member| finds(wanted, &member.path))
            })
            && holds(self.member_extension.as_ref(), |wanted| {
                members.iter().flat_map(Member::extensions).any(|found| wanted.contains(&found))
            })
            && is(self.archive, attachment.is_archive)
            && is(self.encrypted, attachment.is_encrypted)
            && is(self.unread, attachment.is_unread)
    }
}

/// Whether a wish that may be absent is met.
fn holds<T>(wish: Option<&T>, is_met: impl Fn(&T) -> bool) -> bool {
    wish.is_none_or(is_met)
}

fn finds(pattern: &Pattern, text: &str) -> bool {
    pattern.find_once(text.as_bytes()).is_some()
}
