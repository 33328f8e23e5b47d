//! Authentication-Results (RFC 8601): what is written reads back as what was meant, and what others
//! wrote in our name is known.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use mailseal::auth::Authentication;
use mailseal::auth::arc::ArcChain;
use mailseal::auth::dmarc::{Dmarc, Policy};
use mailseal::auth::iprev::Iprev;
use mailseal::auth::results::{claims_authserv_id, render};
use mailseal::auth::spf::{Identity, Spf};
use mailseal::dkim::Verification;
use mailseal::result::AuthResult;
use proptest::prelude::*;

use reader::{Field, Finding};

/// A reader of RFC 8601 §2.2's grammar, strict, and written apart from the code under test.
mod reader {
    #[derive(Debug, Default, Eq, PartialEq)]
    pub(crate) struct Field {
        pub(crate) id: String,
        pub(crate) results: Vec<Finding>,
    }

    #[derive(Debug, Default, Eq, PartialEq)]
    pub(crate) struct Finding {
        pub(crate) method: String,
        pub(crate) result: String,
        pub(crate) reason: Option<String>,
        pub(crate) properties: Vec<(String, String)>,
    }

    struct Text<'a>(&'a str);

    pub(crate) fn read(value: &str) -> Field {
        assert!(value.bytes().all(|o| o == b' ' || o.is_ascii_graphic() || b"\r\n\t".contains(&o)));
        for line in value.split("\r\n") {
            assert!(!line.contains(['\r', '\n']) && line.len() <= 998, "{line:?}");
        }
        let unfolded = value.replace("\r\n\t", "\t");
        assert!(!unfolded.contains("\r\n"), "a fold without white space: {value:?}");
        let mut text = Text(&unfolded);
        let mut field = Field { id: text.value(), results: Vec::new() };
        while !text.blank().is_empty() {
            text.expect(";");
            field.results.push(text.result());
        }
        if let [only] = &field.results[..]
            && only.method == "none"
        {
            field.results.clear();
        }
        field
    }

    impl Text<'_> {
        /// Skips comments and white space; returns what is left.
        fn blank(&mut self) -> &str {
            loop {
                self.0 = self.0.trim_start_matches([' ', '\t']);
                let Some(comment) = self.0.strip_prefix('(') else { return self.0 };
                let end = comment.find(')').unwrap();
                assert!(!comment[..end].contains(['(', '\\', '"', ';']));
                self.0 = &comment[end + 1..];
            }
        }

        fn expect(&mut self, text: &str) {
            self.0 = self.0.strip_prefix(text).unwrap_or_else(|| panic!("no {text:?}: {}", self.0));
        }

        fn take(&mut self, good: impl Fn(char) -> bool) -> String {
            let end = self.0.find(|c| !good(c)).unwrap_or(self.0.len());
            let (taken, rest) = self.0.split_at(end);
            self.0 = rest;
            assert!(!taken.is_empty(), "nothing to take: {rest:?}");
            taken.to_owned()
        }

        fn quoted(&mut self) -> (String, String) {
            let mut content = String::new();
            let mut chars = self.0.char_indices().skip(1);
            loop {
                match chars.next().unwrap() {
                    (_, '\\') => content.push(chars.next().unwrap().1),
                    (end, '"') => {
                        let raw = self.0[..=end].to_owned();
                        self.0 = &self.0[end + 1..];
                        return (content, raw);
                    }
                    (_, c) => content.push(c),
                }
            }
        }

        fn value(&mut self) -> String {
            self.blank();
            if self.0.starts_with('"') { self.quoted().0 } else { self.take(is_token) }
        }

        fn pvalue(&mut self) -> String {
            self.blank();
            let local_part = if self.0.starts_with('"') {
                let (content, raw) = self.quoted();
                if !self.0.starts_with('@') {
                    return content;
                }
                raw
            } else {
                let end = self.0.find([' ', '\t', ';']).unwrap_or(self.0.len());
                if !self.0[..end].contains('@') {
                    return self.take(is_token);
                }
                if self.0.starts_with('@') { String::new() } else { self.take(is_local_part) }
            };
            self.expect("@");
            let domain = self.take(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
            format!("{local_part}@{domain}")
        }

        fn result(&mut self) -> Finding {
            self.blank();
            let mut result = Finding { method: self.take(is_keyword), ..Finding::default() };
            if result.method == "none" {
                return result;
            }
            self.expect("=");
            result.result = self.take(is_keyword);
            while !self.blank().is_empty() && !self.0.starts_with(';') {
                let name = self.take(|c| is_keyword(c) || c == '.');
                self.expect("=");
                if name == "reason" {
                    assert!(result.reason.is_none() && result.properties.is_empty());
                    result.reason = Some(self.value());
                } else {
                    assert_eq!(name.matches('.').count(), 1, "{name}");
                    let value = self.pvalue();
                    result.properties.push((name, value));
                }
            }
            result
        }
    }

    fn is_keyword(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '-'
    }

    fn is_local_part(c: char) -> bool {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
    }

    fn is_token(c: char) -> bool {
        c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
    }
}

fn signature(result: AuthResult, domain: &str) -> Verification {
    Verification {
        result,
        domain: domain.to_owned(),
        auid: Some(format!("@{domain}")),
        selector: Some("s1".to_owned()),
        algorithm: Some("rsa-sha256".to_owned()),
        signature_start: Some("AbC/+d12".to_owned()),
        reason: None,
        testing: false,
        covers_body: true,
    }
}

fn everything() -> Authentication {
    Authentication {
        iprev: Some(Iprev {
            result: AuthResult::Pass,
            addr: "2001:db8::25".parse().unwrap(),
            name: Some("mail.example.org".to_owned()),
            by_mta: false,
            reason: None,
        }),
        spf: [Identity::Helo, Identity::MailFrom]
            .map(|identity| Spf {
                result: AuthResult::Pass,
                identity,
                domain: "example.org".to_owned(),
                value: if identity == Identity::Helo {
                    "mail.example.org".to_owned()
                } else {
                    "alice@example.org".to_owned()
                },
                reason: None,
                mechanism: None,
                any_client: false,
                explanation: None,
            })
            .into(),
        dkim: vec![signature(AuthResult::Pass, "example.org")],
        dkim_left_out: 0,
        arc: Some(ArcChain {
            result: AuthResult::Pass,
            instance: 3,
            sealers: Vec::new(),
            oldest_pass: Some(2),
            covers_body: true,
            remote_ip: "2001:db8::25".parse().ok(),
            endorsements: Vec::new(),
            reason: None,
        }),
        dmarc: Some(Dmarc {
            result: AuthResult::Pass,
            author_domain: Some("example.org".to_owned()),
            organizational_domain: Some("example.org".to_owned()),
            record_domain: Some("example.org".to_owned()),
            policy: Some(Policy::Reject),
            policy_tag: Some("p"),
            record: None,
            testing: true,
            spf_aligned: true,
            dkim_aligned: true,
            identifiers: Vec::new(),
            malformed_from: false,
            psl: None,
            reason: None,
        }),
    }
}

#[test]
fn one_field_for_all_methods() {
    let value = render("mx.example.com", &everything());
    assert_eq!(
        value,
        "mx.example.com;\r\n\
         \tiprev=pass policy.iprev=\"2001:db8::25\" (mail.example.org);\r\n\
         \tspf=pass smtp.helo=mail.example.org;\r\n\
         \tspf=pass smtp.mailfrom=alice@example.org;\r\n\
         \tdkim=pass header.d=example.org header.i=@example.org header.s=s1\r\n\
         \theader.a=rsa-sha256 header.b=\"AbC/+d12\";\r\n\
         \tarc=pass smtp.remote-ip=\"2001:db8::25\" header.oldest-pass=2;\r\n\
         \tdmarc=pass header.from=example.org policy.dmarc=quarantine"
    );
}

#[test]
fn nothing_done_is_none() {
    assert_eq!(render("mx.example.com", &Authentication::default()), "mx.example.com; none");
    assert_eq!(reader::read("mx.example.com; none").results, []);
}

/// RFC 8601 §2.7.1: `none` where the message was not signed, if it was verified.
#[test]
fn no_signature_is_dkim_none() {
    let unsigned = Authentication { dkim: Vec::new(), ..everything() };
    let methods = |auth: &Authentication| -> Vec<String> {
        let field = reader::read(&render("mx.example.com", auth));
        field.results.iter().map(|r| format!("{}={}", r.method, r.result)).collect()
    };
    assert_eq!(
        methods(&unsigned),
        ["iprev=pass", "spf=pass", "spf=pass", "dkim=none", "arc=pass", "dmarc=pass"]
    );
    let alone = Authentication { arc: None, dmarc: None, ..unsigned };
    assert_eq!(methods(&alone), ["iprev=pass", "spf=pass", "spf=pass", "dkim=none"]);
}

#[test]
fn the_null_reverse_path_shows_its_domain() {
    let mut auth = everything();
    auth.spf[1].value.clear();
    assert!(render("mx", &auth).contains("smtp.mailfrom=example.org;"));
}

#[test]
fn signatures_beyond_the_limit_are_counted() {
    let auth = Authentication { dkim_left_out: 991, ..everything() };
    let field = reader::read(&render("mx", &auth));
    let counted = &field.results[4];
    assert_eq!((counted.method.as_str(), counted.result.as_str()), ("dkim", "neutral"));
    assert_eq!(counted.reason.as_deref(), Some("991 more signatures were not verified"));
    assert_eq!(counted.properties, []);
    assert_eq!(field.results[5].method, "arc");
}

/// CVE-2020-12272 and its kin: a value that ends the result and begins another.
#[test]
fn values_cannot_inject() {
    for hostile in [
        "a; dkim=pass header.d=good.example",
        "a\"; dkim=pass header.d=good.example",
        "a\\\"; dkim=pass header.d=good.example",
        "a\r\n\tdkim=pass header.d=good.example",
        "a\r\nX-Other: b",
        "a\0; dkim=pass",
        "(a",
        "a)",
        "\"a\"; dkim=pass@good.example",
        "\"; dkim=pass \\\"@good.example",
        "a@good.example; dkim=pass",
        "a@good.example (",
        "a dkim=pass@good.example",
        "\u{fc}; dkim=pass @good.example",
    ] {
        let mut auth = everything();
        let own = Some(hostile.to_owned());
        let one = auth.dkim.first_mut().unwrap();
        one.domain = hostile.to_owned();
        (one.auid, one.selector) = (own.clone(), own.clone());
        (one.algorithm, one.signature_start, one.reason) = (own.clone(), own.clone(), own.clone());
        auth.spf[0].value = hostile.to_owned();
        auth.spf[1].value = hostile.to_owned();
        auth.spf[1].reason = own.clone();
        let iprev = auth.iprev.as_mut().unwrap();
        (iprev.name, iprev.reason) = (own.clone(), own.clone());
        auth.arc.as_mut().unwrap().reason = own.clone();
        auth.arc.as_mut().unwrap().result = AuthResult::Fail;
        let dmarc = auth.dmarc.as_mut().unwrap();
        (dmarc.author_domain, dmarc.reason) = (own.clone(), own);
        let field = reader::read(&render(hostile, &auth));
        let methods: Vec<_> = field.results.iter().map(|r| r.method.as_str()).collect();
        assert_eq!(methods, ["iprev", "spf", "spf", "dkim", "arc", "dmarc"], "{hostile:?}");
        let names: Vec<_> = field.results.iter().map(|r| r.properties.len()).collect();
        assert_eq!(names, [1, 1, 1, 5, 2, 2], "{hostile:?}");
    }
}

fn any_result() -> impl Strategy<Value = AuthResult> {
    use AuthResult::{Fail, Neutral, None, Pass, Permerror, Policy, Softfail, Temperror};
    proptest::sample::select(vec![
        None, Pass, Fail, Softfail, Neutral, Policy, Temperror, Permerror,
    ])
}

/// Text that a stranger might send: addresses, names, and what breaks fields.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.-]{1,20}",
        "[a-z0-9.+=/-]{0,9}@[a-z0-9.-]{1,20}",
        "\"[ -~]{0,9}\"@[a-z]{1,9}\\.example",
        "[ -~]{1,30}",
        "[\"\\\\;()@=. \r\n\t\0a]{1,20}",
        "[ -~]{880,1000}",
    ]
}

prop_compose! {
    fn any_signature()(result in any_result(), domain in any_text(), texts in
        proptest::collection::vec(proptest::option::of(any_text()), 5)) -> Verification {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten();
        Verification {
            result, domain, auid: next(), selector: next(), algorithm: next(),
            signature_start: next(), reason: next(), testing: false, covers_body: true,
        }
    }
}

/// The text with `?` for what no field can hold.
fn shown(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

fn shown_reason(text: &str) -> String {
    let mut reason = String::new();
    for c in shown(text).chars().take(200) {
        let plain = "\"\\;()".find(c).and_then(|at| "'/,[]".chars().nth(at));
        reason.push(plain.unwrap_or(c));
    }
    if text.chars().count() > 200 {
        write!(reason, "...").unwrap();
    }
    reason
}

fn expected(method: &str, result: AuthResult, reason: Option<&str>) -> Finding {
    // How something passed is not written.
    let reason = reason.filter(|_| !matches!(result, AuthResult::Pass | AuthResult::None));
    Finding {
        method: method.to_owned(),
        result: result.to_string(),
        reason: reason.map(shown_reason),
        properties: Vec::new(),
    }
}

proptest! {
    /// Whatever the values are, a strict reader finds exactly what was put in.
    #[test]
    fn what_is_written_reads_back(
        id in "[a-z0-9.-]{1,30}|[ -~]{1,30}",
        signatures in proptest::collection::vec(any_signature(), 0..4),
        helo in any_text(), mail_from in any_text(), spf_reason in proptest::option::of(any_text()),
        spf_result in any_result(),
    ) {
        let spf = [(Identity::Helo, &helo), (Identity::MailFrom, &mail_from)];
        let auth = Authentication {
            spf: spf.map(|(identity, value)| Spf {
                result: spf_result, identity, domain: "d.example".to_owned(),
                value: value.clone(), reason: spf_reason.clone(),
                mechanism: None, any_client: false, explanation: None,
            }).into(),
            dkim: signatures.clone(),
            ..Authentication::default()
        };
        let field = reader::read(&render(&id, &auth));

        // A value that no line can hold is left out; whether it is, its quoting decides.
        let fits = |value: &str, read: &Finding, name: &str| {
            let quoted = value.len() + 2 + value.matches(['"', '\\']).count();
            let there = read.properties.iter().any(|(n, _)| n == name);
            assert!(there || quoted > 900 || value.is_empty(), "{name} is gone: {value:?}");
            there
        };
        let mut wanted = Field { id, results: Vec::new() };
        for ((_, value), name) in spf.iter().zip(["smtp.helo", "smtp.mailfrom"]) {
            let mut result = expected("spf", spf_result, spf_reason.as_deref());
            if fits(value, &field.results[wanted.results.len()], name) {
                result.properties.push((name.to_owned(), shown(value)));
            }
            wanted.results.push(result);
        }
        for one in &signatures {
            let mut result = expected("dkim", one.result, one.reason.as_deref());
            for (name, value) in [
                ("header.d", Some(&one.domain)), ("header.i", one.auid.as_ref()),
                ("header.s", one.selector.as_ref()), ("header.a", one.algorithm.as_ref()),
                ("header.b", one.signature_start.as_ref()),
            ] {
                if let Some(value) = value
                    && fits(value, &field.results[wanted.results.len()], name)
                {
                    result.properties.push((name.to_owned(), shown(value)));
                }
            }
            wanted.results.push(result);
        }
        if signatures.is_empty() {
            wanted.results.push(expected("dkim", AuthResult::None, None));
        }
        prop_assert_eq!(field, wanted);
    }

    /// No text of any script breaks the field.
    #[test]
    fn any_script(value in any::<String>(), reason in any::<String>()) {
        let mut one = signature(AuthResult::Fail, &value);
        one.auid = Some(value.clone());
        one.reason = Some(reason);
        let auth = Authentication { dkim: vec![one], ..Authentication::default() };
        let field = reader::read(&render("mx", &auth));
        prop_assert_eq!(field.results.len(), 1);
        prop_assert_eq!(&field.results[0].method, "dkim");
    }

    /// What we write is ours, and no other host's.
    #[test]
    fn our_own_field_is_known(id in "[a-zA-Z0-9.-]{1,30}|[ -~]{1,30}", other in "[a-z]{1,9}\\.test") {
        prop_assume!(!id.trim_matches([' ', '.']).is_empty());
        let value = render(&id, &everything());
        prop_assert!(claims_authserv_id(value.as_bytes(), std::slice::from_ref(&id)), "{:?}", value);
        prop_assert!(!claims_authserv_id(value.as_bytes(), &[other]), "{:?}", value);
    }

    #[test]
    fn any_octets_are_judged(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        claims_authserv_id(&value, &["mx.example.org".to_owned()]);
    }
}

fn is_ours(value: &[u8]) -> bool {
    let ours = ["mx.example.org".to_owned(), "m\u{fc}ller.example".to_owned()];
    claims_authserv_id(value, &ours)
}

#[test]
fn our_authserv_id_in_any_spelling() {
    for value in [
        "mx.example.org; none",
        "mx.example.org",
        " mx.example.org ; none",
        "MX.Example.ORG; dkim=pass",
        "mx.example.org.; dkim=pass",
        "mx.example.org 1; dkim=pass",
        "mx.example.org(x)1(y); dkim=pass",
        "\r\n\tmx.example.org\r\n\t; dkim=pass",
        "(a)(b (c \\) d))mx.example.org(e); dkim=pass",
        "\"mx.example.org\"; dkim=pass",
        "\"mx.ex\\ample.org\" 1 ; dkim=pass",
        "\"mx.\r\n example.org\"; dkim=pass",
        "\" mx.example.org \"; dkim=pass",
        "\"MX.EXAMPLE.ORG\"; dkim=pass",
        "m\u{fc}ller.example; dkim=pass",
        "M\u{dc}LLER.example; dkim=pass",
        "mu\u{308}ller.example; dkim=pass",
        "xn--mller-kva.example; dkim=pass",
        "XN--MLLER-KVA.EXAMPLE; dkim=pass",
        "\u{ff4d}x.example.org; dkim=pass",
    ] {
        assert!(is_ours(value.as_bytes()), "{value:?}");
    }
}

#[test]
fn broken_fields_that_name_us_are_ours() {
    for value in [
        "mx.example.org/1; dkim=pass",
        "mx.example.org, dkim=pass",
        "mx.example.org dkim=pass",
        "mx.example.org 1 2; dkim=pass",
        "mx.example.org\0; dkim=pass",
        "mx.exam\0ple.org; dkim=pass",
        "mx.\u{1}example.org; dkim=pass",
        "mx.(x)example.org; dkim=pass",
        "mx.(x(y)z)example.org; dkim=pass",
        "mx .example.org; dkim=pass",
        "mx.exa\\mple.org; dkim=pass",
        "\"mx.example.org; dkim=pass",
        "\"mx.exam\\ple.org; dkim=pass",
        "\"mx\".example.org; dkim=pass",
        "(mx.example.org; dkim=pass",
        "(a mx.example.org; dkim=pass",
        ")mx.example.org; dkim=pass",
        "; mx.example.org; dkim=pass",
        "dkim=pass (MX.example.org)",
        "<mx.example.org>; dkim=pass",
        "mx.example.org\r\n; dkim=pass",
        "mx.example.org\rx; dkim=pass",
        "m\u{dc}ller.example/x; dkim=pass",
        "xn--mller-kva.example/x; dkim=pass",
    ] {
        assert!(is_ours(value.as_bytes()), "{value:?}");
    }
    assert!(is_ours(b"\xff mx.example.org; dkim=pass"));
    assert!(is_ours(b"mx.example.org\xff; dkim=pass (mx.example.org)"));
}

#[test]
fn fields_of_other_hosts_stay() {
    for value in [
        "",
        "other.example; none",
        "other.example; dkim=pass header.d=mx.example.org",
        "other.example (mx.example.org); dkim=pass reason=\"mx.example.org; x\"",
        "other.example 1 (mx.example.org) ; dkim=pass",
        "amx.example.org; dkim=pass",
        "mx.example.org.other.example; dkim=pass",
        "mx.example.orga; dkim=pass",
        "\"mx.example.org; x\"; dkim=pass",
        "\"mx.example.org\\\"\"; dkim=pass",
        "example.org; dkim=pass",
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.net; dkim=none",
        "(other.example",
    ] {
        assert!(!is_ours(value.as_bytes()), "{value:?}");
    }
    assert!(!claims_authserv_id(b"other.example; none", &[]));
    assert!(!claims_authserv_id(b"other.example/; none", &[String::new()]));
}

#[test]
fn hostile_fields_cost_linear_time() {
    let start = Instant::now();
    let deep = |depth: usize| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
    assert!(is_ours(format!("{}mx.example.org; none", deep(10_000)).as_bytes()));
    assert!(!is_ours(format!("{}other.example; none", deep(300_000)).as_bytes()));
    assert!(is_ours(format!("{}mx.example.org; none", "(".repeat(1_000_000)).as_bytes()));
    let results = "; dkim=pass header.d=mx.example.org".repeat(10_000);
    assert!(is_ours(format!("mx.example.org{results}").as_bytes()));
    assert!(!is_ours(format!("other.example{results}").as_bytes()));
    assert!(!is_ours("mx.example.or".repeat(80_000).as_bytes()));
    assert!(!is_ours(format!("{};", "\u{fc}".repeat(500_000)).as_bytes()));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
