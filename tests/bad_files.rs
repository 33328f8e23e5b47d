//! Whatever stands where a file should: one clear line with path and cause, at once, and at a reload
//! what was in force stays.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, Uid, mkfifo};
use support::daemon::{Daemon, MAILSEAL};
use support::milter::{Mail, Mta};
use support::process::PATIENCE;
use tempfile::TempDir;

/// Whom the files belong to where the test is root, who can read everything.
const NOBODY: u32 = 65534;

const CONFIG: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"127.0.0.1:1\"]\n\
    timeout_secs = 1\n[publish]\nserver = \"127.0.0.1:1\"\nkey_file = \"tsig.key\"\n\
    [identity_gate]\nmap = \"hash:logins\"\n[telemetry]\npersonal_data = \"hashed\"\npersonal_data_key = \"log.key\"\n";
const RULE: &str = "[[rule]]\nname = \"a\"\nabout = \"an example\"\n\
    [rule.when]\nheader = \"Subject\"\nmatches = 'x'\n\
    [rule.examples]\nhit = [\"Subject: x\\n\\n\"]\nmiss = [\"Subject: y\\n\\n\"]\n\
    [[rule]]\nname = \"b\"\nabout = \"another\"\n\
    [rule.when]\nheader = \"From\"\nin_list = \"senders.list\"\n\
    [rule.examples]\nhit = [\"From: a@example.net\\n\\n\"]\nmiss = [\"From: a@example.org\\n\\n\"]\n";

/// What stands where the file should.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Missing,
    Empty,
    Directory,
    Unreadable,
    Binary,
    Huge,
    Fifo,
}

use State::{Binary, Directory, Empty, Fifo, Huge, Missing, Unreadable};

const STATES: [State; 7] = [Missing, Empty, Directory, Unreadable, Binary, Huge, Fifo];

/// A file that mailseal reads, the command that reads it, and what is no fault of it.
struct Reader {
    file: &'static str,
    args: &'static [&'static str],
    allows: &'static [State],
}

const READERS: &[Reader] = &[
    Reader { file: "mailseal.toml", args: &["config", "check"], allows: &[] },
    Reader { file: "rules/a.toml", args: &["rules", "test"], allows: &[Missing] },
    Reader { file: "keys/example.org/state.toml", args: &["keys", "list"], allows: &[] },
    Reader { file: "keys/example.org/s1.pem", args: &["keys", "list"], allows: &[] },
    Reader { file: "tsig.key", args: &["dns", "publish", "example.org"], allows: &[] },
    Reader { file: "log.key", args: &["serve"], allows: &[] },
    Reader {
        file: "foreign.private",
        args: &["keys", "import", "foreign.private", "--domain", "a.example", "--selector", "s"],
        // A directory of keys can be imported, too.
        allows: &[Directory],
    },
    Reader {
        file: "KeyTable",
        args: &["keys", "import", "--key-table", "KeyTable", "--signing-table", "SigningTable"],
        allows: &[Empty],
    },
    Reader {
        file: "SigningTable",
        args: &["keys", "import", "--key-table", "KeyTable", "--signing-table", "SigningTable"],
        allows: &[Empty],
    },
    Reader {
        file: "opendkim.conf",
        args: &["keys", "import", "--opendkim", "opendkim.conf"],
        allows: &[Empty],
    },
    Reader {
        file: "dkim_signing.conf",
        args: &["keys", "import", "--rspamd", "dkim_signing.conf"],
        allows: &[Empty],
    },
    Reader { file: "rules/senders.list", args: &["rules", "test"], allows: &[Empty] },
    Reader {
        file: "header_checks",
        args: &["rules", "import", "--postfix", "pcre:header_checks"],
        // A table without entries is told without its name: several may have been given.
        allows: &[Empty],
    },
    Reader { file: "logins", args: &["check", "message.eml"], allows: &[] },
    Reader {
        file: "opendkim-whole.conf",
        args: &["import", "--opendkim", "opendkim-whole.conf"],
        allows: &[Empty],
    },
    Reader {
        file: "opendmarc.conf",
        args: &["import", "--opendmarc", "opendmarc.conf"],
        allows: &[Empty],
    },
    Reader {
        file: "clamav-milter.conf",
        args: &["import", "--clamav-milter", "clamav-milter.conf"],
        allows: &[Empty],
    },
    Reader {
        file: "postconf.txt",
        args: &[
            "doctor",
            "--offline",
            "--remote",
            "--postconf",
            "postconf.txt",
            "--master",
            "master.txt",
        ],
        allows: &[Empty],
    },
    Reader {
        file: "master.txt",
        args: &[
            "doctor",
            "--offline",
            "--remote",
            "--postconf",
            "postconf.txt",
            "--master",
            "master.txt",
        ],
        allows: &[Empty],
    },
    Reader {
        file: "sendmail.cf",
        args: &["doctor", "--offline", "--sendmail-cf", "sendmail.cf"],
        allows: &[Empty],
    },
    Reader {
        file: "against.toml",
        args: &["check", "--replay", "Mail", "--against", "against.toml"],
        allows: &[],
    },
    Reader { file: "message.eml", args: &["check", "message.eml"], allows: &[Empty, Binary] },
];

impl State {
    /// Some of these words tell of it.
    fn words(self) -> &'static [&'static str] {
        match self {
            Missing => &["no such file", "missing"],
            Empty => &[
                "is empty",
                "missing field",
                "holds no",
                "not name",
                "ends in the middle",
                "fewer than",
            ],
            Directory => &["is a directory", "is no regular file"],
            Unreadable => &["ermission denied"],
            Binary => &["is no text"],
            Huge => &["has more than"],
            Fifo => &["is a FIFO", "is no regular file"],
        }
    }

    fn put(self, path: &Path) {
        if path.is_dir() {
            fs::remove_dir(path).unwrap();
        } else {
            let _ = fs::remove_file(path);
        }
        match self {
            Missing => return,
            Empty => fs::write(path, "").unwrap(),
            Directory => fs::create_dir(path).unwrap(),
            Unreadable => fs::write(path, "x").unwrap(),
            Binary => fs::write(path, b"\x7fELF\x02\x01\x01\0\0\xff\xfe\n\0").unwrap(),
            Huge => File::create(path).unwrap().set_len(1 << 30).unwrap(),
            Fifo => mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap(),
        }
        let mode = match self {
            Unreadable => 0o000,
            Directory => 0o700,
            _ => 0o600,
        };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        give(path);
    }
}

fn give(path: &Path) {
    if Uid::effective().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn give_all(dir: &Path) {
    give(dir);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { give_all(&path) } else { give(&path) }
    }
}

/// A directory in which all of it is in order.
fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o600)).unwrap();
    };
    fs::create_dir(dir.path().join("rules")).unwrap();
    write("mailseal.toml", CONFIG);
    write("rules/a.toml", RULE);
    write("log.key", "0123456789abcdef0123456789abcdef\n");
    write(
        "tsig.key",
        "key \"k\" { algorithm hmac-sha256; secret \"bWFpbHNlYWwgdGVzdCBrZXksIG5vdCBhIHNlY3JldCE=\"; };\n",
    );
    write("KeyTable", "a.example a.example:s:foreign.private\n");
    write("SigningTable", "*@a.example a.example\n");
    write("rules/senders.list", "example.net\n");
    write("header_checks", "/^Subject: x/ REJECT\n");
    write("logins", "joe@example.net joe\n");
    write("message.eml", "From: joe@example.net\n\nHello\n");
    write("against.toml", CONFIG);
    write("postconf.txt", "myhostname = mx.example.org\n");
    write("master.txt", "smtp inet n - n - - smtpd\n");
    fs::create_dir(dir.path().join("Mail")).unwrap();
    write("Mail/1", "From: joe@example.net\n\nHello\n");
    let pem = mailseal::dkim::signing_key::generate_ed25519().unwrap();
    write("foreign.private", &pem);
    let generate =
        ["keys", "generate", "example.org", "--selector", "s1", "--algorithm", "ed25519"];
    let made = command(dir.path(), &generate).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    give_all(dir.path());
    dir
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(MAILSEAL);
    command.args(args).current_dir(dir);
    if !matches!(args, ["import", ..] | ["rules", "import", ..]) {
        command.args(["--config", "mailseal.toml"]);
    }
    command
}

/// What the command printed, and whether it was content.
fn run(dir: &Path, args: &[&str]) -> (bool, String) {
    let log = dir.join("out");
    let out = File::create(&log).unwrap();
    let mut command = command(dir, args);
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let mut child = command.spawn().unwrap();
    let give_up = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > give_up {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} does not end: {}", fs::read_to_string(log).unwrap());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    (status.success(), fs::read_to_string(log).unwrap())
}

#[test]
fn each_bad_file_is_one_clear_line() {
    let mut wrong = Vec::new();
    for Reader { file, args, allows } in READERS {
        let dir = place();
        let path = dir.path().join(file);
        for state in STATES {
            state.put(&path);
            let (is_content, said) = run(dir.path(), args);
            if allows.contains(&state) {
                continue;
            }
            let lines: Vec<&str> = said.lines().filter(|line| line.contains(file)).collect();
            let is_told = |line: &&str| state.words().iter().any(|word| line.contains(word));
            if is_content || lines.len() != 1 || !lines.iter().all(is_told) {
                wrong.push(format!("{file} {state:?}: content {is_content}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_reload_with_a_bad_file_leaves_what_was_in_force() {
    let dir = place();
    let daemon = Daemon::start(dir.path(), "serve", &[], CONFIG);
    let files: [PathBuf; 5] =
        ["serve.toml", "rules/a.toml", "rules/senders.list", "logins", "log.key"]
            .map(|file| dir.path().join(file));
    let mut refusals = 0;
    for path in &files {
        let whole = fs::read(path).unwrap();
        for state in STATES {
            // Root reads it all the same, rules need not be there, and a list may be empty; but then
            // the rule's example fails.
            if state == Unreadable || state == Missing && path.ends_with("a.toml") {
                continue;
            }
            state.put(path);
            kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGHUP).unwrap();
            refusals += 1;
            let give_up = Instant::now() + PATIENCE;
            while daemon.log().matches("reload refused").count() < refusals {
                assert!(Instant::now() < give_up, "{state:?} {}: {}", path.display(), daemon.log());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        Missing.put(path);
        fs::write(path, whole).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }
    let headers = vec![(b"Subject".to_vec(), b" x".to_vec())];
    let mail = Mail { headers, ..Mail::default() };
    let outcome = Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
    assert!(format!("{:?}", outcome.edits).contains("\" a\""), "{:?}", outcome.edits);
    assert!(!daemon.log().contains("reloaded"), "{}", daemon.log());
}
