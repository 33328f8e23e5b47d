//! MIME as others read it: mail-parser's corpus with its own parse of each message, and mime4j's
//! broken messages. Where we differ from mail-parser, the reason stands in a table here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/mime.rs"]
mod mime;
#[path = "support/suites.rs"]
mod suites;

use std::fs;
use std::path::Path;

use mailseal::message::mime::{Ambiguity, Mime, MimeLimits};
use serde_json::Value;

use suites::{report, suite};

/// The messages that we read otherwise than mail-parser does, and why that is right.
const ARGUED: &[(&str, &str)] = &[
    ("rfc/000", "a picture and a sound that are no base64 are texts to it, and broken files to us"),
    ("legacy/016", "octets that are no UTF-8 are windows-1252 to us"),
    ("legacy/023", "octets that are no UTF-8 are windows-1252 to us"),
    ("legacy/026", "octets that are no UTF-8 are windows-1252 to us"),
    ("legacy/033", "octets that are no UTF-8 are windows-1252 to us"),
    ("legacy/052", "octets that are no UTF-8 are windows-1252 to us"),
    ("thirdparty/002", "what is no base64 is left out (RFC 2045 §6.8), and the rest decoded"),
    ("malformed/009", "an outer multipart ends its inner ones (RFC 2046 §5.1.2)"),
    ("malformed/011", "an outer multipart ends its inner ones (RFC 2046 §5.1.2)"),
    ("malformed/012", "an outer multipart ends its inner ones (RFC 2046 §5.1.2)"),
];

/// What mail-parser found in a message: texts and names.
#[derive(Default)]
struct Wanted {
    texts: Vec<String>,
    names: Vec<String>,
}

impl Wanted {
    fn read(&mut self, message: &Value) {
        for part in message["parts"].as_array().unwrap() {
            if let Some(text) = part["body"]["Text"].as_str() {
                self.texts.push(text.to_owned());
            }
            if part["body"].get("Message").is_some() {
                self.read(&part["body"]["Message"]);
            }
            for header in part["headers"].as_array().unwrap() {
                let name = match header["name"].as_str() {
                    Some("content_type") => "name",
                    Some("content_disposition") => "filename",
                    _ => continue,
                };
                let attributes = header["value"]["ContentType"]["attributes"].as_array();
                let names =
                    attributes.into_iter().flatten().filter(|attribute| attribute["name"] == name);
                self.names.extend(
                    names.filter_map(|attribute| attribute["value"].as_str().map(str::to_owned)),
                );
            }
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What of mail-parser's parse is not in ours.
fn missing(message: &[u8], wanted: &Wanted) -> Vec<String> {
    let (headers, body) = mime::split(message);
    let mime = Mime::parse(&headers, &body, false, &MimeLimits::default());
    let text = words(mime.decoded());
    let names: Vec<String> =
        mime.parts().iter().flat_map(|part| &part.names).map(|name| words(name)).collect();
    let texts = wanted.texts.iter().filter(|wanted| !text.contains(&words(wanted)));
    let texts = texts.map(|text| format!("text {:?}", text.chars().take(200).collect::<String>()));
    let absent = wanted.names.iter().filter(|wanted| !names.contains(&words(wanted)));
    texts.chain(absent.map(|name| format!("name {name:?} of {names:?}"))).collect()
}

fn messages(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn what_mail_parser_finds_is_found() {
    let Some(suite) = suite("mime-mail-parser") else { return };
    let (mut held, mut count, mut faults) = (0, 0, Vec::new());
    for folder in ["rfc", "legacy", "thirdparty", "malformed"] {
        for path in messages(&suite.join(folder)) {
            let is_expected = path.extension().is_some_and(|extension| extension == "json")
                && !path.to_str().unwrap().contains(".crlf.");
            if !is_expected {
                continue;
            }
            let mut wanted = Wanted::default();
            wanted.read(&serde_json::from_slice(&fs::read(&path).unwrap()).unwrap());
            let message = fs::read(path.with_extension("eml")).unwrap();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
            let missing = missing(&message, &wanted);
            count += 1;
            held += usize::from(missing.is_empty());
            if missing.is_empty() == ARGUED.iter().any(|(argued, _)| *argued == name) {
                faults.push(format!("{name}: {missing:#?}"));
            }
        }
    }
    report("mime-mail-parser", held, count);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What mime4j's broken messages are called for.
const BROKEN: &[(&str, Option<Ambiguity>)] = &[
    ("badbound", Some(Ambiguity::UnusedBoundary)),
    ("boundary-name-clash", Some(Ambiguity::LongerBoundary)),
    ("ending-boundaries", Some(Ambiguity::LongerBoundary)),
    ("frag", Some(Ambiguity::NoEnd)),
    ("jt-0498", Some(Ambiguity::NoEnd)),
    ("missing-boundary", Some(Ambiguity::UnusedBoundary)),
    ("missing-inner-boundary", Some(Ambiguity::UnusedBoundary)),
    ("multi-bad", Some(Ambiguity::TwoContentTypes)),
    ("multi-frag", Some(Ambiguity::NoEnd)),
    ("multi-digest", Some(Ambiguity::BrokenContentType)),
    ("x-gzip64", Some(Ambiguity::UnknownEncoding)),
    ("basic-plain", None),
    ("bluedot-postcard", None),
    ("empty-preamble", None),
    ("example", None),
    ("german", None),
    ("hdr-fakeout", None),
    ("intl", None),
    ("multi-2gifs", None),
    ("multi-nested", None),
    ("multi-simple", None),
    ("russian-headers", None),
    ("simple-attachment", None),
    ("twopart", None),
];

#[test]
fn what_is_broken_has_its_name() {
    let Some(suite) = suite("mime-mime4j") else { return };
    let mut faults = Vec::new();
    let mut count = 0;
    for folder in ["testmsgs", "mimetools"] {
        for path in messages(&suite.join(folder)) {
            let (headers, body) = mime::split(&fs::read(&path).unwrap());
            let mime = Mime::parse(&headers, &body, false, &MimeLimits::default());
            let name = path.file_stem().unwrap().to_str().unwrap();
            let found = mime.structural_ambiguities();
            count += 1;
            for (_, wanted) in BROKEN.iter().filter(|(broken, _)| *broken == name) {
                if wanted.is_some_and(|wanted| !found.contains(&wanted))
                    || (wanted.is_none() && !found.is_empty())
                {
                    faults.push(format!("{name}: {found:?}, and not {wanted:?}"));
                }
            }
        }
    }
    report("mime-mime4j", count - faults.len(), count);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
