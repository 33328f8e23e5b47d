//! The key store: keys are made, activated and published; what is wrong names its remedy.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use mailseal::dkim::record::{KeyRecord, PublicKey};
use mailseal::dkim::signing_key::generate_ed25519;
use mailseal::keys::sighting::{Observation, Shown};
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Selector, Store, StoreError};
use support::keys::{forced, load_ring};
use tempfile::TempDir;

/// A store of its own, and a config file that names it.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = "[identity]\nauthserv_id = \"mx.example.org\"\n\
                    [dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n";
        fs::write(dir.path().join("mailseal.toml"), text).expect("a config file");
        Self { dir }
    }

    /// Has these sections in the config file, too.
    fn configure(&self, sections: &str) {
        let path = self.dir.path().join("mailseal.toml");
        let text = fs::read_to_string(&path).expect("a config file");
        let text = text.split("[rotation]").next().unwrap_or_default();
        fs::write(&path, format!("{text}{sections}")).expect("a config file");
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn store(&self) -> Store {
        Store::new(self.root())
    }

    /// A domain with one active Ed25519 key named `k`.
    fn active(&self, name: &str) {
        let (domain, selector) = (domain(name), Selector::parse("k").expect("a selector"));
        let pem = generate_ed25519().expect("a key");
        let store = self.store();
        store.add(&domain, Some(selector), Algorithm::Ed25519, &pem, 1).expect("added");
        forced(&store, &domain, None, 2).expect("activated");
    }

    /// Runs the command with this fixture's config: exit code, output, complaints.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_mailseal"))
            .args(args)
            .arg("--config")
            .arg(self.dir.path().join("mailseal.toml"))
            .output()
            .expect("the command was built with the tests");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("it prints UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// What loading says, and the domains that can sign nevertheless.
    fn load(&self) -> (Vec<String>, Vec<String>) {
        let (ring, problems) = load_ring(&self.root());
        let mut domains: Vec<String> = ring.domains().map(ToString::to_string).collect();
        domains.sort();
        (domains, problems.iter().map(ToString::to_string).collect())
    }
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).expect("a domain")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

/// The names and texts of the TXT records in a zone file, read as RFC 1035 §5.1 has it.
fn zone_records(zone: &str) -> Vec<(String, String)> {
    let mut records: Vec<(String, String)> = Vec::new();
    for line in zone.lines().filter(|line| !line.starts_with(';')) {
        if let Some((name, _)) = line.split_once(". ").filter(|_| line.contains(" IN TXT ( ")) {
            records.push((name.to_owned(), String::new()));
        }
        let text = &mut records.last_mut().expect("a record starts with its name").1;
        for string in line.split('"').skip(1).step_by(2) {
            assert!(string.len() <= 255 && !string.contains('\\'), "{string}");
            text.push_str(string);
        }
    }
    records
}

#[test]
fn a_key_is_made_published_and_activated() {
    let fixture = Fixture::new();
    let (code, made, err) = fixture.run(&["keys", "generate", "Example.ORG.", "--selector", "s1"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(mode(&fixture.path("example.org")), 0o700);
    assert_eq!(mode(&fixture.path("example.org/s1.pem")), 0o600);
    assert_eq!(mode(&fixture.path("example.org/state.toml")), 0o600);

    assert!(fixture.load().0.is_empty(), "a pending key does not sign");
    let (code, _, err) = fixture.run(&["keys", "activate", "example.org"]);
    assert!(code == Some(3) && err.contains("its name servers cannot be found"), "{err}");
    assert!(fixture.load().0.is_empty(), "without --force nothing changes");
    assert_eq!(fixture.run(&["keys", "activate", "example.org", "--force"]).0, Some(0));

    let (ring, problems) = load_ring(&fixture.root());
    assert!(problems.is_empty(), "{problems:?}");
    let key = ring.for_domain("example.org")[0].clone();
    assert!(ring.for_domain("example.net").is_empty());

    let (code, records, _) = fixture.run(&["dns", "records", "example.org"]);
    assert_eq!(code, Some(0));
    assert_eq!(zone_records(&records), zone_records(&made));
    let (name, text) = zone_records(&records).remove(0);
    assert_eq!(name, "s1._domainkey.example.org");
    let published = KeyRecord::parse(text.as_bytes()).unwrap().key;
    let held = key.signing_key().unwrap();
    assert_eq!(PublicKey::from_octets(held.key_type(), &held.public_key()), Some(published));
}

#[test]
fn both_algorithms_sign_side_by_side_and_a_successor_retires_its_own_kind() {
    let fixture = Fixture::new();
    for _ in 0..2 {
        let (code, _, err) =
            fixture.run(&["keys", "generate", "example.org", "--algorithm", "both"]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert_eq!(fixture.run(&["keys", "activate", "example.org", "--force"]).0, Some(0));
    }
    let (code, list, _) = fixture.run(&["keys", "list"]);
    let states: Vec<Vec<&str>> = list
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().skip(1).take(2).collect())
        .collect();
    let expected =
        [["rsa", "retiring"], ["ed25519", "retiring"], ["rsa", "active"], ["ed25519", "active"]];
    assert_eq!((code, states), (Some(0), expected.map(Vec::from).to_vec()));
    assert!(list.starts_with("example.org\n    s20") && list.contains("-d "), "{list}");

    let (ring, _) = load_ring(&fixture.root());
    let algorithms = ring.for_domain("example.org").iter().map(|key| key.algorithm());
    assert_eq!(algorithms.collect::<Vec<_>>(), [Algorithm::Rsa, Algorithm::Ed25519]);
    let (_, records, _) = fixture.run(&["dns", "records", "example.org"]);
    assert_eq!(zone_records(&records).len(), 4);
}

#[test]
fn keys_are_never_overwritten() {
    let fixture = Fixture::new();
    let generate =
        ["keys", "generate", "example.org", "--selector", "S1", "--algorithm", "ed25519"];
    assert_eq!(fixture.run(&generate).0, Some(0));
    let before = fs::read(fixture.path("example.org/s1.pem")).unwrap();
    let (code, _, err) = fixture.run(&generate);
    assert!(code == Some(2) && err.contains("never overwritten"), "{err}");

    // Nor is a file that the state file does not know.
    fs::write(fixture.path("example.org/s2.pem"), "old").unwrap();
    let (code, ..) = fixture.run(&["keys", "generate", "example.org", "--selector", "s2"]);
    assert_eq!(code, Some(2));
    assert_eq!(fs::read(fixture.path("example.org/s1.pem")).unwrap(), before);
    assert_eq!(fs::read(fixture.path("example.org/s2.pem")).unwrap(), b"old");
}

#[test]
fn what_was_asked_wrongly_is_said_and_changes_nothing() {
    let fixture = Fixture::new();
    let long = format!("{}example.org", "a.".repeat(150));
    for args in [
        ["generate", "../example.org"],
        ["generate", "example/../org"],
        ["generate", "example..org"],
        ["generate", "localhost"],
        ["generate", &long],
        ["activate", "example.org"],
    ] {
        let (code, out, err) = fixture.run(&["keys", args[0], args[1], "--selector", "x"]);
        assert!(code == Some(2) && out.is_empty() && err.lines().count() == 1, "{args:?}: {err}");
    }
    for args in [
        ["keys", "generate", "example.org", "--selector", "../x"],
        ["keys", "generate", "example.org", "--selector", ""],
        ["keys", "generate", "example.org", "--bits", "1024"],
        ["keys", "activate", "example.org", "--force", "--selector=x"],
    ] {
        assert_eq!(fixture.run(&args).0, Some(2), "{args:?}");
    }
    assert_eq!(fixture.run(&["dns", "records", "example.org"]).0, Some(2));
    assert!(!fixture.root().exists());
}

#[test]
fn new_keys_are_as_the_configuration_has_them_and_are_made_on_the_primary_alone() {
    let fixture = Fixture::new();
    fixture.configure("[rotation]\nselectors = \"random\"\nrsa_bits = 3072\n");
    assert_eq!(fixture.run(&["keys", "generate", "example.org"]).0, Some(0));
    let (keys, _) = fixture.store().keys(&domain("example.org")).expect("readable");
    assert_eq!(keys[0].signing_key().expect("usable").bits(), 3072);
    assert!(!keys[0].selector().as_str().starts_with("s20"), "{}", keys[0].selector());
    fixture.configure("[rotation]\nprimary = false\n");
    for args in [
        &["keys", "generate", "example.org"][..],
        &["keys", "import", "--domain", "example.org", "k.private"],
    ] {
        let (code, _, err) = fixture.run(args);
        assert!(code == Some(2) && err.contains("run this on the primary"), "{args:?}: {err}");
    }
}

#[test]
fn a_list_for_machines_has_the_shape_of_the_status() {
    let fixture = Fixture::new();
    fixture.active("example.org");
    let json = |args: &[&str]| -> (Option<i32>, serde_json::Value) {
        let (code, out, err) = fixture.run(args);
        (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
    };
    let (code, list) = json(&["keys", "list", "--json"]);
    assert_eq!(code, Some(0), "{list}");
    let key = &list["domains"][0]["keys"][0];
    assert_eq!((&key["selector"], &key["state"]), (&"k".into(), &"active".into()));
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let (_, status) = json(&["keys", "status", "--offline", "--json"]);
    assert_eq!(names(&list), names(&status));
    assert_eq!(names(key), names(&status["domains"][0]["keys"][0]));
    // Its faults are in it, and it is whole all the same.
    fs::set_permissions(fixture.path("example.org/k.pem"), Permissions::from_mode(0o644)).unwrap();
    let (code, list) = json(&["keys", "list", "--json"]);
    let problem = list["domains"][0]["problems"][0].as_str().unwrap();
    assert!(code == Some(3) && problem.contains("mode 0644"), "{list}");
}

/// As the help says.
#[test]
fn a_pending_key_is_revoked_at_once_and_one_that_signs_is_not() {
    let fixture = Fixture::new();
    fixture.active("example.org");
    let generate = ["keys", "generate", "example.org", "--selector", "p", "--algorithm", "ed25519"];
    assert_eq!(fixture.run(&generate).0, Some(0));
    let revoke = |selector: &str| fixture.run(&["keys", "revoke", "example.org", selector]);
    let (code, out, err) = revoke("p");
    assert!(code == Some(0) && out.contains("example.org: p is revoked"), "{out}{err}");
    let (code, out, err) = revoke("k");
    assert!(code == Some(2) && out.is_empty() && err.contains("say --now"), "{out}{err}");
    let help = Command::new(env!("CARGO_BIN_EXE_mailseal"))
        .args(["keys", "revoke", "--help"])
        .output()
        .expect("the command was built with the tests");
    let help =
        String::from_utf8_lossy(&help.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let said =
        "A pending key, and a retiring one whose time is over, are revoked at once. Any other";
    assert!(help.contains(said), "{help}");
}

#[test]
fn a_stolen_key_is_revoked_though_nothing_can_be_published() {
    let fixture = Fixture::new();
    fixture.active("example.org");
    let key_file = fixture.dir.path().join("none.key");
    fixture.configure(&format!(
        "[publish]\nserver = \"127.0.0.1:1\"\nkey_file = \"{}\"\n",
        key_file.display()
    ));
    let args = ["keys", "revoke", "example.org", "k", "--now", "--force"];
    let (code, out, err) = fixture.run(&args);
    // What was done, and that the record with an empty p= is still to come.
    assert!(code != Some(0) && out.contains("example.org: k is revoked"), "{out}{err}");
    assert!(err.contains("none.key"), "{err}");
    let state = fixture.store().state(&domain("example.org")).expect("readable");
    let states: Vec<_> = state.keys.iter().map(|key| key.state.to_string()).collect();
    assert_eq!(states, ["revoked", "pending"]);
}

#[test]
fn a_rotation_is_rolled_back_unless_the_old_record_is_gone() {
    let fixture = Fixture::new();
    fixture.active("example.org");
    let (store, name) = (fixture.store(), domain("example.org"));
    let pem = generate_ed25519().expect("a key");
    let later = Some(Selector::parse("later").expect("a selector"));
    store.add(&name, later, Algorithm::Ed25519, &pem, 3).expect("added");
    forced(&store, &name, None, 4).expect("activated");
    let observation = Observation {
        asked: 5,
        servers: vec![("ns1.example.org".to_owned(), Shown::Wrong)],
        negative_secs: None,
    };
    let selector = Selector::parse("k").expect("a selector");
    store.observe(&name, &[(selector, observation)]).expect("written");
    let back = ["keys", "rotate", "example.org", "--rollback"];
    let (code, out, err) = fixture.run(&back);
    assert!(code == Some(2) && out.is_empty(), "{out}{err}");
    assert!(err.contains("the record of k was not right at ns1.example.org"), "{err}");
    assert!(err.contains("or say --force"), "{err}");
    let (code, out, _) = fixture.run(&[&back[..], &["--force"]].concat());
    assert!(code == Some(0) && out.contains("k signs again in place of later"), "{out}");
    // DNS that does not answer is told, and does not hold up the order.
    let (code, out, err) = fixture.run(&back);
    assert!(code == Some(0) && out.contains("later signs again in place of k"), "{out}{err}");
    assert!(err.contains("its name servers cannot be found"), "{err}");
}

#[test]
fn what_others_may_read_is_refused_with_the_command_that_mends_it() {
    for (name, bad, good) in [
        ("example.org/k.pem", 0o644, 0o600),
        ("example.org/k.pem", 0o640, 0o600),
        ("example.org/state.toml", 0o664, 0o600),
        ("example.org", 0o755, 0o700),
        ("", 0o777, 0o755),
    ] {
        let fixture = Fixture::new();
        fixture.active("example.org");
        let path = if name.is_empty() { fixture.root() } else { fixture.path(name) };
        chmod(&path, bad);
        let (domains, problems) = fixture.load();
        let said = format!(
            "{0}: mode {bad:04o} lets others at it; run: chmod {good:o} {0}",
            path.display()
        );
        assert_eq!((domains, problems), (vec![], vec![said]));
        chmod(&path, good);
        assert_eq!(fixture.load(), (vec!["example.org".to_owned()], vec![]));
    }
}

#[test]
fn symbolic_links_are_not_followed_and_the_remedy_works() {
    for name in ["example.org/k.pem", "example.org/state.toml", "example.org"] {
        let fixture = Fixture::new();
        fixture.active("example.org");
        let moved = fixture.dir.path().join("moved");
        fs::rename(fixture.path(name), &moved).unwrap();
        symlink(&moved, fixture.path(name)).unwrap();
        let (domains, problems) = fixture.load();
        assert!(domains.is_empty() && problems.len() == 1, "{name}: {problems:?}");
        let (_, remedy) = problems[0].split_once("run: ").unwrap();
        assert!(Command::new("sh").args(["-c", remedy]).status().unwrap().success());
        assert_eq!(fixture.load(), (vec!["example.org".to_owned()], vec![]), "{name}");
    }
}

#[test]
fn a_broken_domain_leaves_the_others_alone() {
    let fixture = Fixture::new();
    for name in ["a.example", "b.example", "c.example", "d.example", "e.example", "good.example"] {
        fixture.active(name);
    }
    fs::write(fixture.path("a.example/state.toml"), "version = ").unwrap();
    fs::remove_file(fixture.path("b.example/state.toml")).unwrap();
    fs::remove_file(fixture.path("c.example/k.pem")).unwrap();
    fs::write(fixture.path("d.example/k.pem"), "x".repeat(20_000)).unwrap();
    fs::write(fixture.path("e.example/k.pem"), b"\xff\xfe").unwrap();
    fs::create_dir(fixture.path("Upper.example")).unwrap();
    fs::create_dir(fixture.path("no domain")).unwrap();
    fs::write(fixture.path("README.md"), "text").unwrap();
    fs::write(fixture.path("good.example/.new-1"), "left by a crash").unwrap();
    fs::write(fixture.path("good.example/orphan.pem"), "left by a crash").unwrap();
    let (domains, problems) = fixture.load();
    assert_eq!(domains, ["good.example"]);
    for said in [
        "a.example/state.toml: ",
        "b.example/state.toml: missing",
        "c.example/k.pem: missing",
        "d.example/k.pem: has more than",
        "e.example/k.pem: is no text",
        "rename it to upper.example",
        "\"no domain\" ",
        "orphan.pem: not named in state.toml",
    ] {
        let found = problems.iter().filter(|problem| problem.contains(said)).count();
        assert_eq!(found, 1, "{said}: {problems:#?}");
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.lines().count() == 1));

    let (code, list, err) = fixture.run(&["keys", "list"]);
    assert_eq!((code, list.contains("good.example\n    k ")), (Some(3), true));
    assert_eq!(err.lines().count(), 9, "{err}");
}

#[test]
fn a_key_that_cannot_sign_is_found_when_it_is_used_and_never_activated() {
    let fixture = Fixture::new();
    fixture.active("example.org");
    let (name, selector) = (domain("example.org"), Selector::parse("bad").unwrap());
    fixture.store().add(&name, Some(selector), Algorithm::Ed25519, "no PEM", 3).unwrap();
    let refused = forced(&fixture.store(), &name, None, 4).unwrap_err();
    assert!(matches!(refused, StoreError::Key { .. }), "{refused}");

    let pem = generate_ed25519().unwrap();
    fs::write(fixture.path("example.org/bad.pem"), pem).unwrap();
    let state = fixture.path("example.org/state.toml");
    let text = fs::read_to_string(&state).unwrap().replacen("ed25519", "rsa", 1);
    fs::write(&state, text).unwrap();
    let (ring, problems) = load_ring(&fixture.root());
    assert!(problems.is_empty());
    let error = ring.for_domain("example.org")[0].signing_key().unwrap_err().to_string();
    assert!(error.contains("k.pem: ") && error.contains("state.toml says rsa"), "{error}");
}

#[test]
fn private_keys_are_never_printed() {
    let fixture = Fixture::new();
    let mut said = fixture.run(&["keys", "generate", "example.org"]).1;
    for args in [
        &["keys", "activate", "example.org", "--force"][..],
        &["keys", "list"],
        &["dns", "records", "example.org"],
    ] {
        let (_, out, err) = fixture.run(args);
        said = said + &out + &err;
    }
    let (ring, _) = load_ring(&fixture.root());
    let key = &ring.for_domain("example.org")[0];
    let said = format!("{said} {ring:?} {key:?} {:?}", key.signing_key());
    let pem = fs::read_to_string(fixture.path(&format!("example.org/{}.pem", key.selector())));
    for line in pem.unwrap().lines() {
        assert!(!said.contains(line), "{line}");
    }
}

#[test]
fn many_at_once_lose_no_key() {
    let fixture = Fixture::new();
    let add = || {
        let pem = generate_ed25519().unwrap();
        fixture.store().add(&domain("example.org"), None, Algorithm::Ed25519, &pem, 1).unwrap();
    };
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(add);
        }
    });
    let (keys, problems) = fixture.store().keys(&domain("example.org")).unwrap();
    assert_eq!((keys.len(), problems.len()), (20, 0));
    assert!(keys.iter().all(|key| key.signing_key().is_ok()));
}

#[test]
fn a_store_that_is_not_there_says_how_to_make_it() {
    let fixture = Fixture::new();
    let (domains, problems) = fixture.load();
    assert_eq!((domains.len(), problems.len()), (0, 1));
    assert!(problems[0].contains("mailseal keys generate"), "{problems:?}");
    fs::write(fixture.root(), "").unwrap();
    assert!(fixture.load().1[0].contains("is no directory"), "{:?}", fixture.load());
}

/// A command that is run by somebody else is not to take the store from the service.
#[test]
fn another_users_store_is_for_root_and_for_that_user() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("1 case left out: only root can give files away");
        return;
    }
    let fixture = Fixture::new();
    fixture.active("example.org");
    fixture.configure("[milter]\nlisten = [\"unix:/nonexistent/m.sock\"]\n");
    fs::set_permissions(fixture.dir.path(), Permissions::from_mode(0o755)).unwrap();
    for name in ["", "example.org", "example.org/k.pem", "example.org/state.toml"] {
        chown(fixture.path(name), Some(1), Some(1)).unwrap();
    }
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.args(args).arg("--config").arg(fixture.dir.path().join("mailseal.toml"));
        let output = command.uid(65_534).gid(65_534).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for mode in [0o700, 0o755] {
        fs::set_permissions(fixture.root(), Permissions::from_mode(mode)).unwrap();
        for args in [&["keys", "list"][..], &["keys", "generate", "example.net"]] {
            let (code, err) = as_nobody(args);
            assert_eq!(code, Some(3), "{args:?} {mode:o}: {err}");
            assert!(
                err.contains("run this as root, or as ")
                    || err.contains("run this as root or as user 1"),
                "{args:?} {mode:o}: {err}"
            );
            assert!(!err.contains("chown"), "{args:?} {mode:o}: {err}");
        }
        let (_, err) = as_nobody(&["serve"]);
        assert!(err.contains("run: chown") && err.contains(" 65534 "), "{mode:o}: {err}");
    }
    assert!(as_nobody(&["keys", "list"]).1.contains("run this as root or as user 1 ("));
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_store() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("1 case left out: only root can give files away");
        return;
    }
    let fixture = Fixture::new();
    fs::create_dir(fixture.root()).unwrap();
    chown(fixture.root(), Some(65_534), Some(65_534)).unwrap();
    fixture.active("example.org");
    for name in ["example.org", "example.org/k.pem", "example.org/state.toml"] {
        assert_eq!(fs::metadata(fixture.path(name)).unwrap().uid(), 65_534, "{name}");
    }
}

#[test]
fn private_keys_in_a_checkout_never_reach_git() {
    let ignored = fs::read_to_string("keys/.gitignore").unwrap();
    let rules: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rules, ["*", "!.gitignore", "!README.md"]);
    let git = Command::new("git").args(["check-ignore", "-q", "keys/example.org/s1.pem"]).status();
    // Where there is no git or no repository, the lines above are all that can be seen.
    assert!(git.map_or(true, |status| matches!(status.code(), Some(0 | 128))));
}

/// Keys that people have, and what is wrong with each.
fn bad_keys() -> Vec<(&'static str, String, &'static str)> {
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).output().expect("openssl is installed");
        String::from_utf8(output.stdout).expect("PEM is ASCII")
    };
    let good = generate_ed25519().expect("a key");
    let encrypted = ["genpkey", "-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:secret"];
    let old_style = ["genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "2048"];
    let foreign = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    vec![
        ("truncated", good[..good.len() / 2].to_owned(), "no private key in PEM"),
        ("truncated inside", good.replacen("\n-----END", "", 1), "no private key in PEM"),
        ("empty", String::new(), "is empty; restore it from a backup"),
        ("encrypted", openssl(&encrypted), "is encrypted; run: openssl pkey"),
        ("encrypted, old style", openssl(&old_style), "is encrypted; run: openssl pkey"),
        ("of another kind", openssl(&foreign), "not an RSA key of 2048 to 8192 bits"),
        ("a public key", good.replace("PRIVATE", "PUBLIC"), "no private key in PEM"),
        ("of 512 bits", openssl(&["genrsa", "512"]), "not an RSA key of 2048 to 8192 bits"),
        ("of 1024 bits", openssl(&["genrsa", "1024"]), "not an RSA key of 2048 to 8192 bits"),
    ]
}

#[test]
fn a_bad_key_never_takes_the_place_of_a_good_one() {
    for (what, pem, said) in bad_keys() {
        let fixture = Fixture::new();
        fixture.active("example.org");
        let bad = fixture.path("example.org/bad.pem");
        let (name, selector) = (domain("example.org"), Selector::parse("bad").unwrap());
        fixture.store().add(&name, Some(selector), Algorithm::Ed25519, &pem, 3).unwrap();
        let before = fs::read(fixture.path("example.org/state.toml")).unwrap();
        let error = forced(&fixture.store(), &name, None, 4).unwrap_err().to_string();
        assert!(
            error.starts_with(bad.to_str().unwrap()) && error.contains(said),
            "{what}: {error}"
        );
        assert_eq!(fs::read(fixture.path("example.org/state.toml")).unwrap(), before, "{what}");
        assert_eq!(fixture.load().0, ["example.org"], "{what}");
    }
}

#[test]
fn names_come_to_one_form_or_are_refused() {
    let long = format!("{}.example", ["a".repeat(60).as_str(); 5].join("."));
    assert!(long.len() > 300);
    for (name, form) in [
        ("Example.ORG.", "example.org"),
        ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ] {
        let fixture = Fixture::new();
        let generated =
            fixture.run(&["keys", "generate", name, "--algorithm", "ed25519", "--selector", "a.b"]);
        assert_eq!(generated.0, Some(0), "{name}: {}", generated.2);
        assert!(fixture.path(form).join("a.b.pem").exists(), "{name}");
    }
    let fixture = Fixture::new();
    let refused = |domain: &str, selector: &str, said: &str| {
        let args = ["keys", "generate", domain, "--selector", selector];
        let (code, out, err) = fixture.run(&args);
        assert!(
            code == Some(2) && out.is_empty() && err.contains(said),
            "{domain} {selector}: {err}"
        );
        assert!(!fixture.root().exists(), "{domain} {selector}");
    };
    for (domain, said) in [
        ("../example.org", "empty label"),
        ("example.org/..", "empty label"),
        ("example.org..", "empty label"),
        (&long, "too long"),
        ("localhost", "one label"),
        ("", "empty label"),
    ] {
        refused(domain, "s1", said);
    }
    for (selector, said) in [
        ("a/b", "not a name"),
        ("a b", "not a name"),
        ("a..b", "empty label"),
        (".", "empty label"),
        ("", "empty label"),
        (&"a".repeat(64), "too long"),
        (&["a"; 130].join("."), "too long"),
    ] {
        refused("example.org", selector, said);
    }
    // Each is a name; together they are too long for the DNS.
    let labels = ["a".repeat(60), "a".repeat(60), "a".repeat(60)].join(".");
    refused(&format!("{labels}.example"), &"b".repeat(60), "too long");
}

#[test]
fn a_state_file_that_cannot_be_read_names_itself_and_the_remedy_and_stays() {
    let whole =
        |fixture: &Fixture| fs::read_to_string(fixture.path("example.org/state.toml")).unwrap();
    for (what, said) in [
        ("cut in half", "restore it from a backup"),
        ("cut at a line", "its end is missing; restore it from a backup"),
        ("of a later version", "version 2 was written by another mailseal"),
        ("empty", "restore it from a backup"),
    ] {
        let fixture = Fixture::new();
        fixture.active("example.org");
        let text = whole(&fixture);
        let bad = match what {
            "cut in half" => text[..text.len() / 2].to_owned(),
            "cut at a line" => text.replace("# end\n", ""),
            "of a later version" => text.replace("version = 1", "version = 2\nnovel = 3"),
            _ => String::new(),
        };
        let path = fixture.path("example.org/state.toml");
        fs::write(&path, &bad).unwrap();
        let generate = ["keys", "generate", "example.org"];
        for (code, _, err) in [fixture.run(&["keys", "list"]), fixture.run(&generate)] {
            assert!(code == Some(3) && err.contains(said), "{what}: {err}");
            assert!(err.contains(path.to_str().unwrap()), "{what}: {err}");
        }
        assert_eq!(whole(&fixture), bad, "{what}");
        assert_eq!(fs::read_dir(fixture.path("example.org")).unwrap().count(), 2, "{what}");
    }
    let fixture = Fixture::new();
    fixture.active("example.org");
    fs::remove_file(fixture.path("example.org/k.pem")).unwrap();
    let (_, _, err) = fixture.run(&["keys", "list"]);
    let missing = fixture.path("example.org/k.pem");
    assert!(err.contains(&format!("{}: missing", missing.display())), "{err}");
    assert!(err.contains("restore it from a backup"), "{err}");
}
