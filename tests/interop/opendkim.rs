//! OpenDKIM as a milter, with key records from a file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::keys::{DOMAIN, Form, Keys};
use crate::message::Message;
use crate::mta::{Played, play};
use crate::support::milter::Mail;
use crate::support::process::{Process, run};

pub(crate) const PROGRAM: &str = "/usr/sbin/opendkim";

pub(crate) struct OpenDkim {
    _process: Process,
    socket: PathBuf,
    config: PathBuf,
}

impl OpenDkim {
    /// One that verifies against the records of these keys.
    pub(crate) fn verifier(dir: &Path, keys: &Keys) -> Self {
        let path = dir.join("opendkim-records");
        let records = keys.records().iter().fold(String::new(), |mut lines, (name, text)| {
            writeln!(lines, "{name} {text}").unwrap();
            lines
        });
        fs::write(&path, records).unwrap();
        let config =
            format!("Mode v\nMaximumSignaturesToVerify 16\nTestPublicKeys {}\n", path.display());
        Self::start(dir, "opendkim-verifies", &config)
    }

    /// One that signs in that form.
    pub(crate) fn signer(dir: &Path, keys: &Keys, form: &Form) -> Self {
        let config = format!(
            "Mode s\nDomain {DOMAIN}\nSelector {}\nKeyFile {}\nCanonicalization {}/{}\n\
             SignatureAlgorithm {}\nOversignHeaders From,Subject\n",
            form.selector,
            keys.write_pem(form, dir).display(),
            form.header.as_str(),
            form.body.as_str(),
            form.algorithm,
        );
        Self::start(dir, &format!("opendkim-signs-{}", form.selector), &config)
    }

    /// With these settings and a socket.
    pub(crate) fn start(dir: &Path, name: &str, config: &str) -> Self {
        let socket = dir.join(name);
        let path = dir.join(format!("{name}.conf"));
        let common = format!(
            "Socket local:{}\nAuthservID opendkim.test\nRequireSafeKeys no\n",
            socket.display()
        );
        fs::write(&path, common + config).unwrap();
        let mut opendkim = Command::new(PROGRAM);
        opendkim.arg("-f").arg("-x").arg(&path);
        let mut process = Process::start(&mut opendkim, &dir.join(format!("{name}.log")));
        process.wait_for(name, || socket.exists().then_some(()));
        Self { _process: process, socket, config: path }
    }

    /// What it does with the message.
    pub(crate) fn play(&self, message: &Message, mail: &Mail<'_>) -> Played {
        play(&self.socket, message, mail)
    }

    /// The value of the Authentication-Results field that it writes.
    pub(crate) fn results(&self, message: &Message) -> String {
        self.inserted("Authentication-Results", message, &Mail::default())
    }

    /// The same by `opendkim -t`, from a file.
    pub(crate) fn results_on_file(&self, message: &Message) -> String {
        let path = self.config.with_extension("eml");
        fs::write(&path, message.octets()).unwrap();
        let mut opendkim = Command::new(PROGRAM);
        opendkim.arg("-x").arg(&self.config).args(["-vv", "-t"]).arg(path);
        let output = String::from_utf8(run(&mut opendkim).stdout).unwrap();
        let (_, field) = output.split_once("'Authentication-Results'").unwrap_or_default();
        field.to_owned()
    }

    /// The message with its signature on top.
    pub(crate) fn sign(&self, message: &Message) -> Message {
        let mail = Mail { client_name: "localhost", client_addr: "127.0.0.1", ..Mail::default() };
        let value = self.inserted("DKIM-Signature", message, &mail);
        message.with_field("DKIM-Signature", value.as_bytes())
    }

    fn inserted(&self, wanted: &str, message: &Message, mail: &Mail<'_>) -> String {
        let played = self.play(message, mail);
        match played.values(wanted)[..] {
            [value] => value.to_owned(),
            _ => panic!("OpenDKIM wrote not one {wanted}: {played:?}"),
        }
    }
}

/// The word of the signature with that selector.
pub(crate) fn word<'a>(results: &'a str, selector: &str) -> &'a str {
    let of_selector = |part: &&str| part.contains(&format!("header.s={selector} "));
    let part = results.split(';').find(of_selector);
    let word = part.and_then(|part| part.split_once("dkim=")).map(|(_, word)| word);
    word.and_then(|rest| rest.split_whitespace().next()).unwrap_or("not told")
}
