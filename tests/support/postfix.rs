//! Debian's Postfix, with configuration, queue and ports of its own below a scratch directory.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use super::process::{Process, free_port, run};
use super::recipes::recipe;

/// The user name of the authenticated client.
pub const USER: &str = "joe@example.org";
/// The password of [`USER`].
pub const PASSWORD: &str = "not so secret";

/// The domain to which nothing can be delivered: its mail bounces.
pub const BOUNCING_DOMAIN: &str = "bounce.example";

const QUEUES: &[&str] = &[
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
    "saved", "trace",
];

/// A running Postfix.
pub struct Postfix {
    process: Process,
    dir: PathBuf,
    services: Vec<(&'static str, SocketAddr)>,
}

/// One listener for SMTP.
pub struct Service {
    /// The name that [`Postfix::addr`] knows it by.
    pub name: &'static str,
    /// `smtpd_milters`.
    pub milters: String,
    /// Further `-o` options.
    pub options: &'static [&'static str],
}

/// Where mail for a domain goes by a transport of its own.
pub struct Route {
    /// The domain.
    pub domain: &'static str,
    /// `-o` options of the transport.
    pub options: &'static [&'static str],
    /// Who takes the mail.
    pub addr: SocketAddr,
}

/// A message in the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// `hold`, `deferred`, `active` and so on.
    pub queue: String,
    /// Its queue id.
    pub id: String,
}

impl Postfix {
    /// Starts it in `dir`; `sink` takes all that it delivers.
    pub fn start(
        dir: &Path,
        services: &[Service],
        routes: &[Route],
        non_smtpd: &str,
        sink: SocketAddr,
    ) -> Self {
        assert!(Uid::effective().is_root(), "Postfix wants to be started by root");
        make_dirs(dir);
        let services_at: Vec<_> = services
            .iter()
            .map(|one| (one.name, SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))))
            .collect();
        let write = |name: &str, text: String| fs::write(dir.join("etc").join(name), text).unwrap();
        write("main.cf", main_cf(dir, non_smtpd, sink));
        write("master.cf", master_cf(services, &services_at, routes));
        write("mailseal_checks", recipe("mailseal_checks"));
        let bouncing = format!("{BOUNCING_DOMAIN} error:5.1.1 no such mailbox\n");
        write(
            "transport",
            routes.iter().fold(bouncing, |text, Route { domain, addr, .. }| {
                format!("{text}{domain} {domain}:[{}]:{}\n", addr.ip(), addr.port())
            }),
        );
        write_password(&dir.join("etc/sasl"));

        let mut master = Command::new("/usr/lib/postfix/sbin/master");
        // -d keeps it in the foreground.
        master.arg("-c").arg(dir.join("etc")).arg("-d");
        let mut process = Process::start(&mut master, &dir.join("master.out"));
        let last = services_at[services_at.len() - 1].1;
        process.wait_for("Postfix", || TcpStream::connect(last).ok());
        Self { process, dir: dir.into(), services: services_at }
    }

    /// Where that service listens.
    pub fn addr(&self, name: &str) -> SocketAddr {
        self.services.iter().find(|(other, _)| *other == name).unwrap().1
    }

    /// Hands a message to `sendmail(1)`; it has LF line ends.
    pub fn sendmail(&self, mail_from: &str, recipient: &str, message: &str) {
        let mut sendmail = self
            .command("/usr/sbin/sendmail", "-C")
            .args(["-i", "-f", mail_from, recipient])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        sendmail.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        assert!(sendmail.wait().unwrap().success());
    }

    /// The message for that recipient, if it is in the queue.
    pub fn queued(&self, recipient: &str) -> Option<Queued> {
        let listing = run(self.command("/usr/sbin/postqueue", "-c").arg("-j"));
        let listing = String::from_utf8(listing.stdout).unwrap();
        let line = listing.lines().find(|line| line.contains(&format!("\"{recipient}\"")))?;
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        Some(Queued { queue: text("queue_name"), id: text("queue_id") })
    }

    /// Releases a message from the hold queue, as an operator does.
    pub fn release(&self, id: &str) {
        run(self.command("/usr/sbin/postsuper", "-c").args(["-H", id]));
        run(self.command("/usr/sbin/postqueue", "-c").args(["-i", id]));
    }

    /// Where its main.cf and master.cf are.
    pub fn config_dir(&self) -> PathBuf {
        self.dir.join("etc")
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.process.log() + &fs::read_to_string(self.dir.join("maillog")).unwrap_or_default()
    }

    /// A command of Postfix's, told by `flag` where this one's configuration is.
    fn command(&self, program: &str, flag: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(flag).arg(self.dir.join("etc"));
        command
    }
}

/// What `postfix check` makes for the default queue, with the owners that Postfix insists on.
fn make_dirs(dir: &Path) {
    let at = |name: &str| dir.join(name);
    let queues: Vec<PathBuf> = QUEUES.iter().map(|name| at("spool").join(name)).collect();
    for path in
        [at("etc/sasl"), at("spool/pid"), at("spool/maildrop"), at("spool/public"), at("data")]
            .iter()
            .chain(&queues)
    {
        fs::create_dir_all(path).unwrap();
    }
    run(Command::new("chown").arg("postfix").arg(at("data")).args(&queues));
    run(Command::new("chmod").arg("0700").arg(at("data")).args(&queues));
    for (mode, name) in [("0730", "spool/maildrop"), ("0710", "spool/public")] {
        run(Command::new("chown").arg("postfix:postdrop").arg(at(name)));
        run(Command::new("chmod").arg(mode).arg(at(name)));
    }
}

/// Cyrus SASL's password file, and where to find it.
fn write_password(dir: &Path) {
    let database = dir.join("sasldb2");
    write_sasl_password(&database, USER, PASSWORD);
    run(Command::new("chown").arg("postfix").arg(&database));
    fs::write(dir.join("smtpd.conf"), sasl_conf(&database)).unwrap();
}

/// The configuration of a Cyrus SASL server that takes its passwords from `database`.
pub fn sasl_conf(database: &Path) -> String {
    format!(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\nmech_list: PLAIN\n",
        database.display()
    )
}

/// Puts a password into a Cyrus SASL database; `user` is NAME@REALM.
pub fn write_sasl_password(database: &Path, user: &str, password: &str) {
    let (name, realm) = user.split_once('@').unwrap();
    let mut saslpasswd = Command::new("/usr/sbin/saslpasswd2")
        .args(["-p", "-c", "-u", realm, "-f"])
        .arg(database)
        .arg(name)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    saslpasswd.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    assert!(saslpasswd.wait().unwrap().success());
}

fn main_cf(dir: &Path, non_smtpd: &str, sink: SocketAddr) -> String {
    let (dir, sink_port) = (dir.display(), sink.port());
    let recipe = recipe("main.cf").replace("/etc/postfix", &format!("{dir}/etc"));
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
mail_owner = postfix
setgid_group = postdrop

inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydomain = example.org
myorigin = example.org
mydestination =
relay_domains = example.org
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
transport_maps = texthash:{dir}/etc/transport
relayhost = [127.0.0.1]:{sink_port}
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
cyrus_sasl_config_path = {dir}/etc/sasl
smtpd_sasl_local_domain = example.org
message_size_limit = 52428800
hopcount_limit = 50

non_smtpd_milters = {non_smtpd}
milter_default_action = tempfail
internal_mail_filter_classes = bounce
{recipe}"
    )
}

/// The services of Debian's master.cf that take part here, none of them in a chroot.
fn master_cf(services: &[Service], services_at: &[(&str, SocketAddr)], routes: &[Route]) -> String {
    let mut text = String::new();
    for (service, (_, addr)) in services.iter().zip(services_at) {
        writeln!(text, "{addr} inet n - n - - smtpd").unwrap();
        writeln!(text, " -o {{ smtpd_milters = {} }}", service.milters).unwrap();
        for option in service.options {
            writeln!(text, " -o {option}").unwrap();
        }
    }
    for Route { domain, options, .. } in routes {
        writeln!(text, "{domain} unix - - n - - smtp").unwrap();
        for option in *options {
            writeln!(text, " -o {option}").unwrap();
        }
    }
    text + "\
rewriting unix      n - n -  0 cleanup
 -o sender_canonical_maps=inline:{joe@example.org=joseph@example.org}
 -o { header_checks = regexp:{{/^Subject:/ REPLACE Subject: replaced}} }
pickup    unix       n - n 60 1 pickup
cleanup   unix       n - n -  0 cleanup
qmgr      unix       n - n 10 1 qmgr
tlsmgr    unix       - - n -  1 tlsmgr
rewrite   unix       - - n -  - trivial-rewrite
bounce    unix       - - n -  0 bounce
defer     unix       - - n -  0 bounce
trace     unix       - - n -  0 bounce
flush     unix       n - n -  0 flush
proxymap  unix       - - n -  - proxymap
smtp      unix       - - n -  - smtp
relay     unix       - - n -  - smtp
error     unix       - - n -  - error
retry     unix       - - n -  - error
showq     unix       n - n -  - showq
anvil     unix       - - n -  1 anvil
postlog   unix-dgram n - n -  1 postlogd
"
}
