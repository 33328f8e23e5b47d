//! A small SMTP client that sends exactly the octets it is given (RFC 5321, XCLIENT of Postfix).

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

use super::process::PATIENCE;

/// One session with a server.
pub struct Client {
    replies: BufReader<TcpStream>,
}

/// A server's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The first of its three digits says it all; all three are here.
    pub code: u16,
    /// Its lines without their codes, joined by LF.
    pub text: String,
}

impl Client {
    /// Connects, and greets with `EHLO helo`.
    pub fn connect(server: SocketAddr, helo: &str) -> Self {
        Self::greet(TcpStream::connect(server).unwrap(), helo)
    }

    /// Connects from that loopback address.
    pub fn connect_from(client: IpAddr, server: SocketAddr, helo: &str) -> Self {
        Self::greet(stream_from(client, server), helo)
    }

    /// The same, of a server that may refuse the greeting.
    pub fn try_connect_from(client: IpAddr, server: SocketAddr, helo: &str) -> Result<Self, Reply> {
        let mut client = Self::of(stream_from(client, server));
        for (reply, code) in [(client.reply(), 220), (client.command(&format!("EHLO {helo}")), 250)]
        {
            if reply.code != code {
                return Err(reply);
            }
        }
        Ok(client)
    }

    fn greet(stream: TcpStream, helo: &str) -> Self {
        let mut client = Self::of(stream);
        client.reply().expect(220);
        client.command(&format!("EHLO {helo}")).expect(250);
        client
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { replies: BufReader::new(stream) }
    }

    /// Has Postfix take this connection for one of that client.
    pub fn pose_as(&mut self, addr: &str, name: &str, helo: &str) -> &mut Self {
        self.command(&format!("XCLIENT ADDR={addr} NAME={name} HELO={helo}")).expect(220);
        self.command(&format!("EHLO {helo}")).expect(250);
        self
    }

    /// Authenticates by AUTH PLAIN (RFC 4616).
    pub fn authenticate(&mut self, user: &str, password: &str) -> &mut Self {
        let response = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.command(&format!("AUTH PLAIN {response}")).expect(235);
        self
    }

    /// Sends a message and gives the reply to its final dot, or the first refusal before that.
    pub fn send(&mut self, mail_from: &str, recipient: &str, message: &[u8]) -> Reply {
        let path = |verb: &str, address: &str| format!("{verb}:<{address}>");
        for (command, code) in [
            (path("MAIL FROM", mail_from), 250),
            (path("RCPT TO", recipient), 250),
            ("DATA".to_owned(), 354),
        ] {
            let reply = self.command(&command);
            if reply.code != code {
                return reply;
            }
        }
        self.write(&transparent(message));
        self.reply()
    }

    fn command(&mut self, line: &str) -> Reply {
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    fn write(&mut self, octets: &[u8]) {
        self.replies.get_mut().write_all(octets).unwrap();
    }

    fn reply(&mut self) -> Reply {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            self.replies.read_line(&mut line).unwrap();
            let Some((code, rest)) = line.trim_end().split_at_checked(3) else {
                panic!("no reply but {line:?}");
            };
            text += rest.get(1..).unwrap_or("");
            if !rest.starts_with('-') {
                return Reply { code: code.parse().unwrap(), text };
            }
            text.push('\n');
        }
    }
}

fn stream_from(client: IpAddr, server: SocketAddr) -> TcpStream {
    let flags = SockFlag::SOCK_CLOEXEC;
    let stream = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    bind(stream.as_raw_fd(), &SockaddrStorage::from(SocketAddr::from((client, 0)))).unwrap();
    connect(stream.as_raw_fd(), &SockaddrStorage::from(server)).unwrap();
    stream.into()
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.replies.get_mut().write_all(b"QUIT\r\n");
        let _ = self.replies.read_line(&mut String::new());
    }
}

impl Reply {
    /// Passes a reply of that code on.
    ///
    /// # Panics
    /// At any other.
    #[track_caller]
    pub fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// The message with transparency dots and its final dot (RFC 5321 §4.5.2).
fn transparent(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len() + message.len() / 64);
    for line in message.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            octets.push(b'.');
        }
        octets.extend_from_slice(line);
    }
    if !message.ends_with(b"\r\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b".\r\n");
    octets
}
