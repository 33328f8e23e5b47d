//! The key store where things go wrong: processes killed at every file step, full disks, two
//! processes at once, files of others, systemd's credentials, ten thousand domains.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use mailseal::dkim::signing_key::generate_ed25519;
use mailseal::keys::sighting::{Observation, Shown};
use mailseal::keys::state::KeyState::{self, Active, Pending, Removed, Retiring, Revoked};
use mailseal::keys::state::{Algorithm, DomainState};
use mailseal::keys::{DomainName, LiveRing, Order, Policy, Selector, Store, StoreError};
use nix::sys::signal::{Signal, raise};
use nix::unistd::Uid;
use support::keys::{forced, load_ring};
use tempfile::TempDir;

const DAY: u64 = 24 * 3600;

/// Where a child process finds its store, and after how many file steps it is killed.
const CHILD_STORE: &str = "MAILSEAL_TEST_STORE";
const CHILD_STEPS: &str = "MAILSEAL_TEST_STEPS";
const CHILD_WORK: &str = "MAILSEAL_TEST_WORK";

fn domain() -> DomainName {
    DomainName::parse("example.org").unwrap()
}

fn selector(name: &str) -> Selector {
    Selector::parse(name).unwrap()
}

fn policy() -> Policy {
    let algorithms = vec![Algorithm::Ed25519];
    Policy { every_secs: Some(90 * DAY), algorithms, ..Policy::default() }
}

/// What a child process does to its store.
fn work(name: &str, store: &Store) -> Result<(), StoreError> {
    let key = || generate_ed25519().unwrap();
    match name {
        "first key" => {
            let name = Some(selector("k1"));
            store.add(&domain(), name, Algorithm::Ed25519, &key(), 5).map(|_| ())
        }
        "rotate" => store.order(&domain(), &Order::Rotate(None), &policy(), 10).map(|_| ()),
        "advance" => store.advance(&domain(), &policy(), 200 * DAY).map(|_| ()),
        "many" => (0..20).try_for_each(|_| {
            store.add(&domain(), None, Algorithm::Ed25519, &key(), 5).map(|_| ())
        }),
        other => panic!("{other}"),
    }
}

/// Not a test: what the tests below start as a process of its own.
#[test]
#[ignore = "run by other tests"]
fn child() {
    let Some(root) = std::env::var_os(CHILD_STORE) else { return };
    let mut store = Store::new(root);
    if let Some(steps) = std::env::var(CHILD_STEPS).ok().and_then(|steps| steps.parse().ok()) {
        store = store.interrupted_after(steps);
    }
    match work(&std::env::var(CHILD_WORK).unwrap(), &store) {
        Err(StoreError::Interrupted) => raise(Signal::SIGKILL).unwrap(),
        done => done.unwrap(),
    }
}

fn start(root: &Path, work: &str, steps: Option<usize>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored"]).env(CHILD_STORE, root).env(CHILD_WORK, work);
    if let Some(steps) = steps {
        command.env(CHILD_STEPS, steps.to_string());
    }
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// A domain with one key, which signs.
fn one_key(root: &Path) {
    let (store, pem) = (Store::new(root), generate_ed25519().unwrap());
    store.add(&domain(), Some(selector("k1")), Algorithm::Ed25519, &pem, 1).unwrap();
    forced(&store, &domain(), None, 2).unwrap();
}

/// A domain with a key in every state: `active`, `pending` (ready), `retiring` and `revoked`, both
/// due to leave 200 days later.
fn every_state(root: &Path) {
    let store = Store::new(root);
    let add = |name: &str, now| {
        let pem = generate_ed25519().unwrap();
        store.add(&domain(), Some(selector(name)), Algorithm::Ed25519, &pem, now).unwrap();
    };
    let activate = |now| forced(&store, &domain(), None, now).unwrap();
    add("revoked", 1);
    activate(2);
    add("retiring", 3);
    activate(4);
    store.advance(&domain(), &policy(), 50 * DAY).unwrap();
    add("active", 60 * DAY);
    activate(60 * DAY);
    add("pending", 61 * DAY);
    let servers = vec![("ns1".to_owned(), Shown::Right)];
    let seen = |asked| {
        let observation = Observation { asked, servers: servers.clone(), negative_secs: Some(300) };
        store.observe(&domain(), &[(selector("pending"), observation)]).unwrap();
    };
    seen(199 * DAY);
    seen(200 * DAY);
    let states: Vec<KeyState> =
        store.state(&domain()).unwrap().keys.iter().map(|key| key.state).collect();
    assert_eq!(states, [Revoked, Retiring, Active, Pending]);
}

/// The files of a domain.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(root.join("example.org")) else { return BTreeMap::new() };
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.flatten().map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// All that the state names is there and can be used.
fn loads(root: &Path) -> DomainState {
    let (ring, problems) = load_ring(root);
    let unfinished = |problem: &String| problem.contains("being made, or mailseal was interrupted");
    assert!(problems.iter().all(unfinished), "{problems:?}");
    assert!(ring.for_domain("example.org").iter().all(|key| key.signing_key().is_ok()));
    let store = Store::new(root);
    let keys = match store.keys(&domain()) {
        Err(StoreError::NoDomain { .. }) => return DomainState::default(),
        keys => keys.unwrap().0,
    };
    assert!(keys.iter().all(|key| key.signing_key().is_ok()));
    store.state(&domain()).unwrap()
}

/// Every process killed at a step, and what the next one makes of what it left.
fn killed_at_every_step(name: &str, prepare: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let prepared = dir.path().join("prepared");
    prepare(&prepared);
    let before = Store::new(&prepared).state(&domain()).unwrap_or_default();
    let mut killed = 0;
    loop {
        let root = dir.path().join(format!("keys{killed}"));
        if prepared.exists() {
            copy(&prepared, &root);
        }
        let status = start(&root, name, Some(killed)).wait().unwrap();
        if status.success() {
            break;
        }
        assert_eq!(status.signal(), Some(9), "{name} after {killed} steps");
        let interrupted = loads(&root);
        let all_of = |state: &DomainState| {
            before.keys.iter().all(|key| state.entry(&key.selector).is_some())
        };
        assert!(all_of(&interrupted));

        // The next change goes on from there, and at most repeats the one that was interrupted.
        let repeated = work(name, &Store::new(&root));
        assert!(repeated.as_ref().err().is_none_or(StoreError::is_usage), "{repeated:?}");
        let after = loads(&root);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for key in &after.keys {
            *counts.entry(key.state.to_string()).or_default() += 1;
        }
        assert!(all_of(&after) && counts.get("active").copied().unwrap_or(0) <= 1, "{counts:?}");
        assert!(after.keys.len() <= before.keys.len() + 1, "a transition was repeated: {after:?}");
        let names: Vec<String> = files(&root).into_keys().collect();
        let expected = after.keys.iter().filter(|key| key.state != Removed);
        let mut expected: Vec<String> =
            expected.map(|key| format!("{}.pem", key.selector)).collect();
        expected.push("state.toml".to_owned());
        expected.sort();
        assert_eq!(names, expected, "{name} after {killed} steps");
        killed += 1;
    }
    println!("{name}: killed at {killed} steps");
    assert!(killed >= 5, "{name} has {killed} steps only");
}

#[test]
fn a_process_killed_at_any_step_loses_nothing() {
    killed_at_every_step("first key", |_| {});
    killed_at_every_step("rotate", one_key);
    // Activates, revokes and removes, all in one.
    killed_at_every_step("advance", every_state);
}

/// A file system of a few pages, which goes with it.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: PathBuf, bytes: usize) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let size = format!("size={bytes},mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_all_is_as_it_was_and_the_remedy_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(dir.path().join("disk"), 256 * 1024) else {
        println!("left out: only root can make a small disk");
        return;
    };
    // A rotation writes a key and the state, the other change the state alone.
    assert_eq!(failures_until_there_is_room(&disk.0, "rotate", one_key), 2);
    assert_eq!(failures_until_there_is_room(&disk.0, "advance", every_state), 1);
}

/// Fills the disk, and then makes room for one page more at each turn.
fn failures_until_there_is_room(disk: &Path, name: &str, prepare: impl Fn(&Path)) -> usize {
    let root = disk.join(name);
    prepare(&root);
    let before = files(&root);
    let filler = disk.join("filler");
    let mut octets = 512 * 1024;
    while fs::write(&filler, vec![0; octets]).is_err() {
        octets -= 4096;
    }
    let mut failures = 0;
    while let Err(error) = work(name, &Store::new(&root)) {
        let error = error.to_string();
        assert!(error.contains("No space left") && error.contains("make room"), "{error}");
        assert!(error.starts_with(root.to_str().unwrap()) && !error.contains(".new-"), "{error}");
        assert_eq!(files(&root), before, "{error}");
        loads(&root);
        failures += 1;
        octets -= 4096;
        fs::write(&filler, vec![0; octets]).unwrap();
    }
    fs::remove_file(&filler).unwrap();
    assert_ne!(files(&root), before);
    failures
}

#[test]
fn a_file_that_cannot_be_written_whole_is_told_by_the_command_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("mailseal.toml");
    fs::write(&config, "[identity]\nauthserv_id = \"mx.example.org\"\n").unwrap();
    // The limit on the size of files ends a write as a full disk does, for any user.
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_mailseal")])
        .args(["keys", "generate", "example.org", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("example.org/s2") && said.contains("make room"), "{said}");
    assert!(!dir.path().join("keys/example.org").exists(), "what was not there is not there");
}

#[test]
fn two_processes_on_one_store_do_not_harm_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("many");
    let both: Vec<Child> = (0..2).map(|_| start(&root, "many", None)).collect();
    for mut child in both {
        // Dated selectors end at z: together they find that there are no more.
        child.wait().unwrap();
    }
    assert_eq!(loads(&root).keys.len(), 26);

    // Two daemons find the same rotation due: one makes the key.
    for round in 0..8 {
        let root = dir.path().join(format!("keys{round}"));
        every_state(&root);
        let both: Vec<Child> = (0..2).map(|_| start(&root, "advance", None)).collect();
        for mut child in both {
            assert!(child.wait().unwrap().success());
        }
        let states: Vec<KeyState> = loads(&root).keys.iter().map(|key| key.state).collect();
        assert_eq!(states, [Removed, Revoked, Retiring, Active]);
    }
}

#[test]
fn while_one_process_changes_a_domain_another_waits() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("keys");
    every_state(&root);
    let held = fs::File::open(root.join("example.org")).unwrap();
    held.lock().unwrap();
    let mut child = start(&root, "advance", None);
    // The kernel lists who waits for a lock, with an arrow before it.
    let pid = child.id().to_string();
    let waits = |line: &str| line.contains("->") && line.split_whitespace().any(|word| word == pid);
    let deadline = Instant::now() + std::time::Duration::from_secs(30);
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "never waited");
        std::thread::yield_now();
    }
    let before = files(&root);
    held.unlock().unwrap();
    assert!(child.wait().unwrap().success());
    assert_ne!(files(&root), before);
}

#[test]
fn a_machine_that_is_not_the_primary_reads_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("keys");
    every_state(&root);
    // Nor does it finish what it did not begin.
    fs::write(root.join("example.org/.new-state.toml"), "being written").unwrap();
    let before = files(&root);
    let reader = Policy { primary: false, ..policy() };
    let store = Store::new(&root);
    assert_eq!(store.advance(&domain(), &reader, 300 * DAY).unwrap(), []);
    for order in [
        Order::Rotate(None),
        Order::Activate { selector: None, force: true },
        Order::RollBack { algorithm: None, force: true },
    ] {
        let refused = store.order(&domain(), &order, &reader, 300 * DAY).unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("primary"), "{refused}");
    }
    assert_eq!(files(&root), before);
}

/// The credentials that systemd makes of a store with `LoadCredential=keys:STORE`.
fn credentials(store: &Path, dir: &TempDir) -> PathBuf {
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    for (name, octets) in files(store) {
        let path = credentials.join(format!("keys_example.org_{name}"));
        fs::write(&path, octets).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    }
    fs::write(credentials.join("keys_README.md"), "of the store").unwrap();
    fs::write(credentials.join("tsig"), "of another").unwrap();
    fs::set_permissions(&credentials, Permissions::from_mode(0o500)).unwrap();
    credentials
}

#[test]
fn systemds_credentials_are_a_store_that_is_only_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    every_state(&root);
    let pem = generate_ed25519().unwrap();
    let odd = Some(selector("odd_name"));
    Store::new(&root).add(&domain(), odd, Algorithm::Ed25519, &pem, 9).unwrap();
    let credentials = credentials(&root, &dir);
    let found = credentials.join("keys");

    let (ring, problems) = load_ring(&found);
    assert!(problems.is_empty(), "{problems:?}");
    let key = &ring.for_domain("example.org")[0];
    assert!(key.selector().as_str() == "active" && key.signing_key().is_ok());
    let store = Store::new(&found);
    assert!(store.is_read_only() && store.keys(&domain()).unwrap().0.len() == 5);

    let order = Order::Activate { selector: None, force: true };
    for refused in [
        store.order(&domain(), &order, &policy(), 300 * DAY).unwrap_err(),
        store.advance(&domain(), &policy(), 300 * DAY).unwrap_err(),
        store.observe(&domain(), &[]).unwrap_err(),
        store.add(&domain(), None, Algorithm::Ed25519, &pem, 9).unwrap_err(),
    ] {
        assert!(refused.is_usage() && refused.to_string().contains("LoadCredential="), "{refused}");
    }
    assert!(!found.exists());

    // What others may read is refused here, too; an access list for our user is not.
    let pem = credentials.join("keys_example.org_active.pem");
    fs::set_permissions(&pem, Permissions::from_mode(0o444)).unwrap();
    let (ring, problems) = load_ring(&found);
    assert!(ring.is_empty() && problems[0].contains("mode 0444"), "{problems:?}");
    if Uid::effective().is_root() {
        fs::set_permissions(&pem, Permissions::from_mode(0o440)).unwrap();
        assert!(load_ring(&found).1.is_empty());
        chown(&pem, None, Some(65_534)).unwrap();
        assert_eq!(load_ring(&found).1.len(), 1, "another group may read it");
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused_with_the_command_that_mends_it() {
    if !Uid::effective().is_root() {
        println!("left out: only root can give files away");
        return;
    }
    for name in ["example.org/active.pem", "example.org/state.toml", "example.org"] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("keys");
        every_state(&root);
        chown(root.join(name), Some(65_534), None).unwrap();
        let (ring, problems) = load_ring(&root);
        assert!(ring.is_empty() && problems.len() == 1, "{problems:?}");
        let said = problems[0].clone();
        let (_, remedy) = said.split_once("; run: ").unwrap();
        assert!(said.contains(name) && said.contains("user 65534"), "{said}");
        assert!(Command::new("sh").args(["-c", remedy]).status().unwrap().success());
        assert!(load_ring(&root).1.is_empty());
        // Where the whole store is theirs, root reads it.
        let theirs = Command::new("chown").arg("-R").arg("65534").arg(&root).status().unwrap();
        assert!(theirs.success() && load_ring(&root).1.is_empty());
    }
}

#[test]
fn ten_thousand_domains_load_and_change_without_a_pause_in_signing() {
    const DOMAINS: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let sample = Store::new(dir.path().join("sample"));
    for (name, now) in [("retiring", 1), ("active", 2)] {
        let junk = "no key at all, which nobody notices yet";
        sample.add(&domain(), Some(selector(name)), Algorithm::Rsa, junk, now).unwrap();
    }
    let files = dir.path().join("sample/example.org");
    let state = fs::read_to_string(files.join("state.toml")).unwrap();
    let state = state.replacen("pending", "retiring", 1).replacen("pending", "active", 1);
    fs::write(files.join("state.toml"), &state).unwrap();
    let root = dir.path().join("keys");
    for index in 0..DOMAINS {
        let dir = root.join(format!("d{index}.example"));
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).unwrap();
        for name in ["state.toml", "retiring.pem", "active.pem"] {
            fs::hard_link(files.join(name), dir.join(name)).unwrap();
        }
    }
    let start = Instant::now();
    let (live, problems) = LiveRing::load(&root);
    println!("{DOMAINS} domains of 2 keys: {:?}", start.elapsed());
    assert!(problems.is_empty(), "{:?}", problems[0]);
    assert_eq!(live.current().domains().count(), DOMAINS);
    assert!(live.current().for_domain("d1234.example")[0].signing_key().is_err());

    // A tenth of them changes: while they are read again, keys are picked from what was there.
    let later = state.replacen("1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z", 1);
    assert_ne!(later, state);
    for index in 0..DOMAINS / 10 {
        let dir = root.join(format!("d{index}.example"));
        let new = dir.join(".new-state.toml");
        fs::write(&new, &later).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, dir.join("state.toml")).unwrap();
    }
    let (refreshed, picked) = std::thread::scope(|scope| {
        let refresh = scope.spawn(|| live.refresh());
        let mut picked = 0;
        while !refresh.is_finished() {
            assert_eq!(live.current().for_domain("d1.example").len(), 1);
            picked += 1;
        }
        (refresh.join().unwrap(), picked)
    });
    assert_eq!(refreshed.changed.len(), DOMAINS / 10);
    assert!(picked > 10_000, "{picked} picks while {} domains were read", DOMAINS / 10);
}
