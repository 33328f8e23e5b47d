//! `mailseal dns records`: each format as it is printed, and as BIND and other DKIM programs read it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::{Command, Output};

use base64::Engine as _;
use mailseal::keys::state::Algorithm;
use serde_json::Value;
use support::named::{NameServers, Zone};
use support::operator::{Operator, Ran};
use support::process::run;

const RSA: &str = include_str!("data/keys/example.org/s2026-11-a.pem");
const ED25519: &str = include_str!("data/keys/example.org/s2026-11-b.pem");

/// What `p=` has of the keys above, by `openssl pkey -pubout -outform DER`.
fn public_keys() -> (String, String) {
    let spki = |name: &str| {
        let path = format!("{}/tests/data/keys/example.org/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        let der = ["-pubout", "-outform", "DER", "-in", path.as_str()];
        run(Command::new("openssl").arg("pkey").args(der)).stdout
    };
    let (rsa, ed25519) = (spki("s2026-11-a"), spki("s2026-11-b"));
    // RFC 8463 §4.2: the key's 32 octets alone, at the end of the SubjectPublicKeyInfo.
    (base64(&rsa), base64(&ed25519[ed25519.len() - 32..]))
}

fn base64(octets: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(octets)
}

fn operator() -> Operator {
    let operator = Operator::new("");
    operator.add_known("example.org", "a", RSA);
    operator.add_known("example.org", "b", ED25519);
    operator.add("example.org", "c", Algorithm::Rsa);
    operator.add("example.org", "d", Algorithm::Rsa);
    operator.set_state("example.org", "a", "active");
    operator.set_state("example.org", "c", "revoked");
    operator.set_state("example.org", "d", "removed");
    operator
}

const POLICIES: &[&str] = &[
    "--dmarc-policy",
    "quarantine",
    "--np",
    "reject",
    "--rua",
    "dmarc@third.example",
    "--testing",
    "--spf",
    "v=spf1 mx -all",
    "--tls-rua",
    "tls@example.org",
    "--mta-sts-id",
    "20261121",
];

fn records(args: &[&str]) -> Ran {
    let ran = operator().run(&[&["dns", "records", "example.org"], args].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

fn snapshot(name: &str, args: &[&str]) {
    let ran = records(args);
    let path = format!("{}/tests/data/dns_records/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, &ran.out).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(ran.out, expected, "{path}; UPDATE_EXPECT=1 rewrites it");
}

#[test]
fn each_format_is_as_it_was() {
    for format in ["zone", "nsupdate", "json", "plain"] {
        snapshot(format, &[&["--format", format], POLICIES].concat());
    }
    snapshot("delegated", &[&["--delegate-to", "dkim.hosted.example"], POLICIES].concat());
    snapshot("strict", &["--strict"]);
}

#[test]
fn keys_are_as_openssl_has_them() {
    let (rsa, ed25519) = public_keys();
    let ran = records(&["--format", "json"]);
    let records: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let values: Vec<&str> =
        records.iter().map(|record| record["value"].as_str().unwrap()).collect();
    assert_eq!(values[0], format!("v=DKIM1; k=rsa; p={rsa}"));
    assert_eq!(values[1], format!("v=DKIM1; k=ed25519; p={ed25519}"));
    assert_eq!(values[2], "v=DKIM1; k=rsa; p=");
    assert_eq!(values.len(), 3, "a removed key has no record");
    let strings = records[0]["strings"].as_array().unwrap();
    let lengths: Vec<usize> = strings.iter().map(|string| string.as_str().unwrap().len()).collect();
    assert_eq!(lengths, [255, values[0].len() - 255]);
}

/// The records of a file that named-checkzone reads, one a line, in its canonical form.
fn checked(zone: &str, origin: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    let head =
        format!("$ORIGIN {origin}.\n$TTL 60\n@ SOA ns hm 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n");
    fs::write(&input, head + zone).unwrap();
    run(Command::new("named-checkzone").args(["-D", "-o"]).arg(&output).arg(origin).arg(&input));
    fs::read_to_string(&output).unwrap()
}

#[test]
fn bind_reads_the_zone_lines() {
    let (rsa, ed25519) = public_keys();
    let ran = records(POLICIES);
    // The consent to reports belongs to another zone.
    let (ours, theirs) = ran.out.split_once("; consent").unwrap();
    let zone = checked(ours, "example.org");
    let text = format!("v=DKIM1; k=rsa; p={rsa}");
    let (start, end) = text.split_at(255);
    for line in [
        format!("a._domainkey.example.org.\t\t      3600 IN TXT\t\"{start}\" \"{end}\""),
        format!("TXT\t\"v=DKIM1; k=ed25519; p={ed25519}\""),
        "TXT\t\"v=DMARC1; p=quarantine; np=reject; t=y; rua=mailto:dmarc@third.example\"".into(),
        "TXT\t\"v=spf1 mx -all\"".into(),
        "TXT\t\"v=TLSRPTv1; rua=mailto:tls@example.org\"".into(),
        "TXT\t\"v=STSv1; id=20261121\"".into(),
    ] {
        assert!(zone.contains(&line), "{line}\n{zone}");
    }
    let theirs = checked(&format!("; consent{theirs}"), "third.example");
    assert!(theirs.contains("example.org._report._dmarc.third.example."), "{theirs}");
}

#[test]
fn nsupdate_takes_its_commands() {
    let zone = Zone { origin: "example.org", negative_ttl_secs: 5, records: "" };
    let servers = NameServers::start(&[zone], &[]);
    let operator = Operator::of(&servers, "spf_record = \"v=spf1 -all\"\n");
    operator.add("example.org", "s1", Algorithm::Rsa);
    operator.add("example.org", "s2", Algorithm::Ed25519);
    let ran = operator.run(&["dns", "records", "example.org", "--format", "nsupdate"]);
    servers.update(ran.out.trim_end().trim_end_matches("send"));
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_cannot_be_published_is_refused() {
    let operator = operator();
    for (args, said) in [
        (&["--spf", "v=spf1 -al"][..], "syntax error"),
        (&["--dmarc-policy", "none", "--rua", "nobody"], "no address for reports"),
        (&["--mta-sts-id", "a;b"], "letters and digits"),
        (&["--delegate-to", "a..b"], "empty label"),
        (&["--testing"], "--dmarc-policy"),
    ] {
        let ran = operator.run(&[&["dns", "records", "example.org"], args].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
}

#[test]
fn cautions_are_given() {
    let ran = records(&["--dmarc-policy", "reject", "--rua", "a@example.org"]);
    assert!(ran.err.contains("caution: _dmarc.example.org: p=reject breaks"), "{ran:?}");
    let ran = records(&["--dmarc-policy", "none"]);
    assert!(ran.err.contains("caution: _dmarc.example.org: without rua="), "{ran:?}");
}

/// dkimpy's own tool writes the same record for the same key, but for `h=sha256`.
#[test]
fn dknewkey_agrees() {
    let dir = tempfile::tempdir().unwrap();
    for (key_type, selector) in [("rsa", "r1"), ("ed25519", "e1")] {
        let base = dir.path().join(selector);
        run(Command::new("dknewkey").args(["--ktype", key_type]).arg(&base));
        let theirs = fs::read_to_string(base.with_extension("dns")).unwrap();
        let key = fs::read_to_string(base.with_extension("key")).unwrap();
        let operator = Operator::new("");
        operator.add_known("example.org", selector, &pkcs8(key_type, &key));
        let ran = operator.run(&["dns", "records", "example.org", "--format", "json"]);
        let records: Value = serde_json::from_str(&ran.out).unwrap();
        let ours = records[0]["value"].as_str().unwrap().to_owned();
        // k= and h= follow in either order; a long text is in several strings.
        let joined = theirs.replace("\" \"", "").replace(['"', '\n'], "");
        for tag in [format!("k={key_type};"), ours[ours.find("p=").unwrap()..].to_owned()] {
            assert!(joined.contains(&tag), "{tag}\n{theirs}");
        }
    }
}

/// dkimpy keeps RSA keys as PKCS#1 and Ed25519 keys as the base64 of their seed; the store has PKCS#8.
fn pkcs8(key_type: &str, key: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    if key_type == "rsa" {
        fs::write(&path, key).unwrap();
        let out =
            run(Command::new("openssl").args(["pkcs8", "-topk8", "-nocrypt", "-in"]).arg(&path));
        return String::from_utf8(out.stdout).unwrap();
    }
    let engine = base64::engine::general_purpose::STANDARD;
    let seed = engine.decode(key.trim()).unwrap();
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = engine.encode([&prefix[..], &seed].concat());
    format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")
}

fn testkey(servers: &NameServers, operator: &Operator, selector: &str) -> Output {
    let conf = operator.path("opendkim.conf");
    let server = servers.servers[0].addr;
    let unbound = operator.path("unbound.conf");
    let text = format!("ResolverConfiguration {}\n", unbound.display());
    fs::write(&conf, text).unwrap();
    let (ip, port) = (server.ip(), server.port());
    let text = format!(
        "server:\n  do-not-query-localhost: no\n  module-config: \"iterator\"\n\
         stub-zone:\n  name: \"example.org\"\n  stub-addr: {ip}@{port}\n"
    );
    fs::write(&unbound, text).unwrap();
    let pem = operator.path(&format!("keys/example.org/{selector}.pem"));
    Command::new("opendkim-testkey")
        .args(["-vv", "-d", "example.org", "-s", selector, "-x"])
        .arg(conf)
        .arg("-k")
        .arg(pem)
        .output()
        .unwrap()
}

/// Debian's opendkim-testkey fetches the record and compares it with the private key.
#[test]
fn opendkim_testkey_agrees() {
    let zone = Zone { origin: "example.org", negative_ttl_secs: 5, records: "" };
    let servers = NameServers::start(&[zone], &[]);
    let operator = Operator::of(&servers, "");
    operator.add("example.org", "r1", Algorithm::Rsa);
    operator.add("example.org", "e1", Algorithm::Ed25519);
    assert_eq!(operator.run(&["dns", "publish", "example.org"]).code, Some(0));
    let output = testkey(&servers, &operator, "r1");
    assert!(output.status.success(), "{output:?}");
    // It reads RSA keys alone, though OpenDKIM itself verifies by Ed25519.
    let output = testkey(&servers, &operator, "e1");
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("expecting an rsa key"), "{output:?}");

    let another = Operator::of(&servers, "");
    another.add("example.org", "r1", Algorithm::Rsa);
    let output = testkey(&servers, &another, "r1");
    assert!(!output.status.success(), "another private key: {output:?}");
}
