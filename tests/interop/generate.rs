//! The messages: 500 of them, the same on every run, with the white space and the MIME that
//! canonicalization gets wrong. Each is what an MTA hands over: lines end in CRLF, and so does a
//! body that is not empty (RFC 5321 §4.1.1.4).

use crate::message::Message;

/// How many messages [`messages`] makes.
pub(crate) const COUNT: usize = 500;

/// A message and what is odd about its body.
pub(crate) struct Odd {
    pub kind: &'static str,
    pub message: Message,
}

/// `SplitMix64`: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.below(from.len())].to_owned()
    }

    /// From `low` to `high` pieces in a row.
    fn many(
        &mut self,
        low: usize,
        high: usize,
        mut piece: impl FnMut(&mut Self) -> String,
    ) -> String {
        let count = low + self.below(high - low + 1);
        (0..count).map(|_| piece(self)).collect()
    }
}

const WORDS: [&str; 9] = ["seal", "of", "the", "Harbour", "q=q", "ü", "1,000", "--", "\"x  y\""];
const BLANKS: [&str; 6] = [" ", "  ", "\t", " \t", "\t\t ", "     "];
const EMPTY: &str = "\r\n";

fn word(random: &mut Random) -> String {
    random.pick(&WORDS)
}

fn blank(random: &mut Random) -> String {
    random.pick(&BLANKS)
}

fn line(random: &mut Random) -> String {
    random.many(1, 9, |random| word(random) + " ").trim_end().to_owned() + EMPTY
}

fn lines(random: &mut Random) -> String {
    random.many(1, 8, line)
}

fn blank_line(random: &mut Random) -> String {
    blank(random) + EMPTY
}

/// Empty and white-space-only lines, both of them.
fn blank_lines(random: &mut Random) -> String {
    let mixed = random.many(0, 4, |random| match random.below(2) {
        0 => EMPTY.to_owned(),
        _ => blank_line(random),
    });
    let (first, second) = (blank_line(random), EMPTY);
    if random.below(2) == 0 { mixed + &first + second } else { mixed + second + &first }
}

/// Header fields of MIME, and a body.
type Content = (&'static str, Vec<u8>);

fn plain(body: impl Into<Vec<u8>>) -> Content {
    ("", body.into())
}

/// What is odd about a body, and how to make one.
type Kind = (&'static str, fn(&mut Random) -> Content);

const KINDS: [Kind; 29] = [
    ("lines", |r| plain(lines(r))),
    ("no body", |_| plain("")),
    ("one empty line", |_| plain(EMPTY)),
    ("empty lines", |r| plain(r.many(2, 6, |_| EMPTY.to_owned()))),
    ("one white-space-only line", |r| plain(blank_line(r))),
    ("white-space-only lines", |r| plain(r.many(2, 6, blank_line))),
    ("empty and white-space-only lines", |r| plain(blank_lines(r))),
    ("starts with empty lines", |r| plain(r.many(1, 4, |_| EMPTY.to_owned()) + &lines(r))),
    ("starts with white-space-only lines", |r| plain(r.many(1, 4, blank_line) + &lines(r))),
    ("starts with empty and white-space-only lines", |r| plain(blank_lines(r) + &lines(r))),
    ("an empty line, then white-space-only lines", |r| {
        plain(EMPTY.to_owned() + &r.many(1, 4, blank_line))
    }),
    ("ends with empty lines", |r| plain(lines(r) + &r.many(1, 5, |_| EMPTY.to_owned()))),
    ("ends with white-space-only lines", |r| plain(lines(r) + &r.many(1, 4, blank_line))),
    ("ends with empty and white-space-only lines", |r| plain(lines(r) + &blank_lines(r))),
    ("white space at the ends of lines", |r| {
        plain(r.many(1, 8, |r| line(r).trim_end().to_owned() + &blank(r) + EMPTY))
    }),
    ("runs of white space", |r| {
        plain(r.many(1, 8, |r| r.many(1, 6, |r| blank(r) + &word(r)) + EMPTY))
    }),
    ("dots", |r| plain(r.many(1, 8, |r| r.pick(&[".", "..", ". ", ".hidden", "end."]) + EMPTY))),
    ("From lines", |r| {
        plain(r.many(1, 5, |r| r.pick(&["From me", ">From me", " From me", "From: me"]) + EMPTY))
    }),
    ("octets of no encoding", |r| {
        plain([&b"Gr\xfc\xdfe \x80\xff\xfe"[..], lines(r).as_bytes(), b"\xc3\r\n"].concat())
    }),
    ("a very long line", |r| {
        let words = 500 + r.below(8_000);
        plain((0..words).map(|_| word(r) + " ").collect::<String>() + EMPTY)
    }),
    ("controls that are no white space", |r| {
        plain(r.many(1, 8, |r| {
            word(r)
                + &r.pick(&["\u{b}", "\u{c}", "\u{a0}", "\u{7f}", "\u{85}", "\u{c} \u{b}"])
                + EMPTY
        }))
    }),
    ("header fields in the body", |r| {
        plain(format!("DKIM-Signature: v=1; a=rsa-sha256; b=\r\nFrom: x\r\n\r\n{}", lines(r)))
    }),
    ("chunks that split line ends", |r| {
        // The milter protocol's chunks are of 65,535 octets; this puts CR and LF into two.
        let text = "seal of the harbour  \r\n".repeat(2_900 + r.below(3));
        let mut body = text.into_bytes();
        body.truncate(65_534 - r.below(3));
        plain([&body[..], b"\r\n \r\n", lines(r).as_bytes()].concat())
    }),
    ("multipart/mixed", multipart),
    ("nested multipart", nested),
    ("multipart without an end", |r| {
        let mime = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a b\"\r\n";
        let part = format!("--a b{}\r\n\r\n{}--a b \r\n\t\r\n", blank(r), lines(r));
        (mime, (lines(r) + &part + &lines(r)).into_bytes())
    }),
    ("message/rfc822", |r| {
        let mime = "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n";
        (
            mime,
            format!("From: y@example.net\r\nSubject:\r\n  in {}\r\n{}", line(r), lines(r)).into(),
        )
    }),
    ("Subject twice", |r| ("Subject: one\r\nSubject: two\r\n", lines(r).into())),
    ("base64", |r| {
        let mime = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
                    Content-Transfer-Encoding: base64\r\n";
        let lines = r.many(1, 60, |r| format!("{:016X}", r.next()).repeat(4) + "\r\n");
        (mime, (lines + "AA==\r\n" + EMPTY).into_bytes())
    }),
];

fn multipart(random: &mut Random) -> Content {
    let mime = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"=_b\"\r\n";
    let part = |random: &mut Random| {
        format!("--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n", lines(random))
    };
    let body = random.many(1, 4, part) + "--=_b--\r\n" + &blank_lines(random);
    (mime, body.into_bytes())
}

fn nested(random: &mut Random) -> Content {
    let mime = "Mime-Version: 1.0 (odd)\r\nContent-Type: multipart/related; boundary=outer\r\n";
    let inner = format!(
        "Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\na=20=\r\n =\r\n{}=09\r\n--inner\r\n\
         Content-Type: text/html\r\n\r\n<p>\t{}</p>\r\n\r\n--inner--\r\n",
        line(random),
        line(random),
    );
    (mime, format!("--outer\r\n{inner}--outer-- \r\n{}", lines(random)).into_bytes())
}

/// A header field whose value has an odd form.
fn odd_field(random: &mut Random, name: &str) -> String {
    let words = |random: &mut Random, between: &[&str]| {
        random.many(1, 7, |random| random.pick(between) + &random.pick(&WORDS))
    };
    let value = match random.below(9) {
        0 | 1 => words(random, &[" ", "  ", "\t"]),
        2 => words(random, &[" ", "\r\n ", "\r\n\t \t", " \r\n  "]),
        3 => words(random, &["", " "]) + &blank(random),
        4 => String::new(),
        5 => blank(random),
        6 => words(random, &[" ", "\r\n "]) + "\r\n\t",
        7 => " =?utf-8?q?=C3=BC?=\r\n =?utf-8?b?w7w=?= (a (b) \\) c)".to_owned(),
        _ => words(random, &[" "]).repeat(40),
    };
    format!("{name}:{value}\r\n")
}

/// The same messages on every run, each kind as often as any other.
pub(crate) fn messages() -> Vec<Odd> {
    let mut random = Random(6376);
    (0..COUNT).map(|index| message(&mut random, KINDS[index % KINDS.len()])).collect()
}

fn message(random: &mut Random, (kind, content): Kind) -> Odd {
    let (mime, body) = content(random);
    let from = random.pick(&[
        "From: ann@example.org\r\n",
        "FROM:\tAnn  <ann@example.org>  \r\n",
        "From:\r\n \"Ann,  (of)\tHere\"\r\n\t<ann@example.org>\r\n",
        "from:ann@example.org (Ann)\t\r\n",
    ]);
    // What RFC 5322 §3.6 lets a message have once, and what it may have often.
    let once = |random: &mut Random, names: &[&str]| {
        let name = random.pick(names);
        random.many(0, 1, |random| odd_field(random, &name))
    };
    let often = |random: &mut Random| {
        random.many(0, 3, |random| {
            let name = random.pick(&["X-Odd", "x-odd", "X-ODD", "Received"]);
            odd_field(random, &name)
        })
    };
    let above = often(random) + &once(random, &["Subject", "subJect"]) + &often(random);
    let below = once(random, &["To", "TO"]) + &often(random) + &once(random, &["Cc", "Reply-To"]);
    let date = "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n";
    let header = format!("{above}{from}{date}{mime}{below}\r\n");
    Odd { kind, message: Message::parse(&[header.as_bytes(), &body].concat()) }
}

/// What is odd about [`unfinished`].
pub(crate) const UNFINISHED: &str = "no end of the last line";

/// Bodies whose last line has no end. No MTA hands these over; they reach those who read files.
pub(crate) fn unfinished() -> Vec<Odd> {
    let bodies = ["a", "a ", " ", "\r\na", "a\r\n ", "a\r\n\r\n\t", "a\r\n \r\n "];
    let message = |body| Message::parse(format!("From: ann@example.org\r\n\r\n{body}").as_bytes());
    bodies.map(|body| Odd { kind: UNFINISHED, message: message(body) }).into()
}
