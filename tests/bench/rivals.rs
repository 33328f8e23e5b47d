//! The filters that are compared, each started with a configuration of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Filter;
use crate::corpus::{Key, SELECTOR, domains};
use crate::support::daemon::Daemon;
use crate::support::process::{Process, run};

/// A program that listens on a Unix socket.
struct Station {
    process: Process,
    socket: PathBuf,
}

/// All of them, running.
pub(crate) struct Rivals {
    mailseal: Daemon,
    opendkim_signs: Station,
    opendkim_verifies: Station,
    opendmarc: Station,
    rspamd_signs: Station,
    rspamd_verifies: Station,
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
        vec![
            self.mailseal(),
            filter("OpenDKIM", &[&self.opendkim_signs]),
            filter("rspamd, dkim_signing alone", &[&self.rspamd_signs]),
        ]
    }

    /// Those that verify, mailseal first.
    pub(crate) fn verifiers(&self) -> Vec<Filter> {
        vec![
            self.mailseal(),
            filter("OpenDKIM", &[&self.opendkim_verifies]),
            filter("OpenDKIM, then OpenDMARC", &[&self.opendkim_verifies, &self.opendmarc]),
            filter("rspamd, spf dkim dmarc arc alone", &[&self.rspamd_verifies]),
        ]
    }

    fn mailseal(&self) -> Filter {
        let station = (self.mailseal.id(), self.mailseal.socket.clone());
        Filter { name: "mailseal", stations: vec![station] }
    }
}

fn filter(name: &'static str, stations: &[&Station]) -> Filter {
    let station = |station: &&Station| (station.process.id(), station.socket.clone());
    Filter { name, stations: stations.iter().map(station).collect() }
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

fn opendkim(dir: &Path, name: &str, config: &str) -> Station {
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
fn opendmarc(dir: &Path, dns: Ipv4Addr) -> Station {
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

fn rspamd(dir: &Path, name: &str, dns: Ipv4Addr, modules: &str) -> Station {
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

fn start(dir: &Path, name: &str, socket: PathBuf, command: &mut Command) -> Station {
    let mut process = Process::start(command, &dir.join(format!("{name}.log")));
    process.wait_for(name, || UnixStream::connect(&socket).ok());
    Station { process, socket }
}
