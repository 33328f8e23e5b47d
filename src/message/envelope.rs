//! The SMTP envelope and its session, as the MTA told them (RFC 5321).

use std::net::IpAddr;

/// The SMTP client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Client {
    /// The address; `None` where the MTA does not know one (`sendmail -bs` on a pipe).
    pub addr: Option<IpAddr>,
    /// The host name that the MTA verified forward and back; `None` where it says `unknown`.
    pub name: Option<String>,
}

/// Everything that arrives before the header block.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Envelope {
    /// The SMTP client.
    pub client: Client,
    /// The argument of HELO or EHLO.
    pub helo: Option<String>,
    /// The reverse path without its angle brackets; empty is the null reverse path.
    pub mail_from: String,
    /// The forward paths without their angle brackets.
    pub recipients: Vec<String>,
    /// For how many recipients the client asks to be told of delivery (RFC 3461 §4.1).
    pub success_asked: usize,
    /// `{auth_authen}` or, where only that is sent, a placeholder for `{auth_type}`.
    pub auth_user: Option<String>,
    /// `{daemon_name}`: which of the MTA's listeners took the message.
    pub daemon_name: Option<String>,
    /// The MTA's queue id (`i`).
    pub queue_id: Option<String>,
    /// The version of TLS, such as `TLSv1.3`, where the client used it.
    pub tls: Option<String>,
}

impl Envelope {
    /// Whether the reverse path is null (`<>`), as bounces have it.
    pub fn is_null_sender(&self) -> bool {
        self.mail_from.is_empty()
    }
}

/// Whether an argument of RCPT asks to be told of delivery: NOTIFY with SUCCESS in its list, in any
/// case (RFC 3461 §4.1).
pub fn asks_for_success(argument: &[u8]) -> bool {
    let at = argument.iter().position(|octet| *octet == b'=').unwrap_or(argument.len());
    let (keyword, list) = argument.split_at(at);
    keyword.eq_ignore_ascii_case(b"NOTIFY")
        && list
            .split(|octet| matches!(octet, b'=' | b','))
            .any(|word| word.eq_ignore_ascii_case(b"SUCCESS"))
}

/// A reverse or forward path without its angle brackets, where it has both.
pub fn bare_path(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_asked_for_in_notify_alone() {
        for (argument, asks) in [
            ("NOTIFY=SUCCESS", true),
            ("notify=Failure,success", true),
            ("NOTIFY=SUCCESS,DELAY", true),
            ("NOTIFY=NEVER", false),
            ("NOTIFY=FAILURE,DELAY", false),
            ("NOTIFY", false),
            ("ORCPT=rfc822;NOTIFY=SUCCESS", false),
            ("XNOTIFY=SUCCESS", false),
            ("", false),
        ] {
            assert_eq!(asks_for_success(argument.as_bytes()), asks, "{argument}");
        }
    }
}
