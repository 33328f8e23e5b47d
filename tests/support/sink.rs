//! An SMTP server that takes every message and remembers its octets: what the MTA under test delivers.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::process::PATIENCE;

/// The server; it lives as long as the test.
pub struct Sink {
    /// Where it listens.
    pub addr: SocketAddr,
    mailbox: Arc<Mailbox>,
}

/// One delivered message.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The reverse path, without its brackets.
    pub mail_from: String,
    /// The forward paths, without their brackets.
    pub recipients: Vec<String>,
    /// The message, with CRLF line ends and without the transparency dots.
    pub octets: Vec<u8>,
}

#[derive(Default)]
struct Mailbox {
    deliveries: Mutex<Vec<Delivery>>,
    arrival: Condvar,
}

impl Sink {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        Self::announcing("250-sink.test\r\n250 8BITMIME")
    }

    /// One of old, which knows no 8BITMIME (RFC 6152).
    pub fn without_8bitmime() -> Self {
        Self::announcing("250 sink.test")
    }

    fn announcing(ehlo: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let mailbox = Arc::new(Mailbox::default());
        let shared = Arc::clone(&mailbox);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mailbox = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, ehlo, &mailbox));
            }
        });
        Self { addr, mailbox }
    }

    /// The message for that recipient, as soon as it is there.
    ///
    /// # Panics
    /// Where it does not come.
    pub fn delivery(&self, recipient: &str) -> Delivery {
        let deliveries = self.mailbox.deliveries.lock().unwrap();
        let (deliveries, _) = self
            .mailbox
            .arrival
            .wait_timeout_while(deliveries, PATIENCE, |all| find(all, recipient).is_none())
            .unwrap();
        find(&deliveries, recipient).unwrap_or_else(|| panic!("nothing arrived for {recipient}"))
    }

    /// How many messages for that recipient are there.
    pub fn count(&self, recipient: &str) -> usize {
        let deliveries = self.mailbox.deliveries.lock().unwrap();
        deliveries.iter().flat_map(|one| &one.recipients).filter(|one| *one == recipient).count()
    }

    /// Takes out the messages whose first recipient is wanted.
    pub fn take(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Delivery> {
        let mut deliveries = self.mailbox.deliveries.lock().unwrap();
        let of_those = |one: &Delivery| one.recipients.first().is_some_and(|to| is_wanted(to));
        let (taken, left) = std::mem::take(&mut *deliveries).into_iter().partition(of_those);
        *deliveries = left;
        taken
    }

    /// Whether a message for that recipient is there.
    pub fn has(&self, recipient: &str) -> bool {
        find(&self.mailbox.deliveries.lock().unwrap(), recipient).is_some()
    }
}

impl Delivery {
    /// The header block, as text.
    pub fn header(&self) -> String {
        let text = String::from_utf8_lossy(&self.octets);
        text.split_once("\r\n\r\n").map_or(&*text, |(header, _)| header).to_owned() + "\r\n"
    }

    /// All header fields, top first: names, and unfolded values without white space around them.
    pub fn fields(&self) -> Vec<(String, String)> {
        let header = self.header().replace("\r\n\t", " ").replace("\r\n ", " ");
        let fields = header.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    /// The values of the fields of that name, top first.
    pub fn values(&self, name: &str) -> Vec<String> {
        let fields = self.fields().into_iter();
        fields
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

fn find(deliveries: &[Delivery], recipient: &str) -> Option<Delivery> {
    deliveries.iter().find(|one| one.recipients.iter().any(|other| other == recipient)).cloned()
}

/// One connection, to its end.
fn serve(stream: &TcpStream, ehlo: &str, mailbox: &Mailbox) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let say = |reply: &str| (&mut &*stream).write_all(format!("{reply}\r\n").as_bytes());
    let mut delivery = Delivery::default();
    say("220 sink.test ESMTP")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end().split_at_checked(4).unwrap_or((&line, "")) {
            ("EHLO", _) => say(ehlo)?,
            ("MAIL", rest) => {
                delivery = Delivery { mail_from: path(rest), ..Delivery::default() };
                say("250 2.1.0 ok")?;
            }
            ("RCPT", rest) => {
                delivery.recipients.push(path(rest));
                say("250 2.1.5 ok")?;
            }
            ("DATA", _) => {
                say("354 go on")?;
                delivery.octets = message(&mut lines)?;
                mailbox.deliveries.lock().unwrap().push(std::mem::take(&mut delivery));
                mailbox.arrival.notify_all();
                say("250 2.0.0 ok")?;
            }
            ("QUIT", _) => return say("221 2.0.0 bye"),
            _ => say("250 2.0.0 ok")?,
        }
    }
}

fn path(argument: &str) -> String {
    let inner = argument.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(path, _)| path.to_owned())
}

/// The octets up to the final dot (RFC 5321 §4.5.2).
fn message(lines: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    loop {
        let start = octets.len();
        if lines.read_until(b'\n', &mut octets)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if &octets[start..] == b".\r\n" {
            octets.truncate(start);
            return Ok(octets);
        }
        if octets[start] == b'.' {
            octets.remove(start);
        }
    }
}
