//! Configurations of the filters that mailseal replaces: what Debian's packages install, what well-known mail
//! systems write, and what cannot be taken over. What is made is always a configuration without faults.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailseal::config::{Config, Loaded};
use mailseal::dkim::signing_key::generate_rsa;
use mailseal::verdict::Action;
use tempfile::TempDir;

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A directory with old configurations.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Writes a file; `DIR` in it is this fixture's directory.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("DIR", self.dir.path().to_str().unwrap())).unwrap();
        path
    }

    fn key(&self, name: &str) {
        let pem = generate_rsa(2048).unwrap();
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, pem).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        let dir = self.dir.path().to_str().unwrap();
        let args = args.iter().map(|arg| arg.replace("DIR", dir));
        let output = Command::new(env!("CARGO_BIN_EXE_mailseal")).args(args).output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace(dir, "DIR");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What an import prints, and the configuration that it is.
    fn import(&self, args: &[&str]) -> (Ran, Config) {
        let ran = self.run(&[&["import"], args].concat());
        let loaded = Loaded::parse(&ran.out, Path::new("made"), Path::new(""));
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}\n{}{}", ran.out, ran.err));
        (ran, loaded.config)
    }
}

fn networks(config: &Config) -> Vec<String> {
    config.identity.trusted_networks.iter().map(ToString::to_string).collect()
}

/// The packages are there where `tests/install` ran.
#[test]
fn what_debian_installs_is_imported_without_a_refusal() {
    let fixture = Fixture::new();
    let (ran, config) = fixture.import(&[
        "--opendkim=/etc/opendkim.conf",
        "--opendmarc=/etc/opendmarc.conf",
        "--clamav-milter=/etc/clamav/clamav-milter.conf",
    ]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(!ran.err.contains("cannot be taken over"), "{}", ran.err);
    let shown =
        format!("{:?}", (config.sign.header_canonicalization, config.sign.body_canonicalization));
    assert_eq!(shown, "(Relaxed, Simple)");
    assert_eq!(config.policy.dmarc, Action::Tag);
    assert_eq!(config.clamav.servers.len(), 1);
    assert_eq!(config.clamav.scan_bytes_max, 25 << 20);
    for told in [
        "/etc/opendkim.conf: 6: Syslog yes, 7: SyslogSuccess yes: ",
        "OversignHeaders From: To, Cc, Subject, Reply-To and Content-Type are oversigned, too",
        "organizational domains are found in DNS",
        "sockets (local:/run/opendkim/opendkim.sock, local:/run/opendmarc/opendmarc.sock, ",
    ] {
        assert!(ran.out.contains(told), "no {told}: {}", ran.out);
    }
}

/// As docker-mailserver writes it: tables, and one list of hosts for two options.
#[test]
fn tables_and_trusted_hosts_are_taken_over() {
    let fixture = Fixture::new();
    for domain in ["example.com", "example.net"] {
        fixture.key(&format!("keys/{domain}/mail.private"));
    }
    fixture.write(
        "opendkim/KeyTable",
        "mail._domainkey.example.com example.com:mail:DIR/keys/example.com/mail.private\n\
         mail._domainkey.example.net example.net:mail:DIR/keys/example.net/mail.private\n",
    );
    fixture.write(
        "opendkim/SigningTable",
        "*@example.com mail._domainkey.example.com\n*@sub.example.com mail._domainkey.example.com\n\
         *@example.net mail._domainkey.example.net\n",
    );
    fixture.write("opendkim/TrustedHosts", "127.0.0.1\nlocalhost\n172.16.0.0/12\n# a comment\n");
    fixture.write(
        "opendkim.conf",
        "AutoRestart             Yes\nAutoRestartRate         10/1h\nUMask 002\nSyslog yes\n\
         SyslogSuccess           Yes\nLogWhy                  Yes\n\
         Canonicalization        relaxed/simple\n\
         ExternalIgnoreList      refile:DIR/opendkim/TrustedHosts\n\
         InternalHosts           refile:DIR/opendkim/TrustedHosts\n\
         KeyTable                refile:DIR/opendkim/KeyTable\n\
         SigningTable            refile:DIR/opendkim/SigningTable\n\
         Mode                    sv\nPidFile /var/run/opendkim/opendkim.pid\n\
         SignatureAlgorithm      rsa-sha256\nUserID                  opendkim:opendkim\n\
         Socket                  inet:8891@localhost\n",
    );
    let (ran, config) = fixture.import(&["--opendkim", "DIR/opendkim.conf"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(networks(&config), ["127.0.0.1/32", "::1/128", "172.16.0.0/12"]);
    assert!(config.identity.trusted_relays.is_empty(), "what is signed is no relay");
    // Beside OpenDKIM on our own default port.
    assert_eq!(config.milter.listen[0].to_string(), "inet:127.0.0.1:8892");
    let map = "[[sign.map]]\nfrom = \"sub.example.com\"\ndomain = \"example.com\"\nauid = false\n";
    assert!(ran.out.contains(map), "{}", ran.out);
    assert!(!ran.out.contains("PRIVATE KEY"));
}

/// As in a host that rejects, scans over TCP and leaves its own networks alone.
#[test]
fn every_option_has_its_key_or_its_sentence() {
    let fixture = Fixture::new();
    fixture.write("ignore", "127.0.0.1\n10.0.0.0/8\n");
    fixture.write("lists", "Lists.Example\n");
    fixture.write(
        "opendmarc.conf",
        "AuthservID mx.example.org\nTrustedAuthservIDs HOSTNAME,old.example.org\n\
         RejectFailures true\nHoldQuarantinedMessages true\nRejectMultiValueFrom true\n\
         IgnoreHosts DIR/ignore\nIgnoreMailFrom Trusted.example\nIgnoreMailTo abuse@example.org\n\
         DomainWhitelistFile DIR/lists\nIgnoreAuthenticatedClients true\nSPFSelfValidate true\n\
         DNSTimeout 7\nHistoryFile /run/opendmarc/opendmarc.dat\nFailureReports false\n\
         Socket inet:8893@localhost\n",
    );
    fixture.write(
        "clamav-milter.conf",
        "MilterSocket inet:7357\nClamdSocket tcp:127.0.0.1\nClamdSocket tcp:192.0.2.7:3311\n\
         OnInfected Blackhole\nOnFail Accept\nMaxFileSize 1K\nLocalNet local\n\
         RejectMsg \"Blocked: # %v\"\nAddHeader Add\n",
    );
    fixture.write(
        "opendkim.conf",
        "Mode s\nMTA MSA,submission\nMinimumKeyBits 2048\nOversignHeaders From,Date,Sender\n\
         OmitHeaders Subject\nSignatureTTL 604800\nNameservers 192.0.2.53\n\
         On-DNSError tempfail\nOn-BadSignature reject\nMaximumHeaders 65536\n\
         InternalHosts 192.0.2.0/24, 2001:db8::/32 # ours\nAuthservID mx.example.org\n",
    );
    let (ran, config) = fixture.import(&[
        "--opendkim=DIR/opendkim.conf",
        "--opendmarc=DIR/opendmarc.conf",
        "--clamav-milter=DIR/clamav-milter.conf",
    ]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(config.identity.authserv_id, "mx.example.org");
    assert_eq!(config.identity.authserv_ids_ours, ["old.example.org"]);
    assert_eq!(config.identity.originating_daemons, ["MSA", "submission"]);
    assert_eq!(networks(&config), ["192.0.2.0/24", "2001:db8::/32"]);
    assert_eq!(
        (config.policy.dmarc, config.policy.malformed_from),
        (Action::Reject, Action::Reject)
    );
    assert_eq!(config.policy.temperror, Action::Tempfail);
    assert_eq!(config.policy.exempt.len(), 3);
    assert_eq!(config.policy.exempt[0].networks[0].to_string(), "10.0.0.0/8");
    assert_eq!(config.policy.exempt[1].domains, ["trusted.example"]);
    assert_eq!(config.policy.exempt[2].recipients, ["abuse@example.org"]);
    assert_eq!(config.arc.trusted_sealers, ["lists.example"]);
    assert!(!config.verify.enabled, "Mode s does not verify");
    assert_eq!(config.verify.min_rsa_bits, 2048);
    assert_eq!(config.dns.timeout.as_secs(), 7);
    assert_eq!(config.dns.servers[0].to_string(), "192.0.2.53:53");
    assert_eq!(config.sign.expire.unwrap().as_secs(), 604_800);
    assert!(config.sign.oversign.iter().any(|field| field == "Date"));
    assert!(!config.sign.fields.iter().any(|field| field.eq_ignore_ascii_case("subject")));
    assert_eq!(config.limits.header_bytes_max, 65_536);
    let servers: Vec<String> = config.clamav.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["inet:127.0.0.1:3310", "inet:192.0.2.7:3311"]);
    assert_eq!(config.clamav.scan_bytes_max, 1024);
    assert!(
        ran.out.contains("on_infected = \"discard\"")
            && ran.out.contains("on_failure = \"accept\"")
    );
    for told in [
        "clamav-milter.conf:8: RejectMsg Blocked: # %v: the reply names the virus",
        "and Sender cannot be: lists add them",
        "On-BadSignature reject: a signature that fails is like none",
    ] {
        assert!(ran.out.contains(told), "no {told}: {}", ran.out);
    }
}

#[test]
fn what_cannot_be_taken_over_is_named_with_its_place() {
    let fixture = Fixture::new();
    fixture.write(
        "opendkim.conf",
        "Canonicalisation relaxed\nInternalHosts DIR/none\nLDAPUseTLS yes\nExemptDomains a.example\n\
         FinalPolicyScript /etc/x.lua\nSignatureTTL 5\nCanonicalization odd/odd\nBad\u{1b}[2J x\n",
    );
    fixture.write("opendmarc.conf", "IgnoreHosts DIR/names\nRejectFailure true\n");
    fixture.write("names", "mail.example.org\n");
    fixture.write(
        "clamav-milter.conf",
        "OnInfected Explode\nVirusAction /bin/x\nClamdSocket tcp:h:1\n",
    );
    let (ran, _) = fixture.import(&[
        "--opendkim=DIR/opendkim.conf",
        "--opendmarc=DIR/opendmarc.conf",
        "--clamav-milter=DIR/clamav-milter.conf",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    for told in [
        "DIR/opendkim.conf:1: Canonicalisation: unknown option",
        "DIR/opendkim.conf:2: InternalHosts DIR/none: DIR/none: ",
        "DIR/opendkim.conf:3: LDAPUseTLS yes: is not supported",
        "DIR/opendkim.conf:4: ExemptDomains a.example: ",
        "DIR/opendkim.conf:5: FinalPolicyScript /etc/x.lua: there are no scripts",
        "DIR/opendkim.conf:6: SignatureTTL 5: ",
        "DIR/opendkim.conf:7: Canonicalization odd/odd: ",
        "DIR/opendmarc.conf:1: IgnoreHosts DIR/names: \"mail.example.org\" is no address",
        "DIR/opendmarc.conf:2: RejectFailure: unknown option",
        "DIR/clamav-milter.conf:1: OnInfected Explode: ",
        "DIR/clamav-milter.conf:2: VirusAction /bin/x: ",
        "DIR/clamav-milter.conf:3: ClamdSocket tcp:h:1: ",
    ] {
        assert!(ran.err.contains(told), "no {told}: {}", ran.err);
        assert!(ran.out.contains(told), "not in the file: {told}: {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
}

#[test]
fn no_file_is_overwritten_unasked() {
    let fixture = Fixture::new();
    fixture.write("opendmarc.conf", "RejectFailures false\n");
    let made = fixture.write("mailseal.toml", "# mine\n");
    let args = ["import", "--opendmarc=DIR/opendmarc.conf", "-o", "DIR/mailseal.toml"];
    let ran = fixture.run(&args);
    assert_eq!(ran.code, Some(3));
    assert_eq!(ran.err, "DIR/mailseal.toml is there already; --overwrite replaces it\n");
    assert_eq!(fs::read_to_string(&made).unwrap(), "# mine\n");

    let ran = fixture.run(&[&args[..], &["--overwrite"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("DIR/mailseal.toml is written"), "{}", ran.out);
    let checked = fixture.run(&["config", "check", "DIR/mailseal.toml"]);
    assert_eq!((checked.code, checked.out.as_str()), (Some(0), "DIR/mailseal.toml: no faults\n"));
}

#[test]
fn files_that_are_none_are_refused_in_a_line() {
    let fixture = Fixture::new();
    fs::write(fixture.dir.path().join("binary"), b"a\0b").unwrap();
    for name in ["DIR/none", "DIR", "DIR/binary"] {
        let ran = fixture.run(&["import", "--opendkim", name]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(ran.err.starts_with(name), "{}", ran.err);
    }
}

/// The way over that docs/migrating.md describes, command by command.
#[test]
fn the_commands_of_the_migration_page_work() {
    let page = fs::read_to_string("docs/migrating.md").unwrap();
    let fixture = Fixture::new();
    fixture.key("dkimkeys/example.private");
    fixture.write(
        "opendkim.conf",
        "Domain example.org\nSelector 2020\nKeyFile DIR/dkimkeys/example.private\n\
         Canonicalization relaxed/relaxed\nAuthservID mx.example.org\n",
    );
    fixture.write("opendmarc.conf", "RejectFailures false\n");
    fixture.write("clamav-milter.conf", "ClamdSocket unix:/run/clamav/clamd.ctl\n");
    fixture.write("main.cf", "myhostname = mx.example.org\nsmtpd_milters = inet:127.0.0.1:8891\n");
    fixture.write("master.cf", "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n");
    let commands = page.lines().filter_map(|line| line.strip_prefix("    mailseal "));
    let mut run = Vec::new();
    for command in commands {
        let command = command.split("  #").next().unwrap().trim();
        let mut args: Vec<String> = command
            .replace("/etc/opendkim.conf", "DIR/opendkim.conf")
            .replace("/etc/opendmarc.conf", "DIR/opendmarc.conf")
            .replace("/etc/clamav/clamav-milter.conf", "DIR/clamav-milter.conf")
            .replace("mailseal.toml", "DIR/mailseal.toml")
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let verb = args[0].clone();
        match verb.as_str() {
            // Its own test starts it; here it would not end. Nobody answers DNS here.
            "serve" => continue,
            "doctor" => {
                let files =
                    ["--postconf=DIR/main.cf", "--master=DIR/master.cf", "--remote", "--offline"];
                args.extend(files.map(str::to_owned));
            }
            _ => {}
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = fixture.run(&args);
        // doctor has something to say of that Postfix.
        let wanted = if verb == "doctor" { Some(1) } else { Some(0) };
        assert_eq!(ran.code, wanted, "{command}: {}{}", ran.out, ran.err);
        run.push(verb);
    }
    assert_eq!(run, ["import", "keys", "config", "keys", "doctor"]);
    assert!(fixture.dir.path().join("keys/example.org/2020.pem").exists());
}
