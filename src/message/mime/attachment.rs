//! Stub.
#![allow(missing_docs, dead_code)]
#[derive(Debug)]
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
#[derive(Debug)]
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
