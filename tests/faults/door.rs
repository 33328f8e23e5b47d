//! What stands between the daemon and those whom it asks, and can be told to misbehave: before DNS
//! (UDP and TCP) and before clamd.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(20);
/// How long a connection through the door may live.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the door does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Hands on.
    Open,
    /// DNS: never answers. TCP: refuses connections.
    Dead,
    /// Takes what comes, and never answers.
    Silent,
    /// Answers after that time.
    Slow(Duration),
    /// Answers what is no answer.
    Garbage,
    /// DNS: hands on to the liar.
    Forged,
}

/// One door; it ends with this value.
pub(crate) struct Door {
    pub(crate) addr: SocketAddr,
    inner: Arc<Inner>,
    threads: Vec<JoinHandle<()>>,
}

struct Inner {
    addr: SocketAddr,
    honest: SocketAddr,
    liar: SocketAddr,
    mode: Mutex<Mode>,
    lies: AtomicUsize,
    is_over: AtomicBool,
}

impl Door {
    /// Before a DNS server; `liar` is another one, of false records.
    pub(crate) fn before_dns(honest: SocketAddr, liar: SocketAddr) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        udp.set_read_timeout(Some(TICK)).unwrap();
        let mut door = Self::of(tcp, honest, liar);
        let inner = Arc::clone(&door.inner);
        door.threads.push(thread::spawn(move || serve_udp(&udp, &inner)));
        door
    }

    /// Before a clamd.
    pub(crate) fn before_clamd(honest: SocketAddr) -> Self {
        Self::of(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), honest, honest)
    }

    fn of(tcp: TcpListener, honest: SocketAddr, liar: SocketAddr) -> Self {
        let addr = tcp.local_addr().unwrap();
        let inner = Arc::new(Inner {
            addr,
            honest,
            liar,
            mode: Mutex::new(Mode::Open),
            lies: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&inner);
        Self { addr, inner, threads: vec![thread::spawn(move || serve_tcp(tcp, &shared))] }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.inner.mode.lock().unwrap() = mode;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.inner.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn server(&self, mode: Mode) -> SocketAddr {
        if mode == Mode::Forged { self.liar } else { self.honest }
    }
}

fn serve_udp(socket: &UdpSocket, inner: &Arc<Inner>) {
    let mut query = vec![0; 65_535];
    while !inner.is_over() {
        let Ok((length, client)) = socket.recv_from(&mut query) else { continue };
        let mode = inner.mode();
        if matches!(mode, Mode::Dead | Mode::Silent) {
            continue;
        }
        let (query, socket) = (query[..length].to_vec(), socket.try_clone().unwrap());
        let inner = Arc::clone(inner);
        thread::spawn(move || {
            if let Mode::Slow(time) = mode {
                thread::sleep(time);
            }
            let Ok(mut reply) = ask(&query, inner.server(mode)) else { return };
            if mode == Mode::Garbage {
                lie(&mut reply, inner.lies.fetch_add(1, Ordering::Relaxed));
            }
            let _ = socket.send_to(&reply, client);
        });
    }
}

fn ask(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

/// Makes of an answer (RFC 1035 §4.1.1) one that is none, each time in another way.
fn lie(reply: &mut Vec<u8>, turn: usize) {
    match turn % 7 {
        // The answer to another query.
        0 => reply[0] ^= 0xff,
        // Cut off within a record.
        1 => reply.truncate(reply.len() - 5),
        // A query.
        2 => reply[2] &= 0x7f,
        // SERVFAIL.
        3 => reply[3] = reply[3] & 0xf0 | 2,
        // More answers than there are.
        4 => reply[6..8].copy_from_slice(&[0xff, 0xff]),
        // The answer to another question.
        5 => reply[13] ^= 1,
        // Nothing that one could read.
        _ => reply[12..].fill(0xc0),
    }
}

/// Refuses connections while it is dead.
fn serve_tcp(listener: TcpListener, inner: &Arc<Inner>) {
    let mut listening = Some(listener);
    while !inner.is_over() {
        if inner.mode() == Mode::Dead {
            listening = None;
        } else if listening.is_none() {
            listening = TcpListener::bind(inner.addr).ok();
        }
        let client = listening.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).ok()?;
            listener.accept().ok()
        });
        let Some((client, _)) = client else {
            thread::sleep(TICK);
            continue;
        };
        let inner = Arc::clone(inner);
        thread::spawn(move || serve_client(&client, &inner));
    }
}

fn serve_client(client: &TcpStream, inner: &Inner) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE))?;
    let mode = inner.mode();
    match mode {
        Mode::Dead => Ok(()),
        Mode::Silent => io::copy(&mut &*client, &mut io::sink()).map(drop),
        Mode::Garbage => babble(client, inner.lies.fetch_add(1, Ordering::Relaxed)),
        Mode::Open | Mode::Slow(_) | Mode::Forged => {
            let server = TcpStream::connect(inner.server(mode))?;
            let delay = if let Mode::Slow(time) = mode { time } else { Duration::ZERO };
            join(client, &server, delay)
        }
    }
}

/// What no clamd says.
fn babble(mut client: &TcpStream, turn: usize) -> io::Result<()> {
    let mut begin = [0; 64];
    let _ = client.read(&mut begin)?;
    match turn % 5 {
        // A line without an end.
        0 => client.write_all(&vec![b'x'; 1 << 20])?,
        1 => client.write_all(b"\0\0\0")?,
        2 => client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?,
        // Almost an answer: a right one, however early, could be true of a small message.
        3 => client.write_all(b"stream OK\xff\0")?,
        // Half an answer.
        _ => client.write_all(b"stream: ")?,
    }
    let _ = client.shutdown(Shutdown::Write);
    io::copy(&mut client, &mut io::sink()).map(drop)
}

/// Hands octets on, both ways; answers after the delay.
fn join(client: &TcpStream, server: &TcpStream, delay: Duration) -> io::Result<()> {
    server.set_read_timeout(Some(PATIENCE))?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut answer = Vec::new();
    let (mut server, mut client) = (server, client);
    let mut octets = [0; 4096];
    loop {
        let length = server.read(&mut octets).unwrap_or(0);
        if length == 0 {
            break;
        }
        if delay.is_zero() {
            client.write_all(&octets[..length])?;
        } else {
            answer.extend_from_slice(&octets[..length]);
        }
    }
    thread::sleep(delay);
    let _ = client.write_all(&answer);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}
