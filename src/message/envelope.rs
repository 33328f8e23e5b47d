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

/// A reverse or forward path without its angle brackets, where it has both.
pub fn bare_path(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}
