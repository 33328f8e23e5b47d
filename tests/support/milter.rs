//! Plays the MTA's side of the milter protocol, version 6, and keeps what the filter asked for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a filter may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// All actions that Sendmail and Postfix offer.
pub const ALL_ACTIONS: u32 = 0x1ff;
/// All protocol options that they offer.
pub const ALL_OPTIONS: u32 = 0x1f_ffff;
/// The option by which header values carry their white space.
pub const LEADING_SPACE: u32 = 0x10_0000;

/// One conversation with a filter.
pub struct Mta {
    /// A socket, of whatever kind.
    stream: File,
    /// The protocol options that the filter asked for.
    pub options: u32,
}

/// How the filter answered an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Continue,
    /// It wants no more of the body.
    Skip,
}

/// What the filter asked for at the end of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `accept`, `reject`, `tempfail`, `discard`, or the filter's own reply.
    pub disposition: String,
    /// The edits, in their order.
    pub edits: Vec<Edit>,
    /// How often the filter said that it is still working.
    pub progress: usize,
}

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A field put at an index.
    Insert(u32, String, String),
    /// A field put below all others.
    Add(String, String),
    /// A recipient put on the envelope.
    AddRecipient(String),
    /// A recipient taken off the envelope.
    DeleteRecipient(String),
    /// The field of that name and occurrence removed (empty) or changed.
    Change(u32, String, String),
    /// The message held, with the reason.
    Quarantine(String),
    /// Anything else, which mailseal never asks for.
    Other(u8),
}

/// A message as the MTA knows it.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    pub client_name: &'a str,
    pub client_addr: &'a str,
    pub helo: &'a str,
    pub from: &'a str,
    pub rcpts: Vec<&'a str>,
    /// The ESMTP arguments of each RCPT.
    pub rcpt_args: Vec<&'a str>,
    /// Macros by stage: `C` connect, `M` mail, `E` end of message.
    pub macros: Vec<(u8, &'a str, &'a str)>,
    /// Names and values, white space after the colon included, folds as LF.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: &'a [u8],
    pub chunk: usize,
}

impl Default for Mail<'_> {
    fn default() -> Self {
        Self {
            client_name: "client.example.net",
            client_addr: "192.0.2.1",
            helo: "client.example.net",
            from: "joe@example.net",
            rcpts: vec!["ann@example.org"],
            rcpt_args: Vec::new(),
            macros: vec![(b'M', "i", "QUEUEID"), (b'E', "i", "QUEUEID")],
            headers: vec![(b"From".to_vec(), b" joe@example.net".to_vec())],
            body: b"Hello\r\n",
            chunk: 65_535,
        }
    }
}

impl Mta {
    /// Connects and negotiates, offering everything.
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        Self::connect_offering(addr, 6, ALL_ACTIONS, ALL_OPTIONS)
    }

    /// Connects and negotiates.
    pub fn connect_offering(
        addr: SocketAddr,
        version: u32,
        actions: u32,
        options: u32,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Self::negotiate(stream.into(), version, actions, options)
    }

    /// Connects to a Unix socket and negotiates, offering everything.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Self::negotiate(stream.into(), 6, ALL_ACTIONS, ALL_OPTIONS)
    }

    fn negotiate(socket: OwnedFd, version: u32, actions: u32, options: u32) -> io::Result<Self> {
        let mut mta = Self { stream: socket.into(), options: 0 };
        let offer: Vec<u8> =
            [version, actions, options].iter().flat_map(|n| n.to_be_bytes()).collect();
        mta.send(b'O', &offer)?;
        let (kind, agreed) = mta.receive()?;
        assert_eq!(kind, b'O');
        mta.options = u32::from_be_bytes(agreed[8..12].try_into().unwrap());
        Ok(mta)
    }

    /// Sends one frame.
    pub fn send(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = u32::try_from(payload.len() + 1).unwrap().to_be_bytes().to_vec();
        frame.push(kind);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame)
    }

    /// Sends octets as they are.
    pub fn send_raw(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)
    }

    /// Says that nothing more comes, reads what is still sent, and goes.
    pub fn finish(mut self) {
        let _ =
            nix::sys::socket::shutdown(self.stream.as_raw_fd(), nix::sys::socket::Shutdown::Write);
        let _ = self.stream.read_to_end(&mut Vec::new());
    }

    /// Receives one frame.
    pub fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok((frame[0], frame.split_off(1)))
    }

    /// Sends an event and awaits "continue" or "skip", unless it was agreed that none comes.
    pub fn event(&mut self, kind: u8, payload: &[u8]) -> io::Result<Answer> {
        let (unwanted, noreply) = match kind {
            b'C' => (0x1, 0x1000),
            b'H' => (0x2, 0x2000),
            b'M' => (0x4, 0x4000),
            b'R' => (0x8, 0x8000),
            b'T' => (0x200, 0x1_0000),
            b'L' => (0x20, 0x80),
            b'N' => (0x40, 0x4_0000),
            b'B' => (0x10, 0x8_0000),
            _ => (0, 0),
        };
        if self.options & unwanted != 0 {
            return Ok(Answer::Continue);
        }
        self.send(kind, payload)?;
        if self.options & noreply != 0 {
            return Ok(Answer::Continue);
        }
        match self.receive()? {
            (b'c', _) => Ok(Answer::Continue),
            (b's', _) => Ok(Answer::Skip),
            (reply, text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let (kind, reply) = (kind as char, reply as char);
                Err(io::Error::other(format!("event {kind}: reply {reply} {text}")))
            }
        }
    }

    fn macros(&mut self, stage: u8, mail: &Mail<'_>) -> io::Result<()> {
        let mut payload = vec![stage];
        for (_, name, value) in mail.macros.iter().filter(|(at, ..)| *at == stage) {
            payload.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
        }
        self.send(b'D', &payload)
    }

    /// Tells the SMTP session.
    pub fn session(&mut self, mail: &Mail<'_>) -> io::Result<()> {
        self.macros(b'C', mail)?;
        let family = if mail.client_addr.contains(':') { b'6' } else { b'4' };
        let mut connect = mail.client_name.as_bytes().to_vec();
        connect.extend([0, family, 0x12, 0x34]);
        connect.extend(mail.client_addr.bytes().chain([0]));
        self.event(b'C', &connect)?;
        self.macros(b'H', mail)?;
        self.event(b'H', &[mail.helo.as_bytes(), b"\0"].concat())?;
        Ok(())
    }

    /// Plays a message up to the end of its body.
    pub fn transaction(&mut self, mail: &Mail<'_>) -> io::Result<()> {
        self.envelope(mail)?;
        self.content(mail)
    }

    /// Plays a message's MAIL and RCPT.
    pub fn envelope(&mut self, mail: &Mail<'_>) -> io::Result<()> {
        self.macros(b'M', mail)?;
        self.event(b'M', format!("<{}>\0", mail.from).as_bytes())?;
        for rcpt in &mail.rcpts {
            let args: String = mail.rcpt_args.iter().flat_map(|arg| [*arg, "\0"]).collect();
            self.event(b'R', format!("<{rcpt}>\0{args}").as_bytes())?;
        }
        self.event(b'T', b"")?;
        Ok(())
    }

    /// Plays a message's header and body.
    pub fn content(&mut self, mail: &Mail<'_>) -> io::Result<()> {
        for (name, value) in &mail.headers {
            let value = match self.options & LEADING_SPACE {
                0 => value.strip_prefix(b" ").unwrap_or(value),
                _ => value,
            };
            self.event(b'L', &[name, &b"\0"[..], value, b"\0"].concat())?;
        }
        self.event(b'N', b"")?;
        for chunk in mail.body.chunks(mail.chunk) {
            if self.event(b'B', chunk)? == Answer::Skip {
                break;
            }
        }
        self.macros(b'E', mail)
    }

    /// Ends the message and keeps what the filter asks for.
    pub fn end(&mut self) -> io::Result<Outcome> {
        self.send(b'E', b"")?;
        let mut outcome = Outcome::default();
        loop {
            let (kind, payload) = self.receive()?;
            outcome.disposition = match kind {
                b'a' | b'c' => "accept".to_owned(),
                b'r' => "reject".to_owned(),
                b't' => "tempfail".to_owned(),
                b'd' => "discard".to_owned(),
                b'y' => String::from_utf8_lossy(&payload).trim_end_matches('\0').to_owned(),
                b'p' => {
                    outcome.progress += 1;
                    continue;
                }
                _ => {
                    outcome.edits.push(edit(kind, &payload));
                    continue;
                }
            };
            return Ok(outcome);
        }
    }

    /// A whole message in a session of its own.
    pub fn deliver(&mut self, mail: &Mail<'_>) -> io::Result<Outcome> {
        self.session(mail)?;
        self.transaction(mail)?;
        self.end()
    }
}

fn edit(kind: u8, payload: &[u8]) -> Edit {
    let strings = |octets: &[u8]| -> Vec<String> {
        octets.split(|&o| o == 0).map(|s| String::from_utf8_lossy(s).into_owned()).collect()
    };
    let indexed = || {
        let (index, rest) = payload.split_at(4);
        let index = u32::from_be_bytes(index.try_into().unwrap());
        let mut strings = strings(rest).into_iter();
        (index, strings.next().unwrap(), strings.next().unwrap())
    };
    match kind {
        b'i' => {
            let (index, name, value) = indexed();
            Edit::Insert(index, name, value)
        }
        b'm' => {
            let (index, name, value) = indexed();
            Edit::Change(index, name, value)
        }
        b'h' => {
            let mut strings = strings(payload).into_iter();
            Edit::Add(strings.next().unwrap(), strings.next().unwrap())
        }
        b'+' => Edit::AddRecipient(strings(payload).remove(0)),
        b'-' => Edit::DeleteRecipient(strings(payload).remove(0)),
        b'q' => Edit::Quarantine(strings(payload).remove(0)),
        other => Edit::Other(other),
    }
}

/// Applies edits as an MTA does: a deletion renumbers the fields below it.
pub fn apply(headers: &mut Vec<(Vec<u8>, Vec<u8>)>, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Insert(index, name, value) => {
                headers.insert(*index as usize, (name.clone().into(), value.clone().into()));
            }
            Edit::Change(occurrence, name, value) => {
                let found = headers
                    .iter()
                    .enumerate()
                    .filter(|(_, (field, _))| field.eq_ignore_ascii_case(name.as_bytes()))
                    .nth(*occurrence as usize - 1)
                    .map(|(at, _)| at);
                match found {
                    Some(at) if value.is_empty() => drop(headers.remove(at)),
                    Some(at) => headers[at].1 = value.clone().into(),
                    None => {}
                }
            }
            Edit::Add(name, value) => {
                headers.push((name.clone().into(), value.clone().into()));
            }
            Edit::AddRecipient(_)
            | Edit::DeleteRecipient(_)
            | Edit::Quarantine(_)
            | Edit::Other(_) => {}
        }
    }
}
