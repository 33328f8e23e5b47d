//! rspamd with its DKIM, SPF and DMARC modules alone, asked over HTTP.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::keys::{DOMAIN, Form, Keys};
use crate::message::Message;
use crate::peers;
use crate::support::process::Process;

pub(crate) const PROGRAM: &str = "/usr/bin/rspamd";

pub(crate) struct Rspamd {
    _process: Process,
    socket: PathBuf,
}

impl Rspamd {
    /// One that verifies with what that DNS server says.
    pub(crate) fn verifier(dir: &Path, dns: SocketAddr) -> Self {
        let modules = "dkim { max_sigs = 16; } spf {} dmarc {} arc {}";
        Self::start(dir, "rspamd-verifies", dns, modules)
    }

    /// One that signs in relaxed/relaxed, the only pair that it has.
    pub(crate) fn signer(dir: &Path, keys: &Keys, form: &Form) -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let path = dir.join(format!("{}.rspamd", form.selector));
        let key = if form.is_rsa() { keys.pem(form).to_owned() } else { keys.halves() };
        fs::write(&path, key).unwrap();
        let modules = format!(
            "dkim {{ sign_headers = \"(o)from:(o)to:(o)subject:date:message-id:mime-version:content-type:x-odd\"; }}
            dkim_signing {{
              sign_authenticated = true; use_domain = \"header\"; allow_username_mismatch = true;
              domain {{ {DOMAIN} {{ selector = \"{}\"; path = \"{}\"; }} }}
            }}",
            form.selector,
            path.display(),
        );
        Self::start(dir, &format!("rspamd-signs-{}", form.selector), nowhere, &modules)
    }

    fn start(dir: &Path, name: &str, dns: SocketAddr, modules: &str) -> Self {
        let own = dir.join(name);
        fs::create_dir(&own).unwrap();
        let socket = own.join("socket");
        let suffixes = peers::public_suffixes(&own);
        let (at, suffixes) = (own.display(), suffixes.display());
        let config = format!(
            "options {{
              filters = \"dkim\"; pidfile = \"{at}/pid\"; url_tld = \"{suffixes}\";
              cache_file = \"{at}/symbols\"; hs_cache_dir = \"{at}\"; tempdir = \"{at}\"; task_timeout = 60s;
              control_socket = \"{at}/control mode=0600\"; explicit_modules = [\"settings\"];
              dns {{ nameserver = [\"{dns}:1\"]; }}
            }}
            logging {{ type = \"console\"; level = \"notice\"; }}
            worker \"normal\" {{ bind_socket = \"{at}/socket mode=0600\"; count = 2; }}
            modules {{ path = \"/usr/share/rspamd/plugins/\"; }}
            actions {{ reject = 100000; }}
            {modules}\n"
        );
        let path = own.join("conf");
        fs::write(&path, config).unwrap();
        let mut rspamd = Command::new(PROGRAM);
        rspamd.args(["--insecure", "--no-fork", "--config"]).arg(path);
        for variable in ["DBDIR", "RUNDIR", "LOGDIR"] {
            rspamd.arg(format!("--var={variable}={at}"));
        }
        let mut process = Process::start(&mut rspamd, &own.join("log"));
        process.wait_for(name, || UnixStream::connect(&socket).ok());
        Self { _process: process, socket }
    }

    /// Its answer about the message; `envelope` is further header fields of the request.
    pub(crate) fn check(&self, message: &[u8], envelope: &[(&str, &str)]) -> Value {
        let mut head = format!("POST /checkv2 HTTP/1.0\r\nContent-Length: {}\r\n", message.len());
        for (name, value) in envelope {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(&[head.as_bytes(), b"\r\n", message].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|why| panic!("rspamd: {why}: {text}"))
    }

    /// The message with its signature on top.
    pub(crate) fn sign(&self, message: &Message) -> Message {
        let envelope =
            [("IP", "192.0.2.1"), ("User", "ann@example.org"), ("From", "ann@example.org")];
        let answer = self.check(&message.octets(), &envelope);
        let value = answer["dkim-signature"].as_str();
        let value = value.unwrap_or_else(|| panic!("rspamd did not sign: {answer}"));
        let value = value.replace("\r\n", "\n").replace('\n', "\r\n");
        message.with_field("DKIM-Signature", format!(" {value}").as_bytes())
    }
}

/// The word of the signature with that selector.
pub(crate) fn word(answer: &Value, selector: &str) -> &'static str {
    let told = format!("{DOMAIN}:s={selector}");
    let words = [
        ("R_DKIM_ALLOW", "pass"),
        ("R_DKIM_REJECT", "fail"),
        ("R_DKIM_PERMFAIL", "permerror"),
        ("R_DKIM_TEMPFAIL", "temperror"),
    ];
    let is_told = |symbol: &str| {
        let options = answer["symbols"][symbol]["options"].as_array();
        options.is_some_and(|options| options.iter().any(|option| option == &told))
    };
    words.iter().find(|(symbol, _)| is_told(symbol)).map_or("not told", |(_, word)| word)
}

/// What it says of DMARC.
pub(crate) fn dmarc(answer: &Value) -> String {
    let words = [
        ("DMARC_POLICY_ALLOW", "pass"),
        ("DMARC_POLICY_SOFTFAIL", "fail none"),
        ("DMARC_POLICY_QUARANTINE", "fail quarantine"),
        ("DMARC_POLICY_REJECT", "fail reject"),
        ("DMARC_NA", "none"),
        ("DMARC_BAD_POLICY", "permerror"),
        ("DMARC_DNSFAIL", "temperror"),
    ];
    let symbols = &answer["symbols"];
    let told = words.iter().find(|(symbol, _)| !symbols[symbol].is_null());
    told.map_or("nothing", |(_, word)| word).to_owned()
}
