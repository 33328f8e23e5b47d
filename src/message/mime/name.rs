//! Names of files: the extension that a system would act on, and tricks that hide it from a reader.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The longest extension.
const EXTENSION_CHARS_MAX: usize = 24;

/// How many blanks in a row push an extension out of sight.
const BLANKS_MAX: usize = 5;

/// What extensions a reader takes for that of a document, before the true one.
const DOCUMENTS: &[&str] = &[
    "avi", "bmp", "csv", "doc", "docm", "docx", "eml", "gif", "htm", "html", "jpeg", "jpg", "mov",
    "mp3", "mp4", "mpg", "msg", "odp", "ods", "odt", "pdf", "png", "ppt", "pptx", "rtf", "tif",
    "tiff", "txt", "wav", "webp", "xls", "xlsm", "xlsx", "xml", "zip",
];

/// The extension, in lower case without the dot: of the last component, where trailing dots, blanks,
/// a stream's name, invisible characters and what follows a NUL are nothing, as Windows has it.
pub fn extension(name: &str) -> Option<String> {
    let name = plain(name);
    let (stem, extension) = name.rsplit_once('.')?;
    let is_one = !extension.is_empty()
        && extension.chars().take(EXTENSION_CHARS_MAX + 1).count() <= EXTENSION_CHARS_MAX
        && !extension.contains([' ', '\t']);
    let _ = stem;
    is_one.then(|| extension.to_owned())
}

/// The last two extensions, where the first is that of a document and the second is none:
/// `pdf.exe`.
pub(super) fn double_extension(name: &str) -> Option<String> {
    let name = plain(name);
    let (stem, last) = name.rsplit_once('.')?;
    let inner = stem.trim_end_matches([' ', '_']).rsplit_once('.')?.1;
    let is_double = DOCUMENTS.contains(&inner) && !DOCUMENTS.contains(&last) && !last.is_empty();
    (is_double && last.len() <= EXTENSION_CHARS_MAX).then(|| format!("{inner}.{last}"))
}

fn plain(name: &str) -> Cow<'_, str> {
    let name = name.split('\0').next().unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = match name.split_once(':') {
        Some((name, stream)) if stream.starts_with(':') => name,
        _ => name,
    };
    let seen: String = name.chars().filter(|c| !is_unseen(*c)).nfkc().collect();
    let end =
        seen.trim_end_matches(|c: char| c == '.' || c == '"' || c == '\'' || c.is_whitespace());
    Cow::Owned(end.to_lowercase())
}

/// Whether the name shows a reader something else than what it is.
pub(super) fn is_deceptive(name: &str) -> bool {
    let blanks = name.chars().fold((0, 0), |(longest, run), c| {
        let run = if c.is_whitespace() || c == '_' { run + 1 } else { 0 };
        (std::cmp::max(longest, run), run)
    });
    blanks.0 > BLANKS_MAX || name.chars().any(|c| is_unseen(c) && c != '\u{ad}' && c != '\u{200d}')
}

/// Controls, and what writes from right to left or is not shown.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_what_windows_acts_on() {
        for (name, found) in [
            ("a.PDF", Some("pdf")),
            ("a.exe. . ", Some("exe")),
            ("a.txt\0.exe", Some("txt")),
            ("a.exe::$DATA", Some("exe")),
            ("photo\u{202e}gpj.exe", Some("exe")),
            ("a.e\u{200b}xe", Some("exe")),
            ("a.ｅｘｅ", Some("exe")),
            ("dir.d/a", None),
            ("..\\x.js", Some("js")),
            ("a.tar.gz", Some("gz")),
            ("what. a sentence", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(extension(name).as_deref(), found, "{name:?}");
        }
    }

    #[test]
    fn double_extensions_show_a_document() {
        assert_eq!(double_extension("a.pdf.exe").as_deref(), Some("pdf.exe"));
        assert_eq!(double_extension("a.pdf     .exe").as_deref(), Some("pdf.exe"));
        assert_eq!(double_extension("a.tar.gz"), None);
        assert_eq!(double_extension("v1.2.pdf"), None);
        assert_eq!(double_extension("a.doc.pdf"), None);
    }

    #[test]
    fn tricks_are_seen() {
        for (name, is) in [
            ("photo\u{202e}gpj.exe", true),
            ("a.pdf          .exe", true),
            ("a\0b", true),
            ("my file (1).pdf", false),
            ("日本語.pdf", false),
        ] {
            assert_eq!(is_deceptive(name), is, "{name:?}");
        }
    }
}
