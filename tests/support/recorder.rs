//! A milter that accepts everything and remembers each event: what an MTA sends, and when.
//!
//! It asks for exact header octets and for no-reply at connect, helo, mail, rcpt, header and body,
//! and keeps silent at these: an MTA that agrees and waits for a reply all the same hangs.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The protocol flags that it asks for (`SMFIP_NR_CONN` and so on, and `SMFIP_HDR_LEADSPC`).
pub const ASKED: u32 = 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x80 | 0x8_0000 | 0x10_0000;

/// The header field that it inserts at index 0.
pub const FIELD: &str = "X-Recorder";

const SILENT: &[u8] = b"CHMRLB";

/// The milter; it lives as long as the test.
pub struct Recorder {
    /// Where it listens.
    pub addr: SocketAddr,
    sessions: Sessions,
}

/// One connection of an MTA.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The actions that the MTA offered.
    pub actions: u32,
    /// The protocol flags that the MTA offered.
    pub flags: u32,
    /// What came after the negotiation.
    pub events: Vec<Event>,
}

/// One command of the MTA.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its letter: C onnect, H elo, M ail, R cpt, T (data), L (header), N (end of header), B ody, E nd, A bort, Q uit.
    pub command: char,
    /// The macros that were sent just before it.
    pub macros: BTreeMap<String, String>,
    /// Its argument.
    pub argument: String,
}

type Sessions = Arc<Mutex<Vec<Session>>>;

impl Recorder {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let sessions = Sessions::default();
        let shared = Arc::clone(&sessions);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sessions = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &sessions));
            }
        });
        Self { addr, sessions }
    }

    /// The session in which that recipient was named.
    pub fn session(&self, recipient: &str) -> Session {
        let sessions = self.sessions.lock().unwrap();
        let names = |event: &Event| event.command == 'R' && event.argument.contains(recipient);
        let found = sessions.iter().find(|session| session.events.iter().any(names));
        found.cloned().unwrap_or_else(|| panic!("no session for {recipient}"))
    }
}

impl Session {
    /// The letters of all events, in their order.
    pub fn commands(&self) -> String {
        self.events.iter().map(|event| event.command).collect()
    }

    /// The events of that letter.
    pub fn all(&self, command: char) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.command == command)
    }

    /// The first event of that letter.
    pub fn first(&self, command: char) -> &Event {
        self.all(command).next().unwrap_or_else(|| panic!("no {command}: {self:?}"))
    }
}

fn serve(mut stream: TcpStream, sessions: &Sessions) -> io::Result<()> {
    let slot = {
        let mut sessions = sessions.lock().unwrap();
        sessions.push(Session::default());
        sessions.len() - 1
    };
    let mut macros = BTreeMap::new();
    loop {
        let (command, data) = frame(&mut stream)?;
        match command {
            b'O' => {
                let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
                let session = &mut sessions.lock().unwrap()[slot];
                (session.actions, session.flags) = (word(4), word(8));
                let agreed = [6, word(4), ASKED & word(8)].map(u32::to_be_bytes).concat();
                send(&mut stream, b'O', &agreed)?;
            }
            b'D' => macros = read_macros(&data[1..]),
            _ => {
                let argument = String::from_utf8_lossy(&data).into_owned();
                let macros = std::mem::take(&mut macros);
                let event = Event { command: command.into(), macros, argument };
                sessions.lock().unwrap()[slot].events.push(event);
                answer(&mut stream, command)?;
            }
        }
    }
}

fn answer(stream: &mut TcpStream, command: u8) -> io::Result<()> {
    match command {
        b'E' => {
            let insert = format!("\0\0\0\0{FIELD}\0 yes\0");
            send(stream, b'i', insert.as_bytes())?;
            send(stream, b'a', b"")
        }
        b'A' | b'Q' | b'K' => Ok(()),
        command if SILENT.contains(&command) => Ok(()),
        _ => send(stream, b'c', b""),
    }
}

fn frame(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut word = [0; 4];
    stream.read_exact(&mut word)?;
    let mut frame = vec![0; u32::from_be_bytes(word) as usize];
    stream.read_exact(&mut frame)?;
    Ok((frame[0], frame.split_off(1)))
}

fn send(stream: &mut TcpStream, command: u8, data: &[u8]) -> io::Result<()> {
    let length = u32::try_from(data.len() + 1).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &[command], data].concat())
}

/// Names and values, each with a NUL at its end.
fn read_macros(data: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(data);
    let words: Vec<&str> = text.split('\0').collect();
    words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}
