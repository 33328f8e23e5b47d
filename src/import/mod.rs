//! The configurations of the filters that mailseal replaces, as one of mailseal's: `opendkim.conf`,
//! `opendmarc.conf` and `clamav-milter.conf`.
//!
//! An option either says what a key of ours says, or what becomes different is told in a sentence, or
//! it is refused with its file and line: nothing is dropped in silence. Keys are for `keys::import`,
//! whose reader of OpenDKIM's tables serves here, too.
//!
//! Failure: a file or list that cannot be read is a refusal; the rest is imported all the same.

mod clamav_milter;
mod directive;
mod draft;
mod hosts;
mod opendkim;
mod opendmarc;
mod service;

use std::path::{Path, PathBuf};

pub use draft::Draft;

/// Which filter's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// `opendkim.conf`
    OpenDkim,
    /// `opendmarc.conf`
    OpenDmarc,
    /// `clamav-milter.conf`
    ClamavMilter,
}

/// Takes the text of a configuration into the draft.
pub fn read(draft: &mut Draft, source: Source, path: &Path, text: &str) {
    draft.sources.push(PathBuf::from(path));
    match source {
        Source::OpenDkim => opendkim::read(draft, path, text),
        Source::OpenDmarc => opendmarc::read(draft, path, text),
        Source::ClamavMilter => clamav_milter::read(draft, path, text),
    }
}
