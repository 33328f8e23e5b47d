//! Somebody with a key store, a config file and the command line.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mailseal::dkim::signing_key::{generate_ed25519, generate_rsa};
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Selector, Store};
use tempfile::TempDir;

use super::daemon::MAILSEAL;
use super::named::NameServers;

/// A key store and a config file in a directory of their own.
pub struct Operator {
    dir: TempDir,
    /// Where authoritative servers listen; 53 where there are none.
    port: u16,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Operator {
    /// With these sections in the config file.
    pub fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("[identity]\nauthserv_id = \"mx.example.org\"\n{config}");
        fs::write(dir.path().join("mailseal.toml"), text).unwrap();
        Self { dir, port: 53 }
    }

    /// Who publishes on these servers; `publish` are more lines of that section.
    pub fn of(servers: &NameServers, publish: &str) -> Self {
        let primary = servers.servers[0].addr;
        let key_file = servers.key_file.display();
        let operator = Self::new(&format!(
            "[dns]\nservers = [\"{primary}\"]\ntimeout_secs = 2\n\
             [publish]\nserver = \"{primary}\"\nkey_file = \"{key_file}\"\n{publish}"
        ));
        Self { port: servers.port, ..operator }
    }

    /// The key store.
    pub fn store(&self) -> Store {
        Store::new(self.dir.path().join("keys"))
    }

    /// A file beside the config file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a pending key.
    pub fn add(&self, domain: &str, selector: &str, algorithm: Algorithm) {
        let pem = match algorithm {
            Algorithm::Rsa => generate_rsa(2048).unwrap(),
            Algorithm::Ed25519 => generate_ed25519().unwrap(),
        };
        let (domain, selector) = (name(domain), Selector::parse(selector).unwrap());
        self.store().add(&domain, Some(selector), algorithm, &pem, 1_795_261_620).unwrap();
    }

    /// Adds an RSA key that is always the same, so that texts can be compared.
    pub fn add_known(&self, domain: &str, selector: &str, pem: &str) {
        let (domain, selector) = (name(domain), Selector::parse(selector).unwrap());
        let algorithm = if pem.len() > 500 { Algorithm::Rsa } else { Algorithm::Ed25519 };
        self.store().add(&domain, Some(selector), algorithm, pem, 1_795_261_620).unwrap();
    }

    /// Writes another state of a key, whatever its life allows.
    pub fn set_state(&self, domain: &str, selector: &str, state: &str) {
        let path = self.dir.path().join("keys").join(domain).join("state.toml");
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find(&format!("selector = \"{selector}\"")).unwrap();
        let at = start + text[start..].find("state = \"").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let text = format!("{}state = \"{state}\"{}", &text[..at], &text[end..]);
        fs::write(&path, text).unwrap();
    }

    /// Runs `mailseal` with the config file.
    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(MAILSEAL);
        command.args(args).arg("--config").arg(self.path("mailseal.toml"));
        if matches!(args, ["dns", "verify" | "publish", ..]) {
            command.arg("--authority-port").arg(self.port.to_string());
        }
        let output = command.output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}
