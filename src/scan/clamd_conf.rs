//! What the configuration of a clamd on this host says of it (clamd.conf(5)).
//!
//! Failure: a file that is missing or about another clamd says nothing; one that can't be read is
//! told, and says nothing either.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::config::Endpoint;
use crate::file;

/// The most that is read of the file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// clamd's own default of `StreamMaxLength`.
const STREAM_BYTES_MAX: u64 = 100 << 20;

/// What of the file matters here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ClamdConf {
    local_socket: Option<PathBuf>,
    tcp_port: Option<u16>,
    stream_bytes_max: Option<u64>,
    alert_exceeds_max: bool,
    alert_encrypted: bool,
}

impl ClamdConf {
    pub(super) fn read(path: &Path) -> Option<Self> {
        match file::octets(path, FILE_BYTES_MAX) {
            Ok(octets) => Some(Self::parse(&String::from_utf8_lossy(&octets))),
            // Many a clamd is on another host.
            Err(error) if error.is_missing() => None,
            Err(error) => {
                tracing::warn!("clamav.clamd_conf: {error}");
                None
            }
        }
    }

    fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        let mut alerts = [false; 3];
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once(char::is_whitespace) else { continue };
            let value = value.trim();
            match key {
                "LocalSocket" => conf.local_socket = Some(value.trim_matches('"').into()),
                "TCPSocket" => conf.tcp_port = value.parse().ok(),
                "StreamMaxLength" => conf.stream_bytes_max = size(value),
                "AlertExceedsMax" => conf.alert_exceeds_max = is_on(value),
                "AlertEncrypted" => alerts[0] = is_on(value),
                "AlertEncryptedArchive" => alerts[1] = is_on(value),
                "AlertEncryptedDoc" => alerts[2] = is_on(value),
                _ => {}
            }
        }
        conf.alert_encrypted = alerts[0] || alerts[1] && alerts[2];
        conf
    }

    /// Whether this is the configuration of the clamd at that address.
    pub(super) fn is_of(&self, server: &Endpoint) -> bool {
        let is_here = |address: IpAddr| address.to_canonical().is_loopback();
        match server {
            Endpoint::Unix(path) => self.local_socket.as_ref() == Some(path),
            Endpoint::Inet(at) => is_here(at.ip()) && self.tcp_port == Some(at.port()),
        }
    }

    /// How large a stream may be.
    pub(super) fn stream_bytes_max(&self) -> u64 {
        self.stream_bytes_max.unwrap_or(STREAM_BYTES_MAX)
    }

    /// What this clamd says OK of without having looked into it.
    pub(super) fn called_clean(&self) -> Vec<&'static str> {
        let limits = "what exceeds its own limits (AlertExceedsMax is off)";
        let encrypted = "what is encrypted (AlertEncrypted is off)";
        let all = [(self.alert_exceeds_max, limits), (self.alert_encrypted, encrypted)];
        all.into_iter().filter(|(alerts, _)| !alerts).map(|(_, what)| what).collect()
    }
}

fn is_on(value: &str) -> bool {
    ["yes", "true", "1"].iter().any(|on| on.eq_ignore_ascii_case(value))
}

/// Octets, or with M or K so many of these.
fn size(value: &str) -> Option<u64> {
    let unit = match value.bytes().last()? {
        b'm' | b'M' => 1 << 20,
        b'k' | b'K' => 1 << 10,
        _ => return value.parse().ok(),
    };
    value[..value.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_file_is_read() {
        let conf = ClamdConf::parse(
            "# StreamMaxLength 1M\nLocalSocket /var/run/clamav/clamd.ctl\nTCPSocket 3310\n\
             StreamMaxLength 25M\nAlertExceedsMax false\nAlertEncrypted yes\n",
        );
        assert_eq!(conf.stream_bytes_max(), 25 << 20);
        assert_eq!(conf.called_clean(), ["what exceeds its own limits (AlertExceedsMax is off)"]);
        for (server, is_its) in [
            ("unix:/var/run/clamav/clamd.ctl", true),
            ("unix:/run/other.ctl", false),
            ("inet:127.0.0.1:3310", true),
            ("inet:[::1]:3310", true),
            ("inet:127.0.0.1:3311", false),
            ("inet:192.0.2.1:3310", false),
        ] {
            assert_eq!(conf.is_of(&server.parse().unwrap()), is_its, "{server}");
        }
    }

    #[test]
    fn an_empty_file_is_clamds_defaults() {
        let conf = ClamdConf::parse("");
        assert_eq!((conf.stream_bytes_max(), conf.called_clean().len()), (100 << 20, 2));
    }

    #[test]
    fn what_is_no_file_says_nothing_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("clamd.conf");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(ClamdConf::read(&fifo), None);
        assert_eq!(ClamdConf::read(dir.path()), None);
        assert_eq!(ClamdConf::read(&dir.path().join("missing")), None);
    }

    #[test]
    fn sizes_have_units() {
        for (value, octets) in [
            ("7", Some(7)),
            ("7k", Some(7168)),
            ("7M", Some(7 << 20)),
            ("", None),
            ("M", None),
            ("7G", None),
            ("99999999999999999999", None),
            ("18446744073709551615M", None),
        ] {
            assert_eq!(size(value), octets, "{value}");
        }
    }
}
