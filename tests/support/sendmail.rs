//! Debian's Sendmail, unpacked by `tests/install` below `target/`, with configuration, queue and
//! port of its own. It sees a host name and an `/etc/hosts` of ours, in name spaces of its own, since it
//! waits a minute for a machine that has no full name.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::postfix::{sasl_conf, write_sasl_password};
use super::process::{PATIENCE, Process, free_port, run};
use super::recipes::recipe;

/// The user name of the authenticated client.
pub const USER: &str = "joe@mx.example.org";
/// The password of [`USER`].
pub const PASSWORD: &str = "not so secret";

/// A running Sendmail.
pub struct Sendmail {
    process: Process,
    dir: PathBuf,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// Lines of a test's own for the configurations of the two programs.
#[derive(Clone, Copy, Default)]
pub struct Lines<'a> {
    /// For the daemon.
    pub daemon: &'a str,
    /// For the submission program.
    pub submission: &'a str,
}

impl Sendmail {
    /// Starts it in `dir`; `sink` takes all that it delivers.
    pub fn start(dir: &Path, lines: Lines, sink: SocketAddr) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        for name in ["queue", "submit-queue", "sasl"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        fs::set_permissions(dir.join("queue"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(dir.join("submit-queue"), fs::Permissions::from_mode(0o770)).unwrap();
        // The submission program gives up its rights before it opens its queue.
        run(Command::new("chown").arg("nobody").arg(dir.join("submit-queue")));
        let database = dir.join("sasl/sasldb2");
        write_sasl_password(&database, USER, PASSWORD);
        fs::write(dir.join("sasl/Sendmail.conf"), sasl_conf(&database)).unwrap();
        fs::write(dir.join("hosts"), "127.0.0.1 mx.example.org localhost\n").unwrap();
        fs::write(dir.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        fs::write(dir.join("service.switch"), "hosts files\naliases files\n").unwrap();
        fs::write(dir.join("aliases"), "").unwrap();
        let home = dir.join("home");
        fs::create_dir_all(&home).unwrap();
        let (home, rules) = (home.display(), recipe("procmailrc"));
        let rules = format!("HOME={home}\nDEFAULT={home}/Inbox\n{rules}");
        fs::write(dir.join("procmailrc"), rules).unwrap();
        write_cf(dir, "sendmail", &sendmail_mc(dir, lines.daemon, addr, sink));
        write_cf(dir, "submit", &submit_mc(dir, lines.submission, addr));

        let mut daemon = in_name_spaces(dir, "sendmail.cf");
        // -bD keeps it in the foreground.
        let mut process = Process::start(daemon.arg("-bD"), &dir.join("sendmail.out"));
        process.wait_for("Sendmail", || TcpStream::connect(addr).ok());
        Self { process, dir: dir.into(), addr }
    }

    /// Hands a message to its `sendmail(1)`; it has LF line ends.
    pub fn sendmail(&self, mail_from: &str, recipient: &str, message: &str) {
        let mut sendmail = in_name_spaces(&self.dir, "submit.cf")
            .args(["-i", "-f", mail_from, recipient])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        sendmail.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        assert!(sendmail.wait().unwrap().success());
    }

    /// What local delivery has put into a folder, once there are so many messages, whole with their empty
    /// line at the end.
    pub fn folder(&self, name: &str, messages: usize) -> String {
        let path = self.dir.join("home").join(name);
        let give_up = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let is_whole = text.ends_with("\n\n");
            if is_whole && text.matches("\nMessage-ID:").count() == messages {
                return text;
            }
            assert!(Instant::now() < give_up, "not {messages} in {}: {text}", path.display());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Speaks SMTP to `sendmail -bs` by its standard input; gives its greeting and the last line of each reply.
    pub fn stdin_smtp(&self, commands: &[&str]) -> Vec<String> {
        let mut sendmail = in_name_spaces(&self.dir, "sendmail.cf")
            .arg("-bs")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = sendmail.stdin.take().unwrap();
        let mut lines = BufReader::new(sendmail.stdout.take().unwrap()).lines();
        let mut reply = || {
            let last = |line: &String| line.as_bytes().get(3) != Some(&b'-');
            lines.by_ref().map(Result::unwrap).find(last).unwrap_or_default()
        };
        let mut replies = vec![reply()];
        for command in commands {
            input.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            replies.push(reply());
        }
        drop(input);
        sendmail.wait().unwrap();
        replies
    }

    /// The ids of the messages that are held.
    pub fn held(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.join("queue")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_prefix("hf").map(ToOwned::to_owned)).collect()
    }

    /// Works on the queue with these options, as an operator does.
    pub fn queue(&self, args: &[&str]) {
        run(in_name_spaces(&self.dir, "sendmail.cf").args(args));
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("sendmail.cf")
    }

    /// What it has printed, and its transcript of all sessions.
    pub fn log(&self) -> String {
        let sessions = fs::read(self.dir.join("sessions")).unwrap_or_default();
        self.process.log() + &String::from_utf8_lossy(&sessions)
    }
}

/// Where `tests/install` unpacked that package.
fn unpacked(package: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/debian").join(package);
    assert!(dir.is_dir(), "there is no {}: run tests/install", dir.display());
    dir
}

/// `sendmail -C CF`, in a world in which this host is mx.example.org.
fn in_name_spaces(dir: &Path, cf: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = "hostname mx.example.org
        mount --bind \"$1/hosts\" /etc/hosts
        [ ! -e /etc/resolv.conf ] || mount --bind \"$1/resolv.conf\" /etc/resolv.conf
        mount --bind \"$1/sasl\" /usr/lib/sasl2
        shift
        exec \"$@\"";
    command.args(["--mount", "--uts", "sh", "-ec", script, "sh"]).arg(dir);
    command.arg(unpacked("sendmail-bin").join("usr/libexec/sendmail/sendmail"));
    command.arg("-C").arg(dir.join(cf));
    command
}

/// Has m4 make a .cf of the .mc text.
fn write_cf(dir: &Path, name: &str, mc: &str) {
    let mc_path = dir.join(format!("{name}.mc"));
    fs::write(&mc_path, mc).unwrap();
    let macros = unpacked("sendmail-cf").join("usr/share/sendmail/cf/");
    let mut m4 = Command::new("m4");
    m4.arg(format!("-D_CF_DIR_={}", macros.display())).arg(macros.join("m4/cf.m4")).arg(mc_path);
    fs::write(dir.join(format!("{name}.cf")), run(&mut m4).stdout).unwrap();
}

/// What the daemon and the submission program have in common: nothing of the system's is read.
fn common_mc(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.example.org')dnl
define(`confSERVICE_SWITCH_FILE', `{dir}/service.switch')dnl
define(`confHOSTS_FILE', `{dir}/hosts')dnl
define(`confCW_FILE', `-o {dir}/none')dnl
define(`HELP_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`ALIAS_FILE', `stab:{dir}/aliases')dnl
define(`confCONTROL_SOCKET_NAME', `')dnl
define(`confTO_IDENT', `0')dnl
define(`confDELIVERY_MODE', `i')dnl
FEATURE(`nocanonify')dnl
"
    )
}

fn sendmail_mc(dir: &Path, lines: &str, addr: SocketAddr, sink: SocketAddr) -> String {
    // With a file of rules of its own. Without `$u`, Sendmail would speak SMTP to it.
    let arguments =
        format!("', `/usr/bin/procmail', `procmail -m {} $u')", dir.join("procmailrc").display());
    let procmail = recipe("sendmail.mc").replacen("')", &arguments, 1);
    format!(
        "{}define(`confPID_FILE', `{dir}/sendmail.pid')dnl
define(`QUEUE_DIR', `{dir}/queue')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confDEF_USER_ID', `65534:65534')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
define(`confAUTH_OPTIONS', `')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`no_default_msa')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {}')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr={}, Port={}')dnl
{lines}{procmail}MAILER(`local')dnl
MAILER(`smtp')dnl
",
        common_mc(dir),
        sink.port(),
        addr.ip(),
        addr.port(),
        dir = dir.display(),
    )
}

/// The mail submission program: `sendmail(1)` hands its mail to the daemon by SMTP, as Debian sets it up.
fn submit_mc(dir: &Path, lines: &str, daemon: SocketAddr) -> String {
    format!(
        "{}define(`confPID_FILE', `{dir}/submit.pid')dnl
define(`MSP_QUEUE_DIR', `{dir}/submit-queue')dnl
define(`confRUN_AS_USER', `nobody')dnl
define(`confTRUSTED_USER', `nobody')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {}')dnl
{lines}FEATURE(`msp', `[{}]')dnl
",
        common_mc(dir),
        daemon.port(),
        daemon.ip(),
        dir = dir.display(),
    )
}
