//! A case: a directory of `tests/cases/` with a message, its envelope, its world and the verdict
//! that is expected.
//!
//! | file | what |
//! |---|---|
//! | `message.eml` | the message |
//! | `envelope.toml` | the envelope and the time: see [`Settings`] |
//! | `zone.dns` | what DNS says: see [`super::zone`] |
//! | `config.toml` | the configuration, where it is not the default |
//! | `rules/` | where the case has some; there are none otherwise |
//! | `clamd.txt` | what clamd answers, where the case scans |
//! | `expected.txt` | the verdict, as `mailseal check` prints it |

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailseal::config::{Endpoint, Loaded};
use mailseal::message::envelope::{Client, Envelope};
use mailseal::runtime::Runtime;
use serde::Deserialize;
use tempfile::TempDir;

use super::dns::DnsServer;
use super::zone::Zone;

/// The time at which cases are judged that name none: 2026-11-01.
const NOW: u64 = 1_793_491_200;

/// A case as it stands in its directory.
pub struct Case {
    pub name: String,
    pub dir: PathBuf,
    pub settings: Settings,
}

/// `envelope.toml`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub client_ip: IpAddr,
    pub client_name: String,
    pub helo: String,
    pub mail_from: String,
    pub rcpts: Vec<String>,
    /// Whether the client asks to be told of delivery to each of them.
    pub notify_success: bool,
    pub auth: Option<String>,
    pub daemon_name: Option<String>,
    /// The version of TLS.
    pub tls: Option<String>,
    pub queue_id: String,
    pub now: u64,
    /// `pipeline` and `milter`; one alone needs a `reason`.
    pub doors: Vec<String>,
    pub reason: Option<String>,
    /// Whether the keys of `tests/data/keys` sign.
    pub keys: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_ip: "192.0.2.1".parse().unwrap(),
            client_name: "client.example.net".into(),
            helo: "client.example.net".into(),
            mail_from: "joe@example.net".into(),
            rcpts: vec!["ann@example.org".into()],
            notify_success: false,
            auth: None,
            daemon_name: None,
            tls: None,
            queue_id: "4bXyz1".into(),
            now: NOW,
            doors: vec!["pipeline".into(), "milter".into()],
            reason: None,
            keys: false,
        }
    }
}

/// What a case runs in; it ends with this value.
pub struct World {
    pub runtime: Runtime,
    /// Where the case's clamd is.
    pub clamd: Option<String>,
    _dns: DnsServer,
    _keys: TempDir,
}

/// All cases, in the order of their names.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut dirs: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    dirs.retain(|dir| dir.is_dir());
    dirs.sort();
    dirs.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(dir: PathBuf) -> Self {
        let text = fs::read_to_string(dir.join("envelope.toml")).unwrap_or_default();
        let settings: Settings =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let one_door = settings.doors.len() == 1;
        assert!(!one_door || settings.reason.is_some(), "{}: one door, no reason", dir.display());
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        Self { name, dir, settings }
    }

    pub fn has_door(&self, door: &str) -> bool {
        self.settings.doors.iter().any(|name| name == door)
    }

    pub fn message(&self) -> Vec<u8> {
        fs::read(self.dir.join("message.eml")).unwrap()
    }

    pub fn envelope(&self) -> Envelope {
        let Settings { client_ip, client_name, helo, mail_from, rcpts, auth, daemon_name, .. } =
            &self.settings;
        Envelope {
            client: Client {
                addr: Some(*client_ip),
                name: (client_name != "unknown").then(|| client_name.clone()),
            },
            helo: Some(helo.clone()),
            mail_from: mail_from.clone(),
            recipients: rcpts.clone(),
            success_asked: if self.settings.notify_success { rcpts.len() } else { 0 },
            auth_user: auth.clone(),
            daemon_name: daemon_name.clone(),
            queue_id: Some(self.settings.queue_id.clone()),
            tls: self.settings.tls.clone(),
        }
    }

    /// Sets up what the case runs in.
    pub async fn world(&self) -> World {
        let zone = fs::read_to_string(self.dir.join("zone.dns")).unwrap_or_default();
        let dns = DnsServer::start(Zone::parse(&zone)).await;
        let keys = private_copy(self.settings.keys);
        let path = self.dir.join("config.toml");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut config = Loaded::parse(&text, &path, &self.dir).unwrap().config;
        config.dns = dns.settings(Duration::from_secs(2));
        config.identity.authserv_id = "mx.example.org".into();
        config.sign.keys = keys.path().into();
        if let Ok(reply) = fs::read(self.dir.join("clamd.txt")) {
            config.clamav.servers = vec![clamd(reply)];
        }
        let mut runtime = Runtime::build(config).unwrap();
        let now = self.settings.now;
        runtime.clock = Arc::new(move || now);
        let clamd = runtime.config.clamav.servers.first().map(ToString::to_string);
        World { runtime, clamd, _dns: dns, _keys: keys }
    }

    /// Compares with `expected.txt`, or writes it where `UPDATE_EXPECT=1`.
    pub fn expect(&self, got: &str) -> Result<(), String> {
        let path = self.dir.join("expected.txt");
        if std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1") {
            fs::write(&path, got).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if got == expected {
            return Ok(());
        }
        Err(format!("{}\n--- expected\n{expected}--- got\n{got}", self.name))
    }

    pub fn expected(&self) -> String {
        fs::read_to_string(self.dir.join("expected.txt")).unwrap_or_default()
    }
}

/// The test keys with the modes that a key store must have, which git does not keep; or none.
pub fn private_copy(wanted: bool) -> TempDir {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
    let copy = tempfile::tempdir().unwrap();
    if !wanted {
        return copy;
    }
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for domain in fs::read_dir(keys).unwrap().map(Result::unwrap) {
        let to = copy.path().join(domain.file_name());
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        for file in fs::read_dir(domain.path()).unwrap().map(Result::unwrap) {
            let to = to.join(file.file_name());
            fs::copy(file.path(), &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    copy
}

/// A clamd that reads whole streams and answers what the case says.
fn clamd(reply: Vec<u8>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let reply = reply.clone();
            std::thread::spawn(move || answer(stream, &reply));
        }
    });
    Endpoint::Inet(addr)
}

fn answer(mut stream: TcpStream, reply: &[u8]) {
    let mut stream_end = Vec::new();
    let mut octets = [0; 8192];
    // A chunk of no octets ends the stream; four NULs in a row are in no case's message.
    while !stream_end.ends_with(&[0; 4]) {
        let Ok(len @ 1..) = stream.read(&mut octets) else { return };
        stream_end.extend_from_slice(&octets[..len]);
        if stream_end == b"zVERSION\0" {
            let _ = stream.write_all(b"ClamAV 1.4.3\0");
            return;
        }
    }
    let _ = stream.write_all(&[reply.trim_ascii(), b"\0"].concat());
}
