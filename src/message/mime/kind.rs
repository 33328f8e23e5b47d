//! The true type of a file: what its content says, whatever it is called.

/// How much of a file the types need: an ISO image says what it is at 32 KiB.
pub(super) const OCTETS_MAX: usize = 36_864;

/// What `infer` leaves out: where the octets stand, the octets, and the type.
const MORE: &[(usize, &[u8], &str)] = &[
    (0, b"\x4c\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (32_769, b"CD001", "application/x-iso9660-image"),
    (0, b"ITSF", "application/vnd.ms-htmlhelp"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "application/onenote"),
    (0, b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (0, b"vhdxfile", "application/x-vhdx"),
    (0, b"conectix", "application/x-vhd"),
    (7, b"**ACE**", "application/x-ace-compressed"),
    (0, b"\x60\xea", "application/x-arj"),
    (2, b"-lh", "application/x-lzh-compressed"),
    (0, b"BEGIN:VCALENDAR", "text/calendar"),
    (0, b"%!PS", "application/postscript"),
];

/// The type of the file that begins so; `None` where nothing tells it: plain text has no mark.
pub(super) fn of(octets: &[u8]) -> Option<&'static str> {
    let has = |(at, mark, _): &&(usize, &[u8], &str)| {
        octets.get(*at..).is_some_and(|rest| rest.starts_with(mark))
    };
    if let Some((_, _, kind)) = MORE.iter().find(has) {
        return Some(kind);
    }
    match infer::get(octets)?.mime_type() {
        // Two letters are no program: its header has NULs, too.
        "application/vnd.microsoft.portable-executable"
            if !octets.iter().take(64).any(|octet| *octet == 0) =>
        {
            None
        }
        // What kind of document it is stands deeper inside.
        "application/msword" => Some("application/x-ole-storage"),
        kind => Some(kind),
    }
}

/// Whether members can be in such a file.
pub(super) fn is_archive(kind: &str) -> bool {
    is_zip(kind)
        || matches!(
            kind,
            "application/x-tar"
                | "application/gzip"
                | "application/vnd.rar"
                | "application/x-7z-compressed"
                | "application/x-bzip2"
                | "application/x-xz"
                | "application/zstd"
                | "application/x-lz4"
                | "application/x-lzip"
                | "application/x-compress"
                | "application/vnd.bzip3"
                | "application/x-cpio"
                | "application/vnd.ms-cab-compressed"
                | "application/x-iso9660-image"
                | "application/x-vhd"
                | "application/x-vhdx"
                | "application/x-ace-compressed"
                | "application/x-arj"
                | "application/x-lzh-compressed"
                | "application/x-unix-archive"
                | "application/x-rpm"
                | "application/vnd.debian.binary-package"
                | "application/ms-tnef"
        )
}

/// Whether the file is a zip archive, as the newer office documents are.
pub(super) fn is_zip(kind: &str) -> bool {
    kind == "application/zip"
        || kind.ends_with("+zip")
        || kind.contains("openxmlformats")
        || kind.contains("opendocument")
        || kind == "image/openraster"
}

/// The types that a declared type or extension says less well, or by another name.
pub(super) fn agrees(kind: &str, declared: &str) -> bool {
    let main = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let is_same_sort = main(kind) == main(declared)
        && matches!(main(kind).as_str(), "image" | "audio" | "video" | "text");
    kind == declared
        || is_same_sort
        || declared == "application/octet-stream"
        || (is_zip(kind)
            && (is_zip(declared)
                || declared.contains("zip")
                || declared.contains("java")
                || declared.contains("vnd.ms-")))
        || (kind == "application/x-ole-storage"
            && (declared.starts_with("application/ms")
                || declared.contains("vnd.ms-")
                || declared.contains("excel")
                || declared.contains("powerpoint")
                || declared.contains("outlook")))
        || declared.trim_start_matches("application/").trim_start_matches("x-")
            == kind
                .trim_start_matches("application/")
                .trim_start_matches("x-")
                .trim_start_matches("vnd.")
        || (kind == "application/gzip"
            && (declared.contains("gzip") || declared.contains("tar") || declared.contains("tgz")))
        || (kind == "application/vnd.microsoft.portable-executable"
            && (declared.contains("dos")
                || declared.contains("exe")
                || declared.contains("msdownload")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_type() {
        let exe = [b"MZ\x90\0\x03".as_slice(), &[0; 60]].concat();
        let iso = [vec![0; 32_769], b"CD001".to_vec()].concat();
        for (octets, kind) in [
            (&b"PK\x03\x04rest of it"[..], Some("application/zip")),
            (&exe, Some("application/vnd.microsoft.portable-executable")),
            (b"MZ is two letters", None),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"\x4c\0\0\0\x01\x14\x02\0", Some("application/x-ms-shortcut")),
            (&iso, Some("application/x-iso9660-image")),
            (b"Rar!\x1a\x07\x00", Some("application/vnd.rar")),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(of(octets), kind);
        }
    }
}
