//! `mailseal serve`, with a configuration file of the test's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Process, free_port};

/// The program under test.
pub const MAILSEAL: &str = env!("CARGO_BIN_EXE_mailseal");

/// A running daemon.
pub struct Daemon {
    process: Process,
    /// Its TCP socket.
    pub addr: SocketAddr,
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
}

impl Daemon {
    /// Starts it with these arguments and the sections of `config`, to which `[milter]` is added; its
    /// files are named after it in `dir`.
    pub fn start(dir: &Path, name: &str, args: &[&str], config: &str) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let socket = dir.join(format!("{name}.sock"));
        let milter = format!(
            "[milter]\nlisten = [\"inet:{addr}\", \"unix:{}\"]\nsocket_mode = \"0666\"\n",
            socket.display()
        );
        let path = dir.join(format!("{name}.toml"));
        fs::write(&path, milter + config).unwrap();
        let mut serve = Command::new(MAILSEAL);
        serve.arg("serve").args(args).arg("--config").arg(&path);
        let mut process = Process::start(&mut serve, &dir.join(format!("{name}.log")));
        process.wait_for("mailseal", || TcpStream::connect(addr).ok());
        Self { process, addr, socket, config: path }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it ever had, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
