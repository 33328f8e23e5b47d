//! MIME that is made to cost or to deceive: bounded, with a named result.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/mime.rs"]
mod mime;

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use mailseal::message::header::HeaderBlock;
use mailseal::message::mime::{Ambiguity, Limit, Mime, MimeLimits};

fn with<T>(message: &str, look: impl FnOnce(&Mime<'_>) -> T) -> T {
    let (headers, body) = mime::split(message.replace('\n', "\r\n").as_bytes());
    look(&Mime::parse(&headers, &body, false, &MimeLimits::default()))
}

fn attached<T>(content: &[u8], name: &str, look: impl FnOnce(&Mime<'_>) -> T) -> T {
    let mut headers = HeaderBlock::default();
    headers.push(b"Content-Type", format!(" application/octet-stream; name=\"{name}\"").as_bytes());
    look(&Mime::parse(&headers, content, false, &MimeLimits::default()))
}

/// A zip archive of stored or deflated members, with both of its lists.
fn zip(members: &[(&str, &[u8])], is_encrypted: bool) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let offset = archive.len() as u32;
        let common = [
            &20_u16.to_le_bytes()[..],
            &u16::from(is_encrypted).to_le_bytes(),
            &8_u16.to_le_bytes(),
            &[0; 8],
            &(packed.len() as u32).to_le_bytes(),
            &(content.len() as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0; 2],
        ]
        .concat();
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
        directory.extend(
            [b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset.to_le_bytes(), name.as_bytes()]
                .concat(),
        );
    }
    let at = archive.len() as u32;
    let count = (members.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0",
        &count[..],
        &count,
        &(directory.len() as u32).to_le_bytes(),
        &at.to_le_bytes(),
        &[0; 2],
    ];
    archive.extend(directory);
    archive.extend(end.concat());
    archive
}

fn paths(mime: &Mime<'_>) -> Vec<String> {
    let members = mime.attachments().iter().flat_map(|attachment| &attachment.members);
    members.map(|member| format!("{}:{}", member.depth, member.path)).collect()
}

#[test]
fn members_are_listed_to_the_last_archive() {
    let inner = zip(&[("evil.exe", b"MZ\0\0")], false);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&inner).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let content = gzip.finish().unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, "deep/inner.zip.gz", content.as_slice()).unwrap();
    let outer = zip(&[("readme.txt", b"hello"), ("a.tar", &tar.into_inner().unwrap())], false);
    attached(&outer, "a.zip", |mime| {
        let wanted =
            ["1:readme.txt", "1:a.tar", "2:deep/inner.zip.gz", "3:deep/inner.zip", "4:evil.exe"];
        assert_eq!(paths(mime), wanted);
        assert_eq!(mime.limits(), []);
    });
    // The directory is gone, and so is the end of the last member.
    attached(&outer[..outer.len() - 150], "a.zip", |mime| {
        assert_eq!(paths(mime)[..2], ["1:readme.txt", "1:a.tar"]);
    });
}

#[test]
fn passwords_are_seen() {
    attached(&zip(&[("secret.doc", b"x")], true), "a.zip", |mime| {
        let attachment = &mime.attachments()[0];
        assert!(attachment.is_encrypted && attachment.is_archive && !attachment.is_unread);
        assert_eq!(attachment.members[0].path, "secret.doc");
    });
    let rar = b"Rar!\x1a\x07\x01\0 and so on";
    attached(rar, "a.rar", |mime| assert!(mime.attachments()[0].is_unread));
}

/// As 42.zip is made: archives of archives, at the bottom of which is nothing but zeros.
#[test]
fn a_zip_bomb_is_bounded() {
    let zeros = vec![0; 16 * 1_048_576];
    let mut bomb = zip(&[("zeros", &zeros)], false);
    for _ in 0..6 {
        let names: Vec<String> = (0..16).map(|number| format!("{number}.zip")).collect();
        let members: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), bomb.as_slice())).collect();
        bomb = zip(&members, false);
    }
    assert!(bomb.len() < 64 * 1_024, "{}", bomb.len());
    attached(&bomb, "42.zip", |mime| {
        let limits = mime.limits();
        assert!(limits.contains(&Limit::ArchiveDepth), "{limits:?}");
        let members = mime.attachments()[0].members.len();
        assert!(members <= MimeLimits::default().archive_members_max, "{members}");
    });
    let flat = zip(&[("zeros", &zeros)], false);
    attached(&flat, "zeros.zip", |mime| assert_eq!(mime.limits(), [Limit::ArchiveRatio]));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&zeros).unwrap();
    attached(&gzip.finish().unwrap(), "a.gz", |mime| {
        assert_eq!(mime.limits(), [Limit::ArchiveRatio]);
    });
}

#[test]
fn ten_thousand_parts_are_bounded() {
    let parts = "--b\nContent-Type: text/plain\n\nx\n".repeat(10_000);
    with(&format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"), |mime| {
        assert_eq!(mime.parts().len(), MimeLimits::default().parts_max);
        assert_eq!(mime.limits(), [Limit::Parts]);
    });
}

#[test]
fn nesting_without_end_is_bounded() {
    let nested = (0..1_000)
        .map(|n| format!("--b{n}.\nContent-Type: multipart/mixed; boundary=b{}.\n\n", n + 1))
        .collect::<Vec<_>>()
        .concat();
    with(&format!("Content-Type: multipart/mixed; boundary=b0.\n\n{nested}x\n"), |mime| {
        assert_eq!(mime.limits(), [Limit::Depth]);
    });
    let messages = "Content-Type: message/rfc822\n\n".repeat(1_000);
    with(&messages, |mime| assert_eq!(mime.limits(), [Limit::Depth]));
}

/// Each level doubles: two types, two boundaries, two encodings.
#[test]
fn readings_of_readings_are_bounded() {
    let nested = (0..40)
        .map(|n| {
            format!(
                "--a{n}\nContent-Type: multipart/mixed; boundary=a{}; boundary=b{}\n\
                 Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n--b{n}\n\n",
                n + 1,
                n + 1
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let text = "x".repeat(100_000);
    with(
        &format!("Content-Type: multipart/mixed; boundary=a0; boundary=b0\n\n{nested}{text}\n"),
        |mime| {
            assert!(mime.parts().len() <= MimeLimits::default().parts_max);
            assert!(!mime.limits().is_empty());
            assert!(mime.ambiguities().contains(&Ambiguity::TwoBoundaries));
        },
    );
}

/// A multipart whose end is followed by one more delimiter has two readings; what is in both of them is
/// read once, or it were there 2^20 times.
#[test]
fn what_two_readings_share_is_read_once() {
    let opened: Vec<String> = (0..20)
        .map(|n| format!("--b{n}\nContent-Type: multipart/mixed; boundary=b{}\n\n", n + 1))
        .collect();
    let closed: Vec<String> =
        (0..=20).rev().map(|n| format!("--b{n}--\n--b{n}\n\nafter {n}\n")).collect();
    let message = format!(
        "Content-Type: multipart/mixed; boundary=b0\n\n{}--b20\n\nthe one text\n{}",
        opened.concat(),
        closed.concat()
    );
    with(&message, |mime| {
        assert_eq!(mime.decoded().matches("the one text").count(), 1, "{}", mime.decoded());
        assert!(mime.decoded().contains("after 0"));
        assert!(mime.parts().len() < 300, "{}", mime.parts().len());
        assert_eq!(mime.limits(), []);
    });
}

/// Readings of a text in several encodings, and in a charset whose octets are three in UTF-8, do not
/// make it many times as large as its message.
#[test]
fn text_is_bounded_by_its_body() {
    let part = "--a\nContent-Type: text/plain; charset=windows-874\n\
                Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: quoted-printable\n\
                Content-Transfer-Encoding: base64\n\n"
        .to_owned()
        + &"oaGhoaGhoaGhoaGhoaGhoaGh\n".repeat(2_000);
    let message = format!("Content-Type: multipart/mixed; boundary=a\n\n{part}{part}--a--\n");
    with(&message, |mime| assert_eq!(mime.limits(), [Limit::Text]));
}

/// Unpackers differ in which of two members of one path they keep.
#[test]
fn both_members_of_one_path_are_looked_into() {
    let (harmless, evil) = (zip(&[("a.txt", b"x")], false), zip(&[("evil.exe", b"MZ")], false));
    let outer = zip(&[("docs.zip", &harmless), ("docs.zip", &evil)], false);
    attached(&outer, "docs.zip", |mime| {
        let paths = paths(mime);
        assert!(paths.iter().any(|path| path == "2:evil.exe"), "{paths:?}");
    });
}

#[test]
fn a_multipart_in_itself_is_named() {
    let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n\
                   --b\n\nhidden\n--b--\n";
    with(message, |mime| {
        assert!(mime.ambiguities().contains(&Ambiguity::ReusedBoundary));
        assert!(mime.decoded().contains("hidden"));
    });
}

/// What one reader shows and the next does not is shown here.
#[test]
fn all_readings_are_read() {
    for (ambiguity, message) in [
        (
            Ambiguity::TwoBoundaries,
            "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\none\n--a--\n--b\n\nhidden\n--b--\n",
        ),
        (
            Ambiguity::TwoBoundaries,
            "Content-Type: multipart/mixed; boundary=a(x)b\n\n--ab\n\none\n--ab--\n--a(x)b\n\nhidden\n--a(x)b--\n",
        ),
        (
            Ambiguity::TwoBoundaries,
            "Content-Type: multipart/mixed; boundary=\"a\\b\"\n\n--ab\n\none\n--ab--\n--a\\b\n\nhidden\n--a\\b--\n",
        ),
        (
            Ambiguity::TwoBoundaries,
            "Content-Type: multipart/mixed; boundary=a; boundary*=''b\n\n--a\n\none\n--a--\n--b\n\nhidden\n--b--\n",
        ),
        (Ambiguity::NoBoundary, "Content-Type: multipart/mixed\n\n--a\n\nhidden\n--a--\n"),
        (Ambiguity::UnusedBoundary, "Content-Type: multipart/mixed; boundary=a\n\nhidden\n"),
        (Ambiguity::NoEnd, "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nhidden\n"),
        (
            Ambiguity::AfterEnd,
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--a--\n--a\n\nhidden\n--a--\n",
        ),
        (
            Ambiguity::LongerBoundary,
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: x/y\n\none\n--ab\n\nhidden\n--a--\n",
        ),
        (
            Ambiguity::TwoContentTypes,
            "Content-Type: image/png\nContent-Type: text/plain\n\nhidden\n",
        ),
        (
            Ambiguity::TwoContentTypes,
            "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: base64\n\naGlkZGVu\n--a--\n",
        ),
        (Ambiguity::BrokenContentType, "Content-Type: nothing of a type\n\nhidden\n"),
        (
            Ambiguity::TwoEncodings,
            "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\naGlkZGVu\n",
        ),
        (Ambiguity::TwoEncodings, "Content-Transfer-Encoding: base64 7bit\n\naGlkZGVu\n"),
        (Ambiguity::UnknownEncoding, "Content-Transfer-Encoding: x-nothing\n\nhidden\n"),
        (
            Ambiguity::EncodedMultipart,
            "Content-Type: multipart/mixed; boundary=a\nContent-Transfer-Encoding: base64\n\nLS1hCgpoaWRkZW4KLS1hLS0K\n",
        ),
        (Ambiguity::BrokenEncoding, "Content-Transfer-Encoding: base64\n\naGl!kZGVu\n"),
        (
            Ambiguity::BrokenPartHeader,
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\nhidden\nX: y\n\none\n--a--\n",
        ),
        (Ambiguity::UnknownCharset, "Content-Type: text/plain; charset=x-none\n\nhidden\n"),
        (Ambiguity::BrokenEncodedWord, "Subject: =?utf-8?q?half\n\nhidden\n"),
    ] {
        with(message, |mime| {
            assert!(mime.ambiguities().contains(&ambiguity), "{message}: {:?}", mime.ambiguities());
            assert!(mime.decoded().contains("hidden"), "{message}: {:?}", mime.decoded());
        });
    }
}

#[test]
fn what_is_in_order_is_not_ambiguous() {
    let message = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: multipart/mixed; boundary=\"=_a\"; charset=utf-8\n\n\
                   preamble\n--=_a\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\n\
                   Content-Type: text/html; charset=\"iso-8859-1\"\nContent-Transfer-Encoding: quoted-printable\n\n\
                   <p>gr=FC=DFe</p>\n--b--\n\n--=_a\nContent-Type: application/pdf; name=\"a b.pdf\"\n\
                   Content-Disposition: attachment; filename*=utf-8''a%20b.pdf\nContent-Transfer-Encoding: base64\n\n\
                   JVBERi0xLjc=\n--=_a--\nepilogue\n";
    with(message, |mime| {
        assert_eq!(mime.ambiguities(), []);
        assert_eq!(mime.limits(), []);
        assert_eq!(mime.decoded(), "plain\ngrüße\n");
        assert_eq!(mime.parts().len(), 5);
        let [pdf] = mime.attachments() else { panic!("{:?}", mime.attachments()) };
        assert_eq!(
            (pdf.names.as_slice(), pdf.true_type),
            (&["a b.pdf".to_owned()][..], Some("application/pdf"))
        );
        let offset = mime.decoded().find("grüße").unwrap();
        assert_eq!(mime.part_at(offset), Some(3));
    });
}

#[test]
fn a_cut_body_says_so() {
    let (headers, body) = mime::split(
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nfirst\r\n--a\r\nConte",
    );
    let mime = Mime::parse(&headers, &body, true, &MimeLimits::default());
    assert_eq!((mime.limits(), mime.ambiguities()), (vec![Limit::BodyCut], vec![]));
    assert!(mime.decoded().starts_with("first"));
}
