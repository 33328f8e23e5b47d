//! Stub.
#![allow(missing_docs)]
use super::{header::HeaderBlock, text::Folding};
pub struct Mime<'a> {
    body: std::borrow::Cow<'a, str>,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct MimeLimits {}
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ambiguity {
    TwoTypes,
}
impl Ambiguity {
    pub const ALL: [Self; 1] = [Self::TwoTypes];
    pub fn as_str(self) -> &'static str {
        "two-content-types"
    }
}
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    Depth,
}
impl Limit {
    pub const ALL: [Self; 1] = [Self::Depth];
    pub fn as_str(self) -> &'static str {
        "mime-depth"
    }
}
pub struct Attachment {
    pub part: usize,
    pub names: Vec<String>,
    pub types: Vec<String>,
    pub true_type: Option<&'static str>,
    pub members: Vec<Member>,
    pub is_archive: bool,
    pub is_encrypted: bool,
    pub is_unread: bool,
    pub is_cut: bool,
    pub bytes: usize,
}
impl Attachment {
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        std::iter::empty()
    }
    pub fn double_extensions(&self) -> impl Iterator<Item = String> {
        std::iter::empty()
    }
    pub fn type_differs(&self) -> bool {
        false
    }
}
pub struct Member {
    pub path: String,
    pub depth: usize,
    pub is_encrypted: bool,
}
impl Member {
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        std::iter::empty()
    }
}
pub struct Link {
    pub target: String,
    pub host: Option<String>,
    pub text: String,
    pub text_host: Option<String>,
    pub offset: usize,
}
impl Link {
    pub fn differs(&self) -> bool {
        false
    }
}
impl<'a> Mime<'a> {
    pub fn parse(_: &'a HeaderBlock, body: &'a [u8], _: bool, _: &MimeLimits) -> Self {
        Self { body: String::from_utf8_lossy(body) }
    }
    pub fn decoded(&self) -> &str {
        &self.body
    }
    pub fn folded_as(&self, _: Folding) -> &str {
        &self.body
    }
    pub fn links(&self) -> &[Link] {
        &[]
    }
    pub fn attachments(&self) -> &[Attachment] {
        &[]
    }
    pub fn ambiguities(&self) -> Vec<Ambiguity> {
        Vec::new()
    }
    pub fn limits(&self) -> Vec<Limit> {
        Vec::new()
    }
}
