//! The filters that are compared, each started with a configuration of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::corpus::{Key, SELECTOR, domains};
use crate::support::daemon::Daemon;
use crate::support::process::{Process, run};
use crate::{Filter, Station};

/// A program that listens on a Unix socket.
struct Server {
    process: Process,
    socket: PathBuf,
}

/// All of them, running.
pub(crate) struct Rivals {
    mailseal: Daemon,
    opendkim_signs: Server,
    opendkim_verifies: Server,
    opendmarc: Server,
    rspamd_signs: Server,
    rspamd_verifies: Server,
}

impl Rivals {
    pub(crate) fn start(dir: &Path, key: &Key, dns: Ipv4Addr) -> Self {
        let pem = dir.join("key.pem");
        fs::write(&pem, &key.pem).unwrap();
        let (signs, verifies) =
            (opendkim_tables(dir, &pem), format!("Mode v\nNameservers {dns}\n"));
        let path = pem.display();
        let rspamd_signs = format!(
            "dkim_signing {{ sign_authenticated = true; selector = \"{SELECTOR}\"; path = \"{path}\"; \
             use_domain = \"header\"; allow_username_mismatch = true; use_esld = false; }}"
        );
        let rspamd_verifies =
            "dkim {} spf {} dmarc {} arc {} milter_headers { use = [\"authentication-results\"]; }";
        Self {
            mailseal: mailseal(dir, &pem, dns),
            opendkim_signs: opendkim(dir, "opendkim-signs", &signs),
            opendkim_verifies: opendkim(dir, "opendkim-verifies", &verifies),
            opendmarc: opendmarc(dir, dns),
            rspamd_signs: rspamd(dir, "rspamd-signs", dns, &rspamd_signs),
            rspamd_verifies: rspamd(dir, "rspamd-verifies", dns, rspamd_verifies),
        }
    }

    /// Those that sign, mailseal first.
    pub(crate) fn signers(&self) -> Vec<Filter> {
        let signs = |server: &Server| server.station("\"DKIM-Signature\"");
        vec![
            self.mailseal("\"DKIM-Signature\""),
            filter("OpenDKIM", vec![signs(&self.opendkim_signs)]),
            filter("rspamd, dkim_signing alone", vec![signs(&self.rspamd_signs)]),
        ]
    }

    /// Those that verify, mailseal first.
    pub(crate) fn verifiers(&self) -> Vec<Filter> {
        let opendkim = || self.opendkim_verifies.station("dkim=pass");
        let opendmarc = self.opendmarc.station("dmarc=pass");
        let rspamd = self.rspamd_verifies.station("dmarc=pass");
        vec![
            self.mailseal("dmarc=pass"),
            filter("OpenDKIM", vec![opendkim()]),
            filter("OpenDKIM, then OpenDMARC", vec![opendkim(), opendmarc]),
            filter("rspamd, spf dkim dmarc arc alone", vec![rspamd]),
        ]
    }

    fn mailseal(&self, says: &'static str) -> Filter {
        let (process, socket) = (self.mailseal.id(), self.mailseal.socket.clone());
        filter("mailseal", vec![Station { process, socket, says }])
    }
}

impl Server {
    fn station(&self, says: &'static str) -> Station {
        Station { process: self.process.id(), socket: self.socket.clone(), says }
    }
}

fn filter(name: &'static str, stations: Vec<Station>) -> Filter {
    Filter { name, stations }
}

fn mailseal(dir: &Path, pem: &Path, dns: Ipv4Addr) -> Daemon {
    let keys = dir.join("keys");
    let config = format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{dns}:53\"]\n\
         [sign]\nkeys = \"{}\"\n[telemetry]\nlevel = \"warn\"\n",
        keys.display()
    );
    let path = dir.join("keys.toml");
    fs::write(&path, &config).unwrap();
    let mailseal = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        run(command.arg("keys").args(args).arg("--config").arg(&path));
    };
    for domain in domains() {
        let pem = pem.to_str().unwrap();
        mailseal(&["import", "--domain", &domain, "--selector", SELECTOR, pem]);
        mailseal(&["activate", &domain, "--selector", SELECTOR, "--force"]);
    }
    Daemon::start(dir, "mailseal", &[], &config)
}

fn opendkim_tables(dir: &Path, pem: &Path) -> String {
    let (mut keys, mut signing) = (String::new(), String::new());
    for domain in domains() {
        writeln!(keys, "{domain} {domain}:{SELECTOR}:{}", pem.display()).unwrap();
        writeln!(signing, "*@{domain} {domain}").unwrap();
    }
    let (key_table, signing_table) = (dir.join("keytable"), dir.join("signingtable"));
    fs::write(&key_table, keys).unwrap();
    fs::write(&signing_table, signing).unwrap();
    format!(
        "Mode s\nCanonicalization relaxed/relaxed\nKeyTable file:{}\nSigningTable refile:{}\n",
        key_table.display(),
        signing_table.display()
    )
}

fn opendkim(dir: &Path, name: &str, config: &str) -> Server {
    let (socket, path) = (dir.join(name), dir.join(format!("{name}.conf")));
    let common = format!(
        "Socket local:{}\nAuthservID mx.example.org\nRequireSafeKeys no\n",
        socket.display()
    );
    fs::write(&path, common + config).unwrap();
    let mut command = Command::new("/usr/sbin/opendkim");
    start(dir, name, socket, command.arg("-f").arg("-x").arg(path))
}

/// OpenDMARC knows no way to its DNS server but `/etc/resolv.conf`, of which it is given its own.
fn opendmarc(dir: &Path, dns: Ipv4Addr) -> Server {
    let (socket, conf) = (dir.join("opendmarc"), dir.join("opendmarc.conf"));
    let (resolv, suffixes) = (dir.join("resolv.conf"), dir.join("suffixes"));
    fs::write(&resolv, format!("nameserver {dns}\n")).unwrap();
    fs::write(&suffixes, "example\n").unwrap();
    let config = format!(
        "Socket local:{}\nAuthservID mx.example.org\nTrustedAuthservIDs mx.example.org\n\
         SPFIgnoreResults true\nSPFSelfValidate true\nPublicSuffixList {}\n",
        socket.display(),
        suffixes.display()
    );
    fs::write(&conf, config).unwrap();
    let mut command = Command::new("/usr/bin/unshare");
    let bind = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    command.args(["--mount", "/bin/sh", "-c", bind]).arg(resolv);
    command.args(["/usr/sbin/opendmarc", "-f", "-c"]).arg(conf);
    start(dir, "opendmarc", socket, &mut command)
}

fn rspamd(dir: &Path, name: &str, dns: Ipv4Addr, modules: &str) -> Server {
    let own = dir.join(name);
    fs::create_dir(&own).unwrap();
    let (socket, suffixes) = (own.join("socket"), own.join("suffixes"));
    fs::write(&suffixes, "example\n").unwrap();
    let (at, workers) = (own.display(), std::thread::available_parallelism().unwrap());
    let config = format!(
        "options {{
          filters = \"dkim\"; pidfile = \"{at}/pid\"; url_tld = \"{at}/suffixes\";
          cache_file = \"{at}/symbols\"; hs_cache_dir = \"{at}\"; tempdir = \"{at}\"; task_timeout = 60s;
          control_socket = \"{at}/control mode=0600\"; explicit_modules = [\"settings\"];
          dns {{ nameserver = [\"{dns}:53:1\"]; }}
        }}
        logging {{ type = \"file\"; filename = \"{at}/log.rspamd\"; level = \"warning\"; }}
        worker \"rspamd_proxy\" {{
          bind_socket = \"{at}/socket mode=0666\"; milter = yes; timeout = 120s; count = {workers};
          upstream \"local\" {{ default = yes; self_scan = yes; }}
        }}
        modules {{ path = \"/usr/share/rspamd/plugins/\"; }}
        actions {{ reject = 100000; }}
        {modules}\n"
    );
    let path = own.join("conf");
    fs::write(&path, config).unwrap();
    let mut command = Command::new("/usr/bin/rspamd");
    command.args(["--insecure", "--no-fork", "--config"]).arg(path);
    for variable in ["DBDIR", "RUNDIR", "LOGDIR"] {
        command.arg(format!("--var={variable}={at}"));
    }
    start(dir, name, socket, &mut command)
}

fn start(dir: &Path, name: &str, socket: PathBuf, command: &mut Command) -> Server {
    let mut process = Process::start(command, &dir.join(format!("{name}.log")));
    process.wait_for(name, || UnixStream::connect(&socket).ok());
    Server { process, socket }
}
