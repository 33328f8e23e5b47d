//! The Debian package in a scratch system: installed, attached to Postfix, upgraded, removed, purged.
//!
//! The scratch system is this one with a layer of its own over it (overlayfs), in a mount namespace that ends with
//! the test: what is installed there is seen by nobody else.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Test;
use crate::mailroom::Mailroom;
use crate::support::daemon::MAILSEAL;
use crate::support::process::{PATIENCE, Process, free_port, run};
use crate::support::smtp::Client;
use crate::unit;

pub(crate) const TESTS: &[Test] = &[("package::lives_its_whole_life", lives_its_whole_life)];

/// A system in which packages can be installed.
struct Root {
    holder: Process,
    dir: TempDir,
}

impl Root {
    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = "set -e; cd \"$1\"; mkdir layers root; mount -t tmpfs layers layers; mkdir layers/upper layers/work; \
             mount -t overlay root -o lowerdir=/,upperdir=layers/upper,workdir=layers/work root; \
             mount --rbind /dev root/dev; mount -t proc proc root/proc; mount -t tmpfs tmp root/tmp; \
             mount -t tmpfs run root/run; chmod 1777 root/tmp; touch root/tmp/ready; exec sleep infinity";
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script, "sh"]).arg(dir.path());
        let holder = Process::start(&mut unshare, &dir.path().join("log"));
        let mut root = Self { holder, dir };
        let ready = root.path("tmp/ready");
        root.holder.wait_for("scratch system", || ready.exists().then_some(()));
        root
    }

    /// A file of the scratch system, as it is seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let root = format!("proc/{}/root{}/root", self.holder.id(), self.dir.path().display());
        Path::new("/").join(root).join(name)
    }

    /// A command inside.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let id = self.holder.id().to_string();
        command.args(["--target", &id, "--mount", "chroot"]).arg(self.dir.path().join("root"));
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]);
        command.args(args);
        command
    }

    /// Runs a shell's script inside, and gives what it prints.
    fn sh(&self, script: &str) -> String {
        let output = run(&mut self.command(&["sh", "-ec", script]));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn install(&self, package: &Path) {
        fs::copy(package, self.path("tmp/mailseal.deb")).unwrap();
        self.sh("dpkg --install /tmp/mailseal.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log >&2; exit 1; }");
    }
}

/// As its user, with as little as its unit leaves it.
const AS_MAILSEAL: &[&str] = &["python3", "/tmp/confined.py", "--in-chroot", UNIT, "mailseal"];
const UNIT: &str = "/usr/lib/systemd/system/mailseal.service";

fn lives_its_whole_life(mailroom: &Mailroom) {
    let out = tempfile::tempdir().unwrap();
    let (first, second) = (build(out.path(), "0.1.0"), build(out.path(), "0.1.1"));
    let root = Root::make();
    let before = root.sh(OURS);
    root.install(&first);
    assert_ne!(root.sh(OURS), before);
    assert_eq!(
        root.sh("stat -c '%a %U:%G %n' /var/spool/postfix/mailseal /var/lib/mailseal/keys"),
        "2750 mailseal:postfix /var/spool/postfix/mailseal\n\
         700 mailseal:mailseal /var/lib/mailseal/keys"
    );
    root.sh("test -L /etc/systemd/system/multi-user.target.wants/mailseal.service");
    // Silent, where it has nothing to say.
    assert_eq!(
        root.sh("systemd-analyze verify --man=no mailseal.service mailseal.socket 2>&1"),
        ""
    );
    root.sh("man -w mailseal-serve; mailseal config check /etc/mailseal/mailseal.toml");

    root.sh(&[documented(MAKE_KEYS), ACTIVATE].join("\n"));
    takes_old_keys_from_root(&root);
    let daemon = start_as_its_unit_says(&root);
    assert_eq!(
        root.sh("stat -c '%a %U:%G' /var/spool/postfix/mailseal/milter.sock"),
        "660 mailseal:postfix"
    );
    attach_and_send(&root, mailroom);
    drop(daemon);

    let sums = "cd /var/lib/mailseal/keys && find . -type f -exec sha256sum {} + | sort";
    let kept = root.sh(sums);
    assert!(kept.contains("/example.org/"), "{kept}");
    root.sh("echo '# the operator was here' >>/etc/mailseal/mailseal.toml");
    root.install(&second);
    assert_eq!(root.sh("dpkg-query -W -f '${Version}' mailseal"), "0.1.1");
    assert_eq!(root.sh(sums), kept);
    root.sh("grep -q 'operator was here' /etc/mailseal/mailseal.toml");
    drop(start_as_its_unit_says(&root));

    keeps_a_broken_configuration_from_doing_harm(&root, &second);

    root.sh("dpkg --remove mailseal >/dev/null 2>&1");
    root.sh("! test -e /usr/bin/mailseal");
    assert_eq!(root.sh(sums), kept);
    root.sh("dpkg --purge mailseal >/dev/null 2>&1");
    assert_eq!(root.sh(OURS), before);
    assert_eq!(root.sh("getent passwd mailseal || true; getent group mailseal || true"), "");
}

/// A reload of it fails where it is seen, and an upgrade leaves the daemon that runs.
fn keeps_a_broken_configuration_from_doing_harm(root: &Root, package: &Path) {
    let reload = commands(root, "ExecReload=");
    assert_eq!(reload.len(), 2, "the check, and the signal behind it: {reload:?}");
    let (check, signal) = (&reload[0], &reload[1]);
    assert_eq!(signal, "/bin/kill -HUP $MAINPID");
    let asked = |root: &Root| {
        root.install(package);
        root.sh("cat /tmp/invoked; rm -f /tmp/invoked")
    };
    // The scratch system has no service manager; what one would be asked is written down.
    root.sh("mkdir -p /run/systemd/system");
    root.sh("printf '#!/bin/sh\necho \"$*\" >>/tmp/invoked\n' >/usr/bin/deb-systemd-invoke");
    root.sh(check);
    assert_eq!(asked(root), "restart mailseal.service");

    root.sh("echo 'no_such_key = 1' >>/etc/mailseal/mailseal.toml; touch /tmp/invoked");
    root.sh(&format!("! {check}"));
    assert_eq!(asked(root), "");
    let said = root.sh("cat /tmp/dpkg.log");
    assert!(said.contains("no_such_key") && said.contains("systemctl restart mailseal"), "{said}");
    root.sh("sed -i '/no_such_key/d' /etc/mailseal/mailseal.toml");
    assert_eq!(asked(root), "restart mailseal.service");
    root.sh("rm -r /run/systemd");
}

/// What bears the name; other tests' scratch directories do, too.
const OURS: &str = "find /etc /usr /var -xdev -name '*mailseal*' | sort";
const MAKE_KEYS: &str = "runuser -u mailseal -- mailseal keys generate example.org";
/// At once: no DNS shows the record.
const ACTIVATE: &str = "runuser -u mailseal -- mailseal keys activate example.org --force";
const MAIN_CF: [&str; 4] = [
    "smtpd_milters = unix:mailseal/milter.sock",
    "non_smtpd_milters = $smtpd_milters",
    "internal_mail_filter_classes = bounce",
    "milter_default_action = tempfail",
];

/// Other filters' keys are closed to the service's user; what root takes over, the service can read.
fn takes_old_keys_from_root(root: &Root) {
    root.sh("umask 077; openssl genrsa -out /tmp/old.pem 2048 2>/dev/null");
    let import = "mailseal keys import /tmp/old.pem --domain example.com --selector old";
    root.sh(&format!("! runuser -u mailseal -- {import} 2>/dev/null"));
    root.sh(import);
    let made = root.sh("stat -c '%a %U:%G' /var/lib/mailseal/keys/example.com/old.pem");
    assert_eq!(made, "600 mailseal:mailseal");
}

/// What the documentation says, word by word.
fn documented(line: &str) -> &str {
    let docs = fs::read_to_string(format!("{}/docs/operations.md", env!("CARGO_MANIFEST_DIR")));
    let has = docs.unwrap().lines().any(|other| other.trim() == line);
    assert!(has, "docs/operations.md does not say: {line}");
    line
}

/// Builds the package around the program under test.
fn build(out: &Path, version: &str) -> PathBuf {
    let mut deb = Command::new(format!("{}/packaging/deb", env!("CARGO_MANIFEST_DIR")));
    deb.arg(MAILSEAL).arg(out);
    deb.env("MAILSEAL_DEB_VERSION", version).env("MAILSEAL_DEB_COMPRESSION", "-Znone");
    let printed = run(&mut deb).stdout;
    PathBuf::from(String::from_utf8(printed).unwrap().trim_end())
}

/// Runs the unit's `ExecStart=` until it says that it is ready.
fn start_as_its_unit_says(root: &Root) -> Process {
    let start = &commands(root, "ExecStart=")[0];
    fs::copy(unit::CONFINED, root.path("tmp/confined.py")).unwrap();
    let path = root.path("tmp/notify");
    let _ = fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    root.sh("chmod 666 /tmp/notify; install -d -o mailseal -g mailseal /run/mailseal");
    let start: Vec<&str> = start.split(' ').collect();
    let mut command =
        root.command(&[&["env", "NOTIFY_SOCKET=/tmp/notify"][..], AS_MAILSEAL, &start].concat());
    let process = Process::start(&mut command, &root.dir.path().join("mailseal.log"));
    let mut said = [0; 256];
    let len = manager.recv(&mut said).unwrap_or_else(|why| panic!("{why}: {}", process.log()));
    let said = String::from_utf8_lossy(&said[..len]);
    assert!(said.starts_with("READY=1\nSTATUS=serving unix:/var/spool/postfix/mailseal"), "{said}");
    process
}

/// The unit's commands of one kind.
fn commands(root: &Root, kind: &str) -> Vec<String> {
    let unit = root.sh(&format!("cat {UNIT}"));
    unit.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
}

/// Debian's Postfix with its own defaults, its smtpd in its chroot, and the lines that the documentation gives.
fn attach_and_send(root: &Root, mailroom: &Mailroom) {
    let port = free_port();
    root.sh(&format!(
        "cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
         cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
         postconf -e '{}' '{}' '{}' '{}'
         postconf -e myhostname=mx.example.org inet_interfaces=127.0.0.1 inet_protocols=ipv4 mydestination= \\
             'relayhost = [127.0.0.1]:{}' smtp_dns_support_level=disabled maillog_file=/var/log/postfix.log
         sed -i 's/^smtp  *inet/127.0.0.1:{port} inet/' /etc/postfix/master.cf
         grep -q '^127.0.0.1:{port} inet *n *- *y' /etc/postfix/master.cf
         postfix check",
        documented(MAIN_CF[0]),
        documented(MAIN_CF[1]),
        documented(MAIN_CF[2]),
        documented(MAIN_CF[3]),
        mailroom.sink.addr.port()
    ));
    let mut master = root.command(&["/usr/lib/postfix/sbin/master", "-d"]);
    let mut postfix = Process::start(&mut master, &root.dir.path().join("postfix.log"));
    let addr = ([127, 0, 0, 1], port).into();
    postfix.wait_for("Postfix", || std::net::TcpStream::connect(addr).ok());
    let to = "packaged@example.net";
    let message =
        b"From: ann@example.org\r\nTo: packaged@example.net\r\nSubject: hello\r\n\r\nHello.\r\n";
    let reply = Client::connect(addr, "localhost").send("ann@example.org", to, message);
    assert_eq!(reply.code, 250, "{reply}: {}", root.sh("cat /var/log/postfix.log"));
    let delivery = mailroom.sink.delivery(to);
    let signatures = delivery.values("DKIM-Signature");
    assert!(
        signatures.iter().any(|value| value.contains("d=example.org")),
        "{}",
        delivery.header()
    );
}
