//! Import and export: what other software left is taken over or refused for the stated reason, and
//! OpenDKIM itself says which key its tables mean.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mailseal::config::Loaded;
use mailseal::dkim::signing_key::{SigningKey, generate_ed25519, generate_rsa};
use mailseal::keys::import::tables::Kind;
use mailseal::keys::import::{OpenDkim, Plan, conf, opendkim, rspamd};
use mailseal::keys::{DomainName, LiveRing, Store};
use mailseal::message::envelope::Envelope;
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::runtime::Runtime;
use mailseal::verdict::Change;
use support::keys::forced;
use tempfile::TempDir;

/// Files to be imported, and a store of its own.
struct Fixture {
    dir: TempDir,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "[identity]\nauthserv_id = \"mx.example.org\"\n";
        fs::write(dir.path().join("mailseal.toml"), text).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file; `DIR/` in it is this fixture's directory.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // The base64 of a key may hold `DIR/` as well.
        let is_key = text.contains("PRIVATE KEY");
        let dir = format!("{}/", self.dir.path().display());
        fs::write(&path, if is_key { text.to_owned() } else { text.replace("DIR/", &dir) })
            .unwrap();
        path
    }

    fn run(&self, args: &[&str]) -> Ran {
        let args = args.iter().map(|arg| arg.replace("DIR", self.dir.path().to_str().unwrap()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.arg("keys").args(args).arg("--config").arg(self.path("mailseal.toml"));
        let output = command.output().unwrap();
        let text = |octets: Vec<u8>| {
            String::from_utf8(octets).unwrap().replace(self.dir.path().to_str().unwrap(), "DIR")
        };
        let ran =
            Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        // How the base64 of RSA and Ed25519 keys begins.
        for (text, key) in [&ran.out, &ran.err].into_iter().flat_map(|t| [(t, "MII"), (t, "MC4C")])
        {
            assert!(!text.contains(key), "a private key is shown: {text}");
        }
        ran
    }

    fn store(&self) -> Store {
        Store::new(self.path("keys"))
    }

    /// The keys of the store, as `domain/selector state`.
    fn stored(&self) -> Vec<String> {
        let Ok((domains, problems)) = self.store().domains() else { return Vec::new() };
        assert!(problems.is_empty(), "{problems:?}");
        let keys = |domain: &DomainName| {
            let (keys, problems) = self.store().keys(domain).unwrap();
            assert!(problems.is_empty(), "{problems:?}");
            let line = |key: &mailseal::keys::Key| {
                key.signing_key().unwrap();
                format!("{domain}/{} {} {}", key.selector(), key.algorithm(), key.state())
            };
            keys.iter().map(line).collect::<Vec<_>>()
        };
        domains.iter().flat_map(keys).collect()
    }
}

fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn program(name: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(name).args(args).output().ok()?;
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn keys_of_every_usable_form_become_pkcs8() {
    let fixture = Fixture::new();
    let path = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    for bits in ["2048", "3072", "4096"] {
        let pkcs8 = path(&format!("p8-{bits}"));
        openssl(&["genrsa", "-out", &pkcs8, bits]);
        openssl(&["rsa", "-traditional", "-in", &pkcs8, "-out", &path(&format!("p1-{bits}"))]);
    }
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &path("ed")]);
    // Text around the block, CRLF at its lines, and a certificate before it.
    let pem = fs::read_to_string(path("p8-2048")).unwrap();
    fixture.write("around", &format!("Bag Attributes\n\n{}\nmore\n", pem.replace('\n', "\r\n")));
    let names = ["p8-2048", "p1-2048", "p8-3072", "p1-3072", "p8-4096", "p1-4096", "ed", "around"];
    for (index, name) in names.iter().enumerate() {
        let selector = format!("s{index}");
        let ran = fixture.run(&[
            "import",
            &path(name),
            "--domain",
            "Example.org.",
            "--selector",
            &selector,
        ]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}: {}", ran.out);
        let stored = fixture.path(&format!("keys/example.org/{selector}.pem"));
        assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o7777, 0o600);
        let text = fs::read_to_string(&stored).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{name}");
        let public = |file: &str| program("openssl", &["pkey", "-in", file, "-pubout"]);
        assert_eq!(public(stored.to_str().unwrap()), public(&path(name)), "{name}");
    }
    assert_eq!(fixture.stored().len(), names.len());
}

/// A file, what it holds, and a part of the refusal.
#[test]
fn what_cannot_sign_is_refused_by_name_with_its_remedy() {
    let fixture = Fixture::new();
    let path = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    let ok = path("ok");
    openssl(&["genrsa", "-out", &ok, "2048"]);
    for bits in ["512", "1024", "2047"] {
        openssl(&["genrsa", "-out", &path(bits), bits]);
    }
    let rsa = ["rsa", "-in", &ok, "-traditional", "-passout", "pass:x", "-aes128", "-out"];
    openssl(&[&rsa[..], &[&path("dek-info")]].concat());
    openssl(&["pkcs8", "-topk8", "-in", &ok, "-passout", "pass:x", "-out", &path("encrypted")]);
    openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &path("ec")]);
    openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &path("ec"), "-out", &path("ec-pkcs8")]);
    openssl(&["genpkey", "-algorithm", "ed448", "-out", &path("ed448")]);
    openssl(&["genpkey", "-algorithm", "rsa-pss", "-out", &path("pss")]);
    openssl(&["rsa", "-in", &ok, "-pubout", "-out", &path("public")]);
    openssl(&["req", "-x509", "-key", &ok, "-subj", "/CN=x", "-out", &path("certificate")]);
    let pem = fs::read_to_string(&ok).unwrap();
    fixture.write("truncated", &pem[..pem.len() / 2]);
    let (head, tail) = pem.split_at(pem.len() / 2);
    fixture.write("lines-lost", &format!("{}{}", &head[..head.len() - 300], tail));
    fixture.write("changed", &pem.replacen("MII", "MIJ", 1));
    fixture.write("several", &pem.repeat(2));
    fixture.write("empty", "");
    fixture.write("text", "example.org is our domain\n");
    fixture.write("huge", &"x".repeat(100_000));
    let openssh =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----\n";
    fixture.write("openssh", openssh);
    fs::write(fixture.path("binary"), [0, 159, 146, 150]).unwrap();
    nix::unistd::mkfifo(&fixture.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (name, part) in [
        ("512", "RSA key of 512 bits is too small"),
        (
            "1024",
            "RSA key of 1024 bits is too small to sign with (2048 is the least); make a new one with mailseal keys generate",
        ),
        ("2047", "RSA key of 2047 bits"),
        ("dek-info", "encrypted with a passphrase"),
        ("encrypted", "openssl pkey -in FILE -out NEW"),
        ("ec", "of type EC"),
        ("ec-pkcs8", "of type EC"),
        ("ed448", "of type Ed448"),
        ("pss", "of type RSA-PSS"),
        ("public", "holds a public key"),
        ("certificate", "holds a certificate"),
        ("truncated", "is cut short"),
        ("lines-lost", "is damaged"),
        ("changed", "is damaged"),
        ("several", "several private keys"),
        ("empty", "holds no private key"),
        ("text", "holds no private key"),
        ("huge", "has more than"),
        ("openssh", "is an OpenSSH key"),
        ("binary", "is no text"),
        ("fifo", "is a FIFO"),
        ("missing", "no such file"),
    ] {
        let ran = fixture.run(&["import", &path(name), "--domain", "a.example", "--selector", "s"]);
        assert_eq!(ran.code, Some(1), "{name}: {} {}", ran.out, ran.err);
        assert!(
            ran.err.contains(&format!("DIR/{name}: ")) && ran.err.contains(part),
            "{}",
            ran.err
        );
        assert_eq!(fixture.stored(), [""; 0], "{name}");
    }
}

#[test]
fn opendkim_genkeys_directories_are_read() {
    let fixture = Fixture::new();
    let genkey = |dir: &str, args: &[&str]| {
        let dir = fixture.path(dir);
        fs::create_dir_all(&dir).unwrap();
        let all = [&["-D", dir.to_str().unwrap()], args].concat();
        program("opendkim-genkey", &all).expect("opendkim-tools is installed");
    };
    genkey("old/example.org", &["-s", "mail", "-d", "example.org"]);
    // The directory names the domain where the tool was not told it.
    genkey("old/example.net", &["-s", "two"]);
    // And its comment does, where the directory does not.
    genkey("flat", &["-s", "three", "-d", "example.com"]);
    let ran = fixture.run(&["import", "DIR/old", "DIR/flat"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(
        fixture.stored(),
        [
            "example.com/three rsa pending",
            "example.net/two rsa pending",
            "example.org/mail rsa pending"
        ]
    );
    let activate = "mailseal keys activate example.org --selector mail --force --config DIR/";
    assert!(ran.out.contains(activate), "{}", ran.out);
    // The public half is the one that the tool said to publish.
    let record = fs::read_to_string(fixture.path("old/example.org/mail.txt")).unwrap();
    let quoted = |text: &str| text.split('"').skip(1).step_by(2).collect::<String>();
    let printed = Command::new(env!("CARGO_BIN_EXE_mailseal"))
        .args(["dns", "records", "example.org", "--config"])
        .arg(fixture.path("mailseal.toml"))
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let (_, p) =
        quoted(&record).split_once("p=").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(quoted(&printed).contains(&format!("p={p}")), "{printed}");

    genkey("weak", &["-s", "mail", "-d", "example.org", "-b", "1024"]);
    let ran = fixture.run(&["import", "DIR/weak"]);
    assert!(ran.code == Some(1) && ran.err.contains("1024 bits"), "{}", ran.err);
}

#[test]
fn rspamds_own_keys_are_read() {
    let fixture = Fixture::new();
    let rspamadm = |kind: &str, name: &str| {
        let path = fixture.path(name);
        let args =
            ["dkim_keygen", "-t", kind, "-b", "2048", "-s", "dkim", "-d", "example.org", "-k"];
        program("rspamadm", &[&args[..], &[path.to_str().unwrap()]].concat())
    };
    let Some(record) = rspamadm("ed25519", "example.org.ed.key") else {
        eprintln!("rspamadm is not installed: its keys are not tested");
        return;
    };
    rspamadm("rsa", "example.org.dkim.key");
    let ran = fixture.run(&["import", "--pattern", "DIR/$domain.$selector.key"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(
        fixture.stored(),
        ["example.org/dkim rsa pending", "example.org/ed ed25519 pending"]
    );
    let (keys, _) = fixture.store().keys(&DomainName::parse("example.org").unwrap()).unwrap();
    let ed = keys.iter().find(|key| key.selector().as_str() == "ed").unwrap();
    let public = base64_of(&ed.signing_key().unwrap().public_key());
    assert!(record.contains(&format!("p={public}")), "{record}");
}

fn base64_of(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

#[test]
fn directories_of_rspamd_mailcow_and_maddy_are_read() {
    let fixture = Fixture::new();
    let rsa = generate_rsa(2048).unwrap();
    fixture.write("all/a.example.dkim.key", &rsa);
    fixture.write("all/b.example.dkim", &rsa);
    fixture.write("all/c.example_default.key", &rsa);
    fixture.write("all/c.example_default.dns", "v=DKIM1; p=x");
    fixture.write("all/d.example/s1.pem", &rsa);
    fixture.write("all/README", "mine");
    let ran = fixture.run(&["import", "DIR/all"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(ran.out.contains("DIR/all/README: left alone"), "{}", ran.out);
    let expected = ["a.example/dkim", "b.example/dkim", "c.example/default", "d.example/s1"];
    assert_eq!(fixture.stored(), expected.map(|key| format!("{key} rsa pending")));
}

#[test]
fn rspamds_configuration_is_read() {
    let fixture = Fixture::new();
    let rsa = generate_rsa(2048).unwrap();
    let ed = generate_ed25519().unwrap();
    fixture.write("dkim/a.example.dkim.key", &rsa);
    fixture.write("dkim/b.example.2026.key", &rsa);
    fixture.write("dkim/own.key", &rsa);
    fixture.write("dkim/own-ed.key", &ed);
    fixture.write("selectors", "b.example 2026\n");
    let conf = fixture.write(
        "dkim_signing.conf",
        r#"
        # Ours.
        path = "DIR/dkim/$domain.$selector.key";
        selector = "dkim";
        use_esld = false;
        selector_map = "DIR/selectors";
        domain {
            c.example {
                selectors [
                    { path: "DIR/dkim/own.key"; selector: "s1" },
                    { path: "DIR/dkim/own-ed.key"; selector: "s2" }
                ]
            }
        }
        "#,
    );
    let ran = fixture.run(&["import", "--rspamd", conf.to_str().unwrap(), "--activate", "--force"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(
        fixture.stored(),
        [
            "a.example/dkim rsa active",
            "b.example/2026 rsa active",
            "c.example/s1 rsa active",
            "c.example/s2 ed25519 active"
        ]
    );
    let redis = fixture.write("redis.conf", "\ndkim_signing {\n  use_redis = true;\n}\n");
    let ran = fixture.run(&["import", "--rspamd", redis.to_str().unwrap()]);
    assert!(
        ran.code == Some(1) && ran.err.contains("redis.conf:3: the keys are in Redis"),
        "{}",
        ran.err
    );
    let broken = fixture.write("broken.conf", "domain {\n a {\n");
    let ran = fixture.run(&["import", "--rspamd", broken.to_str().unwrap()]);
    assert!(ran.code == Some(1) && ran.err.contains("broken.conf:2: "), "{}", ran.err);
}

const KEYS: &str = "\
mail example.org:mail:DIR/k
org2 example.org:two:DIR/k
net example.net:mail:DIR/k
esp esp.example:esp:DIR/k
own %:own:DIR/k
each %:each:DIR/each/%.key
";

#[test]
fn what_a_table_says_and_mailseal_cannot_is_refused_and_nothing_written() {
    let fixture = Fixture::new();
    fixture.write("k", &generate_rsa(2048).unwrap());
    fixture.write("kt", &format!("{KEYS}broken example.org\ninline example.org:s:MIIEow\n"));
    fixture.write(
        "st",
        "*@example.org mail\n*@*.example.org mail\njoe@example.org mail\njoe@example.com net\n\
         *@a*b.example mail\n*@example.edu none\n*@* own\n*@example.gov mail\n",
    );
    let args = ["import", "--key-table", "file:DIR/kt", "--signing-table", "refile:DIR/st"];
    let ran = fixture.run(&args);
    assert_eq!(ran.code, Some(1));
    for part in [
        "DIR/kt:7: is not of the form",
        "DIR/kt:8: holds the key itself",
        "DIR/st:4: mailseal signs by the author domain, not by address",
        "DIR/st:5: mailseal signs by the author domain, and this pattern names none",
        "DIR/st:6: the KeyTable has no key of the name \"none\"",
        "DIR/st:7: one key signs as each author domain",
        "nothing was imported",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(ran.out.contains("DIR/st:3: left out"), "{}", ran.out);
    assert_eq!(fixture.stored(), [""; 0]);
    let dry = fixture.run(&[&args[..], &["--partial", "--dry-run"]].concat());
    assert_eq!((dry.code, fixture.stored().len()), (Some(1), 0));
    let ran = fixture.run(&[&args[..], &["--partial"]].concat());
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains(
        "[[sign.map]]\nfrom = \"*.example.org\"\ndomain = \"example.org\"\nauid = false\n"
    ));
    let stored = fixture.stored();
    assert!(stored.contains(&"example.org/mail rsa pending".to_owned()), "{stored:?}");
    // What is printed is a configuration.
    let (_, maps) = ran.out.split_once("for others:\n").unwrap();
    let (maps, _) = maps.split_once(" imported").unwrap();
    let (maps, _count) = maps.trim_end().rsplit_once('\n').unwrap();
    Loaded::parse(maps, Path::new("maps"), Path::new("")).unwrap();

    let again = fixture.run(&[&args[..], &["--partial"]].concat());
    assert!(again.out.contains("mail of example.org is in the store already"), "{}", again.out);
    fixture.write("k", &generate_rsa(2048).unwrap());
    let other = fixture.run(&[&args[..], &["--partial"]].concat());
    assert!(other.err.contains("the store has another key mail of example.org"), "{}", other.err);
}

#[test]
fn opendkims_configuration_is_read() {
    let fixture = Fixture::new();
    fixture.write("k", &generate_rsa(2048).unwrap());
    fixture.write("kt", "mail example.org:mail:DIR/k\n");
    fixture.write("st", "example.org mail\n");
    let conf =
        "Syslog yes\nkeytable DIR/kt\nSigningTable DIR/st\nInternalHosts 10.0.0.0/8 # ours\n";
    fixture.write("tables.conf", conf);
    let ran = fixture.run(&["import", "--opendkim", "DIR/tables.conf", "--dry-run"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(ran.out.contains("mail of example.org: rsa of 2048 bits, signs: DIR/k"), "{}", ran.out);
    assert!(ran.out.contains("InternalHosts (identity.trusted_networks)"), "{}", ran.out);
    let conf = "Domain example.org, example.net\nSelector s1\nKeyFile DIR/k\nSubDomains yes\n";
    fixture.write("single.conf", conf);
    let ran = fixture.run(&["import", "--opendkim", "DIR/single.conf"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(fixture.stored(), ["example.net/s1 rsa pending", "example.org/s1 rsa pending"]);
    assert!(ran.out.contains("from = \"*.example.net\""), "{}", ran.out);
    fixture.write("db.conf", "\nKeyTable dsn:mysql://x\nSigningTable db:/x\n");
    let ran = fixture.run(&["import", "--opendkim", "DIR/db.conf"]);
    assert!(ran.code == Some(1) && ran.err.contains("DIR/db.conf:2: \"dsn:mysql"), "{}", ran.err);
}

/// The From addresses that each table is tried with.
const FROMS: [&str; 10] = [
    "joe@example.org",
    "Ann@EXAMPLE.org",
    "joe@a.example.org",
    "joe@b.a.example.org",
    "joe@example.net",
    "joe@x.example.net",
    "joe@esp.example",
    "joe@elsewhere.example",
    "joe@evilexample.org",
    "joe@one.example",
];

/// Tables, with the From addresses for which what we sign differs, as the import must have said.
const TABLES: &[(Kind, bool, &str, &[&str])] = &[
    (Kind::Refile, false, "*@example.org mail\n*@*.example.org mail\n*@example.net net\n", &[]),
    (
        Kind::Refile,
        false,
        "*@*.example.org net\n*@a.example.org mail\n*@example.org mail\n*@example.net net\n",
        &[],
    ),
    (Kind::Refile, false, "*@a.example.org mail\n*@*.example.org net\n*@* esp\n", &[]),
    (Kind::Refile, false, "*@* esp\n*@example.org mail\n", &[]),
    (Kind::Refile, false, "*example.org mail\n", &["joe@evilexample.org"]),
    (Kind::Refile, false, "*@example.org mail:@%\n*@*.example.org mail:@%\n", &[]),
    (Kind::Refile, false, "*@one.example own\n*@example.org own\n", &[]),
    (Kind::Refile, false, "*@* each\n", &[]),
    (Kind::Refile, false, "example.org mail\n*@example.net net\n", &[]),
    (Kind::Refile, true, "*@example.org mail\n*@* esp\n*@*.example.org net\n", &[]),
    (
        Kind::Refile,
        true,
        "*@a.example.org esp\n*@a.example.org net\n*@esp.example esp\n*@example.net net\n",
        &[],
    ),
    (
        Kind::File,
        false,
        "example.org mail\n.example.org net\n.a.example.org esp\nexample.net net\nesp.example esp\n",
        &[],
    ),
    (Kind::File, false, "* esp\n.org mail\nexample.org mail\n", &[]),
    (Kind::File, false, "example.org mail\nexample.org net\n*@example.net net\n", &[]),
    (Kind::File, true, "* esp\n.example.org mail\nexample.org mail\n", &[]),
    // A domain whose key signs others' mail only: its own mail is signed now, too.
    (Kind::File, false, "example.net esp\n", &["joe@esp.example"]),
];

/// OpenDKIM reads the tables and signs, and so do we by what was imported: the same domains and
/// selectors, and `i=` where it has one.
#[tokio::test]
async fn each_author_is_signed_for_as_by_opendkim() {
    for (kind, multiple, signing, differing) in TABLES {
        let fixture = Fixture::new();
        fixture.write("k", &generate_rsa(2048).unwrap());
        for domain in ["example.org", "a.example.org", "one.example"] {
            let rsa = fs::read_to_string(fixture.path("k")).unwrap();
            fixture.write(&format!("each/{domain}.key"), &rsa);
        }
        fixture.write("kt", KEYS);
        fixture.write("st", signing);
        let tables = OpenDkim {
            key_table: fixture.path("kt"),
            signing_table: fixture.path("st"),
            kind: *kind,
            multiple: *multiple,
        };
        let mut plan = Plan::default();
        let texts =
            [&tables.key_table, &tables.signing_table].map(|p| fs::read_to_string(p).unwrap());
        opendkim(&mut plan, &tables, &texts[0], &texts[1]);
        assert_eq!(plan.refused, [""; 0], "{signing}");
        let runtime = imported(&fixture, &plan);
        for from in FROMS {
            let (ours, theirs) =
                (signed(&runtime, from).await, by_opendkim(&fixture, &tables, from));
            let differs = differing.contains(&from);
            assert_eq!(
                ours != theirs,
                differs,
                "{from}\n{signing}\nours {ours:?}\nOpenDKIM {theirs:?}\n{:#?}",
                plan.notes
            );
            assert!(!differs || !plan.notes.is_empty());
        }
    }
}

/// The runtime that the plan gives once its keys are active and its maps pasted.
fn imported(fixture: &Fixture, plan: &Plan) -> Arc<Runtime> {
    let store = fixture.store();
    for key in &plan.keys {
        key.write(&store, 1).unwrap();
    }
    for key in plan.keys.iter().filter(|key| key.signs) {
        forced(&store, &key.domain, Some(&key.selector), 2).unwrap();
    }
    let mut text = String::new();
    plan.maps.iter().for_each(|map| write!(text, "{map}").unwrap());
    let mut config = Loaded::parse(&text, Path::new("maps"), fixture.dir.path()).unwrap().config;
    config.sign.keys = fixture.path("keys");
    config.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    Arc::new(Runtime::build(config).unwrap())
}

fn message(from: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: x@example.net\r\nSubject: x\r\n\r\nbody\r\n").into_bytes()
}

/// `d= s= i=` of each signature.
async fn signed(runtime: &Arc<Runtime>, from: &str) -> BTreeSet<String> {
    let envelope = Envelope { auth_user: Some("joe".into()), ..Envelope::default() };
    let (draft, body) = file::parse(&message(from), envelope, &runtime.config.limits);
    let verdict = Inspection::whole(runtime, draft, body).await;
    let value = |change: &Change| match change {
        Change::InsertHeader { name, value } if name == "DKIM-Signature" => Some(tags(value)),
        _ => None,
    };
    verdict.changes.iter().filter_map(value).collect()
}

fn tags(signature: &str) -> String {
    let tags = signature.split(';').map(str::trim);
    let wanted = tags.filter(|tag| ["d=", "s=", "i="].iter().any(|name| tag.starts_with(name)));
    wanted.collect::<Vec<_>>().join(" ")
}

/// The same of OpenDKIM, whose test mode prints the fields that it would add.
fn by_opendkim(fixture: &Fixture, tables: &OpenDkim, from: &str) -> BTreeSet<String> {
    let kind = if tables.kind == Kind::Refile { "refile" } else { "file" };
    let multiple = if tables.multiple { "yes" } else { "no" };
    let conf = fixture.write(
        "conf",
        &format!(
            "Mode s\nKeyTable DIR/kt\nSigningTable {kind}:DIR/st\nMultipleSignatures {multiple}\n\
         RequireSafeKeys no\nInternalHosts 127.0.0.1\n"
        ),
    );
    let path = fixture.path("message");
    fs::write(&path, message(from)).unwrap();
    let output = Command::new("/usr/sbin/opendkim")
        .args(["-x", conf.to_str().unwrap(), "-vv", "-t", path.to_str().unwrap()])
        .output()
        .expect("opendkim is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let values = text.split("hname='DKIM-Signature' hvalue='").skip(1);
    values
        .map(|value| {
            let tags = tags(value);
            // i= of d= itself says what its absence says.
            let d = tags.split(' ').find_map(|tag| tag.strip_prefix("d=")).unwrap_or_default();
            tags.replace(&format!(" i=@{d}"), "")
        })
        .collect()
}

/// Tables of words that tables are made of: nothing panics, what is planned can be pasted, and what
/// is said are lines for a terminal.
#[test]
fn any_table_gives_a_plan_or_reasons() {
    use proptest::prelude::*;
    let word = prop::sample::select(vec![
        "k1",
        "k2",
        "%",
        "*",
        "@",
        ".",
        ":",
        " ",
        "\n",
        "\t",
        "#",
        "example.org",
        "a.example.org",
        "bücher.example",
        "org",
        "joe",
        "*@*",
        "*@",
        "*.",
        "./no",
        "/",
        "\x1b[1m",
        "mail",
        ",",
        "{",
        "}",
        "[",
        "]",
        "=",
        ";",
        "domain",
        "selector",
        "path",
        "selectors",
        "use_esld",
        "\"",
        "/*",
        "KeyTable",
        "SigningTable",
        "refile:",
        "Domain",
        "KeyFile",
        "Selector",
        "SubDomains",
        "yes",
    ]);
    let text = prop::collection::vec(word, 0..60).prop_map(|words| words.concat());
    let dir = tempfile::tempdir().unwrap();
    let sound = |plan: &Plan| {
        for line in plan.notes.iter().chain(&plan.refused) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let maps: String = plan.maps.iter().map(ToString::to_string).collect();
        Loaded::parse(&maps, Path::new("maps"), Path::new("")).unwrap();
    };
    let key = dir.path().join("k");
    fs::write(&key, generate_ed25519().unwrap()).unwrap();
    let names = ["k1", "k2", "example.org", "*"];
    let keys: String = names
        .iter()
        .map(|name| format!("{name} {name}.example:s:{}\n", key.display()).replace("*.", "any."))
        .collect();
    let config =
        ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(soup in text.clone(), signing in text)| {
        for (kind, multiple) in [(Kind::File, false), (Kind::Refile, false), (Kind::Refile, true)] {
            let tables = OpenDkim {
                key_table: "kt".into(), signing_table: "st".into(), kind, multiple,
            };
            let mut plan = Plan::default();
            opendkim(&mut plan, &tables, &format!("{keys}{soup}"), &signing);
            sound(&plan);
        }
        let mut plan = Plan::default();
        let conf = conf::parse(&mut plan, Path::new("opendkim.conf"), &soup);
        conf.single(&mut plan, Path::new("opendkim.conf"));
        sound(&plan);
        let mut plan = Plan::default();
        let soup = format!("{soup}\npath = \"{}/$domain.key\";", dir.path().display());
        rspamd(&mut plan, Path::new("dkim_signing.conf"), &soup);
        sound(&plan);
    });
}

#[test]
fn exported_keys_come_back() {
    let fixture = Fixture::new();
    fixture.write("k", &generate_rsa(2048).unwrap());
    fixture.run(&["import", "DIR/k", "--domain", "example.org", "--selector", "s1"]);
    let out = fixture.path("out");
    fs::create_dir(&out).unwrap();
    let ran = fixture.run(&["export", "example.org", "s1", "DIR/out"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    for name in ["s1.private", "s1.txt"] {
        let mode = fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let key = SigningKey::from_pem(&fs::read_to_string(out.join("s1.private")).unwrap()).unwrap();
    let stored = LiveRing::load(&fixture.path("keys")).1;
    assert!(stored.is_empty(), "{stored:?}");
    let before = fs::read_to_string(fixture.path("k")).unwrap();
    assert_eq!(key.public_key(), SigningKey::from_pem(&before).unwrap().public_key());
    let again = fixture.run(&["export", "example.org", "s1", "DIR/out"]);
    assert!(again.code == Some(3) && again.err.contains("s1.private: is there"), "{}", again.err);
    let none = fixture.run(&["export", "example.org", "s2", "DIR/out"]);
    assert!(none.err.contains("example.org has no key s2"), "{}", none.err);
    assert_eq!(none.code, Some(2), "as keys retire has it");
    assert_eq!(fixture.run(&["retire", "example.org", "s2"]).code, Some(2));
    assert_eq!(fixture.run(&["export", "example.net", "s1", "DIR/out"]).code, Some(2));
    assert_eq!(fixture.run(&["import", "--opendkim", "DIR/none"]).code, Some(3), "a file");

    let other = Fixture::new();
    let ran = other.run(&["import", out.to_str().unwrap()]);
    assert_eq!((ran.code, other.stored()), (Some(0), vec!["example.org/s1 rsa pending".into()]));
}

/// Private keys of another filter are not opened to more users for an import.
#[test]
fn what_only_root_may_read_is_for_root_to_import() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("left out: only root can be another user");
        return;
    }
    let fixture = Fixture::new();
    let key = fixture.write("dir/k.private", &generate_ed25519().unwrap());
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(fixture.dir.path(), Permissions::from_mode(0o755)).unwrap();
    for (path, mode) in [("dir/k.private", 0o755), ("dir/k.private", 0o700), ("dir", 0o700)] {
        fs::set_permissions(fixture.path("dir"), Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.args(["keys", "import", "--domain", "a.example", "--selector", "s"]);
        command.arg(fixture.path(path)).arg("--config").arg(fixture.path("mailseal.toml"));
        let output = command.uid(65_534).gid(65_534).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let said = "run this as root, who hands the keys to the owner of the key store";
        assert!(err.contains("ermission denied") && err.contains(said), "{path} {mode:o}: {err}");
        assert!(!err.contains("65534"), "{path} {mode:o}: {err}");
    }
}

#[test]
fn the_store_keeps_its_modes_whatever_is_imported() {
    let fixture = Fixture::new();
    let path = fixture.write("k", &generate_ed25519().unwrap());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let ran = fixture.run(&["import", "DIR/k", "--domain", "example.org", "--selector", "../x"]);
    assert!(ran.code == Some(1) && ran.err.contains("selector"), "{}", ran.err);
    let ran = fixture.run(&["import", "DIR/k", "--domain", "example.org/../x", "--selector", "x"]);
    assert!(ran.code == Some(1) && ran.err.contains("domain"), "{}", ran.err);
    assert_eq!(fixture.stored(), [""; 0]);
    let ran = fixture.run(&["import", "DIR/k"]);
    assert!(ran.err.contains("give it with --domain"), "{}", ran.err);
    assert_eq!(fixture.run(&["import"]).code, Some(2));
}
