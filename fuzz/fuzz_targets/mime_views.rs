//! A message: its MIME tree in all readings, its views, links, attachments and archives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::message::header::HeaderBlock;
use mailseal::message::mime::{Mime, MimeLimits};
use mailseal::message::text::{Folding, decoded, folded};

fuzz_target!(|data: &[u8]| {
    let (first, data) = data.split_first().unwrap_or((&0, data));
    let end = data.windows(2).position(|pair| pair == b"\n\n").map_or(data.len(), |end| end + 1);
    let (header, body) = data.split_at(end);
    let mut headers = HeaderBlock::default();
    for line in header.split(|octet| *octet == b'\n') {
        if let Some(colon) = line.iter().position(|octet| *octet == b':') {
            headers.push(&line[..colon], &line[colon + 1..]);
        }
    }
    let limits =
        MimeLimits { archive_bytes_max: 1 << 20, text_bytes_max: 1 << 20, ..MimeLimits::default() };
    let mime = Mime::parse(&headers, body, first & 1 == 1, &limits);
    assert!(!mime.parts().is_empty() && mime.parts().len() <= limits.parts_max);
    assert!(mime.parts().iter().all(|part| part.depth <= limits.depth_max));
    let members: usize = mime.attachments().iter().map(|attachment| attachment.members.len()).sum();
    assert!(members <= limits.archive_members_max);
    for attachment in mime.attachments() {
        assert!(attachment.extensions().all(|extension| !extension.contains('.')));
        let _ = (attachment.type_differs(), attachment.double_extensions().count());
    }
    for link in mime.links() {
        assert!(mime.decoded().is_char_boundary(link.offset), "{link:?}");
        let _ = link.differs();
    }
    let _ = (mime.ambiguities(), mime.limits(), mime.hidden(), mime.part_at(0));
    for field in headers.iter() {
        let _ = folded(&decoded(field.value), Folding::default());
    }
    // What has no trick left in it stays as it is.
    let plain = Folding { leet: false, separators: false };
    let once = mime.folded_as(plain);
    assert!(!once.bytes().any(|octet| octet.is_ascii_uppercase()), "{once:?}");
    let _ = mime.folded();
});
