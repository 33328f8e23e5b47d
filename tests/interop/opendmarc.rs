//! `OpenDMARC` as a milter behind `OpenDKIM`: it takes the DKIM results from the field that
//! `OpenDKIM` wrote, and evaluates SPF itself. Both ask a DNS server on port 53: `OpenDMARC` knows
//! no other way than `/etc/resolv.conf`, of which it is given one of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::message::Message;
use crate::mta::play;
use crate::opendkim::OpenDkim;
use crate::peers;
use crate::support::milter::Mail;
use crate::support::process::Process;

pub(crate) const PROGRAM: &str = "/usr/sbin/opendmarc";

pub(crate) struct OpenDmarc {
    _process: Process,
    socket: PathBuf,
    opendkim: OpenDkim,
}

impl OpenDmarc {
    /// One that asks that DNS server.
    pub(crate) fn start(dir: &Path, dns: Ipv4Addr) -> Self {
        let config = format!("Mode v\nNameservers {dns}\nAlwaysAddARHeader yes\n");
        let opendkim = OpenDkim::start(dir, "opendkim-for-opendmarc", &config);
        let at = |name: &str| dir.join(name);
        let (socket, resolv, conf) = (at("opendmarc"), at("resolv.conf"), at("opendmarc.conf"));
        fs::write(&resolv, format!("nameserver {dns}\noptions timeout:1 attempts:1\n")).unwrap();
        let config = format!(
            "Socket local:{}\nAuthservID opendmarc.test\nTrustedAuthservIDs opendkim.test\n\
             SPFIgnoreResults true\nSPFSelfValidate true\nPublicSuffixList {}\n\
             RejectFailures true\n",
            socket.display(),
            peers::public_suffixes(dir).display()
        );
        fs::write(&conf, config).unwrap();
        let mut opendmarc = Command::new("/usr/bin/unshare");
        let command = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        opendmarc.args(["--mount", "/bin/sh", "-c", command]).arg(resolv);
        opendmarc.args([PROGRAM, "-f", "-c"]).arg(conf);
        let mut process = Process::start(&mut opendmarc, &at("opendmarc.log"));
        process.wait_for("opendmarc", || socket.exists().then_some(()));
        Self { _process: process, socket, opendkim }
    }

    /// What the two of them say of DMARC.
    pub(crate) fn verdict(&self, message: &Message, mail: &Mail<'_>) -> String {
        let first = self.opendkim.play(message, mail);
        let mut message = message.clone();
        for results in first.values("Authentication-Results") {
            message = message.with_field("Authentication-Results", results.as_bytes());
        }
        let played = play(&self.socket, &message, mail);
        let told: Vec<_> = played.values("Authentication-Results");
        let told = told.iter().find_map(|value| value.split_once("dmarc="));
        let words = told.map_or("", |(_, words)| words);
        let word = words.split_whitespace().next();
        match (first.disposition.as_str(), played.disposition.as_str(), word) {
            ("accept", "accept", None) => "nothing".to_owned(),
            // The policy is not enforced, though it is `reject`: `pct=` spared the message.
            ("accept", "accept", Some("fail")) if words.contains("(p=reject") => {
                "fail none".to_owned()
            }
            ("accept", "accept", Some("fail")) => {
                let (_, policy) = words.split_once("(p=").unwrap();
                format!("fail {}", policy.split_whitespace().next().unwrap())
            }
            ("accept", "accept", Some(word)) => word.to_owned(),
            ("accept", reply, None) if reply.contains("rejected by DMARC policy") => {
                "fail reject".to_owned()
            }
            ("accept", reply, _) => reply.to_owned(),
            (reply, _, _) => format!("OpenDKIM: {reply}"),
        }
    }
}
