//! A real clamd with a database of one signature, in a scratch directory, on a Unix socket and on
//! a random loopback port. It ends with its value.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailseal::config::Endpoint;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

/// The EICAR test file, in halves, so that no scanner takes this file for it.
pub const EICAR: &str =
    concat!(r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*");

/// What clamd calls it; signatures of one's own are `UNOFFICIAL`.
pub const EICAR_NAME: &str = "Eicar-Test-Signature.UNOFFICIAL";

const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running clamd.
pub struct Clamd {
    process: Child,
    tcp: SocketAddr,
    scratch: TempDir,
    config: String,
}

impl Clamd {
    /// Starts one that takes streams of up to `stream_bytes_max`, and waits until it answers.
    pub fn start(stream_bytes_max: u64) -> Self {
        Self::start_with(stream_bytes_max, "")
    }

    /// The same with more lines for its configuration.
    pub fn start_with(stream_bytes_max: u64, config: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let tcp = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        write_database(scratch.path());
        let config = format!("StreamMaxLength {stream_bytes_max}\n{config}");
        let process = spawn(scratch.path(), tcp, &config);
        let mut clamd = Self { process, tcp, scratch, config };
        clamd.await_pong();
        clamd
    }

    /// Ends it at once and starts it again, at the same sockets; waits until it answers.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.scratch.path(), self.tcp, &self.config);
        self.await_pong();
    }

    /// Has it read its database again.
    pub fn reload(&self) {
        let mut stream = UnixStream::connect(self.socket_path()).unwrap();
        stream.write_all(b"zRELOAD\0").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"RELOADING\0");
    }

    /// Its configuration file.
    pub fn conf(&self) -> PathBuf {
        self.scratch.path().join("clamd.conf")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("clamd.log")).unwrap_or_default()
    }

    /// Its Unix socket.
    pub fn unix(&self) -> Endpoint {
        Endpoint::Unix(self.socket_path())
    }

    /// Its loopback port.
    pub fn inet(&self) -> Endpoint {
        Endpoint::Inet(self.tcp)
    }

    /// Stops it as SIGSTOP does: it still accepts and says nothing.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// Its Unix socket.
    pub fn socket_path(&self) -> PathBuf {
        self.scratch.path().join("clamd.ctl")
    }

    fn await_pong(&mut self) {
        let give_up = Instant::now() + START_TIMEOUT;
        while !(pong(UnixStream::connect(self.socket_path())) && pong(TcpStream::connect(self.tcp)))
        {
            let has_ended = self.process.try_wait().unwrap().is_some();
            assert!(!has_ended && Instant::now() < give_up, "no clamd: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pong(stream: std::io::Result<impl Read + Write>) -> bool {
    let mut answer = Vec::new();
    stream
        .and_then(|mut stream| {
            stream.write_all(b"zPING\0")?;
            stream.read_to_end(&mut answer)
        })
        .is_ok_and(|_| answer == b"PONG\0")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// One signature that finds the EICAR string anywhere: clamd decodes MIME, archives and so on.
fn write_database(scratch: &Path) {
    let database = scratch.join("db");
    std::fs::create_dir(&database).unwrap();
    let hex = EICAR.bytes().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    });
    std::fs::write(database.join("test.ndb"), format!("Eicar-Test-Signature:0:*:{hex}\n")).unwrap();
}

fn spawn(scratch: &Path, tcp: SocketAddr, config: &str) -> Child {
    let dir = scratch.display();
    let user = if Uid::effective().is_root() { "User root\n" } else { "" };
    let config = format!(
        "Foreground yes\n{user}DatabaseDirectory {dir}/db\nTemporaryDirectory {dir}\n\
         LogFile {dir}/clamd.log\nLocalSocket {dir}/clamd.ctl\nTCPSocket {}\nTCPAddr {}\n\
         MaxThreads 4\nSelfCheck 0\n{config}",
        tcp.port(),
        tcp.ip(),
    );
    let path = scratch.join("clamd.conf");
    std::fs::write(&path, config).unwrap();
    Command::new("/usr/sbin/clamd")
        .arg("--config-file")
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("clamd cannot be started: apt-get install clamav-daemon")
}
