//! Fake clamds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mailseal::config::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a fake clamd does with a message.
#[derive(Clone, Copy)]
pub(crate) enum Fake {
    /// Answers at once, reads a little and closes.
    AnswersAtOnce(&'static [u8]),
    /// Answers at once and reads on.
    AnswersAndReads(&'static [u8]),
    /// Answers once it has read so many octets, and closes.
    AnswersAfter(usize, &'static [u8]),
    /// Reads all of the message, then answers and closes.
    AnswersAfterAll(&'static [u8]),
    /// Answers at the end with a line of a megabyte that never ends.
    Babbles,
    /// Accepts, answers PING, and reads nothing.
    Sleeps,
    /// Reads all of the message, answers PING, and is clean after so many milliseconds.
    TakesItsTime(u64),
}

/// A fake clamd that runs.
pub(crate) struct Running {
    pub(crate) endpoint: Endpoint,
    seen: Arc<Seen>,
}

/// What a fake clamd was sent.
#[derive(Default)]
struct Seen {
    scans: AtomicUsize,
    /// The last message that it read to its end.
    message: Mutex<Option<Vec<u8>>>,
}

impl Running {
    /// How many messages it was asked to scan.
    pub(crate) fn scans(&self) -> usize {
        self.seen.scans.load(Ordering::SeqCst)
    }

    /// The last message that it read to its end.
    pub(crate) fn message(&self) -> Option<Vec<u8>> {
        self.seen.message.lock().unwrap().clone()
    }
}

pub(crate) async fn start(fake: Fake) -> Running {
    start_of_version(fake, "ClamAV 1.4.3").await
}

pub(crate) async fn start_of_version(fake: Fake, version: &'static str) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(fake, version, stream, shared.clone()));
        }
    });
    Running { endpoint, seen }
}

async fn serve(fake: Fake, version: &str, mut stream: TcpStream, seen: Arc<Seen>) {
    match command(&mut stream).await.as_deref() {
        Some(b"zPING\0") => drop(stream.write_all(b"PONG\0").await),
        Some(b"zVERSION\0") => drop(stream.write_all(format!("{version}\0").as_bytes()).await),
        Some(b"zINSTREAM\0") => {
            seen.scans.fetch_add(1, Ordering::SeqCst);
            play(fake, stream, &seen).await;
        }
        _ => {}
    }
}

async fn command(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut command = Vec::new();
    while command.last() != Some(&0) {
        command.push(stream.read_u8().await.ok()?);
    }
    Some(command)
}

async fn play(fake: Fake, mut stream: TcpStream, seen: &Seen) {
    match fake {
        Fake::AnswersAtOnce(answer) => {
            let _ = stream.write_all(answer).await;
            // Closing with octets unread resets the connection, as clamd does at its size limit.
            let _ = stream.read_exact(&mut [0; 4096]).await;
        }
        Fake::AnswersAndReads(answer) => {
            let _ = stream.write_all(answer).await;
            read_chunks(&mut stream).await;
        }
        Fake::AnswersAfter(octets, answer) => {
            let _ = stream.read_exact(&mut vec![0; octets]).await;
            let _ = stream.write_all(answer).await;
        }
        Fake::AnswersAfterAll(answer) => {
            let message = read_chunks(&mut stream).await;
            *seen.message.lock().unwrap() = message;
            let _ = stream.write_all(answer).await;
        }
        Fake::Babbles => {
            read_chunks(&mut stream).await;
            let _ = stream.write_all(&vec![b'x'; 1 << 20]).await;
            std::future::pending::<()>().await;
        }
        Fake::Sleeps => std::future::pending().await,
        Fake::TakesItsTime(ms) => {
            read_chunks(&mut stream).await;
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
            let _ = stream.write_all(b"stream: OK\0").await;
        }
    }
}

/// Reads the command and all chunks, and gives back the message; `None` where it was cut short.
pub(crate) async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    assert_eq!(command(stream).await?, b"zINSTREAM\0");
    read_chunks(stream).await
}

async fn read_chunks(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let length = stream.read_u32().await.ok()? as usize;
        if length == 0 {
            return Some(message);
        }
        let start = message.len();
        message.resize(start + length, 0);
        stream.read_exact(&mut message[start..]).await.ok()?;
    }
}
