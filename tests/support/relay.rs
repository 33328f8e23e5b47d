//! A loopback address that stands for a DNS server elsewhere on loopback: UDP and TCP, octet by octet.
//!
//! `named` listens on no address that is not configured on an interface, and of 127.0.0.0/8 only
//! 127.0.0.1 is. Anybody may bind the others.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// The relay of one address; it ends with this value.
pub struct Relay {
    from: SocketAddr,
    is_over: Arc<AtomicBool>,
    is_tcp_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Hands what comes to `from` on to `to`.
    pub fn start(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let over = || Arc::new(AtomicBool::new(false));
        let (is_over, is_tcp_over) = (over(), over());
        let (udp, tcp) = (UdpSocket::bind(from)?, TcpListener::bind(from)?);
        udp.set_read_timeout(Some(TICK))?;
        tcp.set_nonblocking(true)?;
        let (udp_over, tcp_over) = (Arc::clone(&is_over), Arc::clone(&is_tcp_over));
        let threads = vec![
            thread::spawn(move || relay_udp(&udp, to, &udp_over)),
            thread::spawn(move || relay_tcp(&tcp, to, &tcp_over)),
        ];
        Ok(Self { from, is_over, is_tcp_over, threads })
    }

    /// Refuses TCP from now on.
    pub fn close_tcp(&self) {
        self.is_tcp_over.store(true, Ordering::Relaxed);
        while TcpStream::connect(self.from).is_ok() {
            thread::sleep(TICK);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for is_over in [&self.is_over, &self.is_tcp_over] {
            is_over.store(true, Ordering::Relaxed);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn relay_udp(socket: &UdpSocket, to: SocketAddr, is_over: &AtomicBool) {
    let mut query = vec![0; 65_535];
    while !is_over.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut query) else { continue };
        let (query, socket) = (query[..length].to_vec(), socket.try_clone().unwrap());
        thread::spawn(move || {
            if let Ok(reply) = ask(&query, to) {
                let _ = socket.send_to(&reply, client);
            }
        });
    }
}

fn ask(query: &[u8], to: SocketAddr) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    socket.send(query)?;
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn relay_tcp(listener: &TcpListener, to: SocketAddr, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(TICK);
            continue;
        };
        thread::spawn(move || {
            if let Ok(server) = TcpStream::connect(to) {
                let _ = join(&client, &server);
            }
        });
    }
}

fn join(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_nonblocking(false)?;
    for stream in [client, server] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &*server, &mut &*client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}
