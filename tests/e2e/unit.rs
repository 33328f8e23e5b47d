//! What the package ships beside the program: the unit files, the man pages, the completions.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::Group;
use tempfile::TempDir;

use crate::Test;
use crate::mailroom::Mailroom;
use crate::support::daemon::MAILSEAL;
use crate::support::process::{Process, run};

pub(crate) const TESTS: &[Test] = &[
    ("unit::the_service_is_hardened", the_service_is_hardened),
    ("unit::postfix_reaches_the_confined_service", postfix_reaches_the_confined_service),
    ("unit::a_confined_service_gives_no_file_away", a_confined_service_gives_no_file_away),
    ("unit::man_pages_have_no_faults", man_pages_have_no_faults),
    ("unit::completions_are_scripts", completions_are_scripts),
];

/// The most exposure that `systemd-analyze security` may find, of 100: what is left is that the service speaks to
/// the network at all, and sees the file system's names.
const EXPOSURE_MAX: &str = "12";

fn packaging(name: &str) -> String {
    format!("{}/packaging/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn the_service_is_hardened(_: &Mailroom) {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["--offline=yes", "--no-pager", "--threshold", EXPOSURE_MAX, "security"]);
    let said = run(analyze.arg(packaging("mailseal.service")));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    println!("{}", said.lines().last().unwrap());
    assert!(said.contains("Overall exposure level for mailseal.service"), "{said}");
}

/// Runs a command as the unit would, where there is no systemd: `confined.py UNIT USER COMMAND...`.
pub(crate) const CONFINED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/confined.py");

/// The service in a directory of its own, with another user in the place of `mailseal`, whom the package makes.
struct Confined {
    process: Process,
    socket: PathBuf,
    log: PathBuf,
    _dir: TempDir,
}

const ITS_USER: &str = "daemon";

impl Confined {
    /// With the socket's directory as `tmpfiles.d/mailseal.conf` makes it, and lines in `[milter]`.
    fn start(milter: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = |name: &str| dir.path().join(name);
        let made = fs::read_to_string(packaging("tmpfiles.conf")).unwrap();
        let mode =
            made.lines().find_map(|line| line.strip_prefix("d /var/spool/postfix/mailseal "));
        let mode = mode.unwrap().strip_suffix(" mailseal postfix -").unwrap();
        let mut install = Command::new("install");
        install.args(["-d", "-o", ITS_USER, "-g", "postfix", "-m", mode]);
        run(install.arg(path("mailseal")));
        let socket = path("mailseal/milter.sock");
        let config = format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\n[milter]\nlisten = [\"unix:{}\"]\n{milter}",
            socket.display()
        );
        fs::write(path("mailseal.toml"), config).unwrap();
        // Where it is built, others may not look.
        fs::copy(MAILSEAL, path("program")).unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.args([CONFINED, &packaging("mailseal.service"), ITS_USER]);
        command.arg(path("program")).args(["serve", "--config"]).arg(path("mailseal.toml"));
        let log = path("log");
        Self { process: Process::start(&mut command, &log), socket, log, _dir: dir }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Whether a user without further groups can connect.
    fn takes(&self, user: &str) -> bool {
        let connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
        let mut setpriv = Command::new("setpriv");
        setpriv.args([
            "--reuid",
            user,
            "--regid",
            user,
            "--clear-groups",
            "/usr/bin/python3",
            "-c",
            connect,
        ]);
        setpriv.arg(&self.socket).output().unwrap().status.success()
    }
}

fn postfix_reaches_the_confined_service(_: &Mailroom) {
    let mut service = Confined::start("");
    let log = service.log.clone();
    let listens = || fs::read_to_string(&log).unwrap().contains("listening").then_some(());
    service.process.wait_for("socket", listens);
    let socket = fs::metadata(&service.socket).unwrap();
    let postfix = Group::from_name("postfix").unwrap().unwrap();
    assert_eq!((socket.mode() & 0o7777, socket.gid()), (0o660, postfix.gid.as_raw()));
    assert!(service.takes("postfix"), "{}", service.said());
    assert!(!service.takes("games"), "anybody can ask for signatures");
}

/// That the other test proves something; and whoever sets it all the same is told what to do.
fn a_confined_service_gives_no_file_away(_: &Mailroom) {
    let mut service = Confined::start("socket_group = \"postfix\"\n");
    assert_eq!(service.process.ended().code(), Some(3), "{}", service.said());
    let said = service.said();
    let dir = service.socket.parent().unwrap().display();
    assert!(said.contains("cannot be given to postfix: Operation not permitted"), "{said}");
    assert!(said.contains(&format!("chgrp postfix {dir} && chmod g+s {dir}")), "{said}");
}

fn man_pages_have_no_faults(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    run(Command::new(MAILSEAL).arg("man").arg(dir.path()));
    let pages: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|page| page.unwrap().path()).collect();
    let has = |name: &str| pages.iter().any(|page| page.ends_with(name));
    assert!(has("mailseal.1") && has("mailseal-serve.1") && has("mailseal-keys-rotate.1"));
    assert!(!has("mailseal-man.1"), "what is hidden has no page");
    for page in &pages {
        let (text, complaints) = formatted(page);
        assert_eq!(complaints, "", "{}", page.display());
        assert!(text.contains("SYNOPSIS"), "{}: {text}", page.display());
    }
}

/// A page as `man` shows it, and what it complains of, as lintian has it.
fn formatted(page: &Path) -> (String, String) {
    let mut man = Command::new("man");
    man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    let Output { stdout, stderr, .. } = run(man.args(["--warnings", "-l"]).arg(page));
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    (text(stdout), text(stderr))
}

fn completions_are_scripts(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    for (shell, word) in [
        ("bash", "complete -F _mailseal"),
        ("zsh", "#compdef mailseal"),
        ("fish", "complete -c mailseal"),
    ] {
        let script = run(Command::new(MAILSEAL).args(["completions", shell])).stdout;
        let text = String::from_utf8(script).unwrap();
        assert!(text.contains(word) && text.contains("rotate"), "{shell}");
        fs::write(dir.path().join(shell), text).unwrap();
    }
    run(Command::new("bash").arg("-n").arg(dir.path().join("bash")));
    // What a user gets who presses the tabulator key.
    let ask = format!(
        "source {}; COMP_WORDS=(mailseal ke); COMP_CWORD=1; _mailseal mailseal ke mailseal; echo \"${{COMPREPLY[@]}}\"",
        dir.path().join("bash").display()
    );
    let offered = run(Command::new("bash").args(["-c", &ask])).stdout;
    assert_eq!(String::from_utf8(offered).unwrap().trim(), "keys");
}
