//! `mailseal serve`, with a configuration file of the test's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::{Process, free_port};

/// The program under test.
pub const MAILSEAL: &str = env!("CARGO_BIN_EXE_mailseal");

/// Has a shell do something first; in its script, `"$@"` is the command.
pub fn by_shell(script: &str) -> impl FnOnce(&mut Command) {
    move |serve| {
        // Not dash, which knows no descriptor past 9.
        let mut shell = Command::new("bash");
        shell.args(["-c", script, "bash"]).arg(serve.get_program()).args(serve.get_args());
        *serve = shell;
    }
}

/// The script by which a program gets an open socket as a service manager hands it over.
pub fn handing_over(socket: &impl AsFd) -> String {
    let socket = socket.as_fd();
    fcntl(socket, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let number = socket.as_raw_fd();
    format!("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mailseal.socket exec \"$@\" 3<&{number}")
}

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
        Self::start_by(dir, name, config, |serve| {
            serve.args(args);
        })
    }

    /// The same, by a command that `change` has its way with: it gets `mailseal serve --config FILE`.
    pub fn start_by(
        dir: &Path,
        name: &str,
        config: &str,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let socket = dir.join(format!("{name}.sock"));
        let milter = format!(
            "[milter]\nlisten = [\"inet:{addr}\", \"unix:{}\"]\nsocket_mode = \"0666\"\n",
            socket.display()
        );
        let path = dir.join(format!("{name}.toml"));
        fs::write(&path, milter + config).unwrap();
        let mut serve = Command::new(MAILSEAL);
        serve.arg("serve").arg("--config").arg(&path);
        change(&mut serve);
        let mut process = Process::start(&mut serve, &dir.join(format!("{name}.log")));
        process.wait_for("mailseal", || TcpStream::connect(addr).ok());
        Self { process, addr, socket, config: path }
    }

    /// Starts it with the configuration in `path` by a command that `change` has its way with.
    pub fn start_with_file(
        dir: &Path,
        name: &str,
        path: &Path,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let mut serve = Command::new(MAILSEAL);
        serve.arg("serve").arg("--config").arg(path);
        change(&mut serve);
        let log = dir.join(format!("{name}.log"));
        let mut process = Process::start(&mut serve, &log);
        process.wait_for("mailseal", || {
            fs::read_to_string(&log).ok().filter(|log| log.contains("listening"))
        });
        Self {
            process,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            socket: PathBuf::new(),
            config: path.to_owned(),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
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
