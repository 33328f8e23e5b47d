//! The sockets that MTAs connect to: opened as `milter.listen` says, or taken over open from the
//! service manager (`LISTEN_FDS`, see `sd_listen_fds(3)`).
//!
//! Failure: what cannot be opened at start is an error that names the socket and the remedy. A Unix
//! socket whose file vanishes later, with its directory or alone, is opened anew.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{KeepAlive, TcpKeepCount, TcpKeepIdle, TcpKeepInterval};
use tokio::net::{TcpListener, UnixListener};

use crate::config::{Endpoint, Milter};

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address can't be bound.
    #[error("milter.listen: {endpoint}: {error}{}", remedy(.error))]
    Bind {
        /// The socket as configured.
        endpoint: Endpoint,
        /// What the system said; part of the message, so not a source of its own.
        error: io::Error,
    },
    /// Another process serves the Unix socket.
    #[error("milter.listen: {0}: another process serves this socket; stop it or name another path")]
    InUse(Endpoint),
    /// A file that is no socket stands in the way.
    #[error("milter.listen: {0}: a file that is no socket stands there; move it away")]
    NoSocket(Endpoint),
    /// The group of `milter.socket_group` is unknown.
    #[error("milter.socket_group: no group {0:?} on this system")]
    Group(String),
    /// The socket may not be given to that group.
    #[error(
        "milter.socket_group: {} cannot be given to {group}: {error}; leave socket_group out, and let the \
         socket have its group from its directory, as root: chgrp {group} {dir} && chmod g+s {dir}",
        .path.display(),
        dir = directory(.path).display()
    )]
    NotGiven {
        /// The socket's file.
        path: PathBuf,
        /// The group as configured.
        group: String,
        /// What the system said.
        error: io::Error,
    },
    /// The service manager handed over something else.
    #[error("LISTEN_FDS: descriptor {number} is no listening TCP or Unix socket: {error}")]
    Inherited {
        /// Which of them.
        number: usize,
        /// What is wrong with it.
        error: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "; another process listens there: stop it or choose another port",
        ErrorKind::PermissionDenied => "; the daemon's user may not: choose another place",
        ErrorKind::NotFound => "; make its directory first",
        _ => "",
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An open socket.
pub(super) enum Socket {
    Tcp(TcpListener, SocketAddr),
    /// With its file, where that is ours to remove and to make anew.
    Unix(UnixListener, PathBuf, Option<File>),
}

/// The file of a Unix socket, by what tells it from another of the same name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct File {
    device: u64,
    inode: u64,
    /// An inode's number may be given out again at once.
    made: (i64, i64),
}

impl File {
    /// The file that stands there now.
    fn at(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let made = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { device: metadata.dev(), inode: metadata.ino(), made })
    }
}

impl Socket {
    /// Opens a configured socket.
    pub(super) fn open(endpoint: &Endpoint, config: &Milter) -> Result<Self, BindError> {
        let failed = |error| BindError::Bind { endpoint: endpoint.clone(), error };
        match endpoint {
            Endpoint::Inet(addr) => bind_tcp(*addr).map_err(failed),
            Endpoint::Unix(path) => {
                let listener = bind_unix(endpoint, path, config)?;
                Ok(Self::Unix(listener, path.clone(), File::at(path)))
            }
        }
    }

    /// Where it listens, with the port that the system chose where 0 was asked for.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tcp(_, addr) => Endpoint::Inet(*addr),
            Self::Unix(_, path, _) => Endpoint::Unix(path.clone()),
        }
    }

    /// Whether nobody finds it any more: its file is gone, or is another.
    pub(super) fn has_vanished(&self) -> bool {
        match self {
            Self::Unix(_, path, Some(file)) => File::at(path) != Some(*file),
            Self::Unix(..) | Self::Tcp(..) => false,
        }
    }

    /// Leaves whatever has the name of its file.
    pub(super) fn forget_file(&mut self) {
        if let Self::Unix(_, _, file) = self {
            *file = None;
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.has_vanished()
            && let Self::Unix(_, path, Some(_)) = self
        {
            // A socket that is left behind is replaced at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// The sockets that the service manager opened for us; none where it is not asked to.
pub(super) fn inherited() -> Result<Vec<Socket>, BindError> {
    let mut open = ListenFd::from_env();
    (0..open.len())
        .map(|number| {
            take(&mut open, number).map_err(|error| BindError::Inherited { number, error })
        })
        .collect()
}

fn take(open: &mut ListenFd, number: usize) -> io::Result<Socket> {
    if let Ok(Some(listener)) = open.take_unix_listener(number) {
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let path = addr.as_pathname().unwrap_or(Path::new("@")).to_owned();
        return Ok(Socket::Unix(UnixListener::from_std(listener)?, path, None));
    }
    let listener = open.take_tcp_listener(number)?.ok_or(ErrorKind::NotFound)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok(tcp(TcpListener::from_std(listener)?, addr))
}

fn bind_tcp(addr: SocketAddr) -> io::Result<Socket> {
    // As tokio's own bind does, without its look-up of names.
    let socket = match addr {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    // With port 0 the system chose one.
    let addr = listener.local_addr()?;
    Ok(tcp(listener, addr))
}

/// A TCP socket whose connections end when the MTA's host is gone without a word. They inherit that
/// from it (tcp(7)), so that it costs none of them anything.
fn tcp(listener: TcpListener, addr: SocketAddr) -> Socket {
    // Where that fails, a dead connection keeps its place for longer.
    let _ = setsockopt(&listener, KeepAlive, &true)
        .and_then(|()| setsockopt(&listener, TcpKeepIdle, &SILENT_SECS))
        .and_then(|()| setsockopt(&listener, TcpKeepInterval, &PROBE_SECS))
        .and_then(|()| setsockopt(&listener, TcpKeepCount, &PROBES));
    Socket::Tcp(listener, addr)
}

/// How long a connection may be silent until the peer's host is asked whether it is still there.
const SILENT_SECS: u32 = 60;
/// How often it is asked then, and how many times without an answer.
const PROBE_SECS: u32 = 15;
const PROBES: u32 = 4;

/// How many connections wait in the kernel while none can be taken; it may allow fewer.
const BACKLOG: u32 = 1024;

fn bind_unix(endpoint: &Endpoint, path: &Path, config: &Milter) -> Result<UnixListener, BindError> {
    let failed = |error| BindError::Bind { endpoint: endpoint.clone(), error };
    let group = group(config)?;
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NoSocket(endpoint.clone()));
        }
        // A socket of a daemon that is gone refuses connections.
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(BindError::InUse(endpoint.clone()));
        }
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    if let (Some(group), Some(name)) = (group, &config.socket_group) {
        give(path, group, name)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(config.socket_mode)).map_err(failed)?;
    Ok(listener)
}

/// Who is no member of the group may not do that, nor may a service that is confined.
fn give(path: &Path, group: u32, name: &str) -> Result<(), BindError> {
    std::os::unix::fs::chown(path, None, Some(group)).map_err(|error| BindError::NotGiven {
        path: path.to_owned(),
        group: name.to_owned(),
        error,
    })
}

/// The group of the Unix sockets, where there are any and it is set.
pub(super) fn group(config: &Milter) -> Result<Option<u32>, BindError> {
    let has_files = config.listen.iter().any(|endpoint| matches!(endpoint, Endpoint::Unix(_)));
    config.socket_group.as_deref().filter(|_| has_files).map(group_id).transpose()
}

/// The group by its name or its number.
fn group_id(name: &str) -> Result<u32, BindError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let group = nix::unistd::Group::from_name(name).ok().flatten();
    group.map(|group| group.gid.as_raw()).ok_or_else(|| BindError::Group(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::getsockopt;

    use super::*;

    #[tokio::test]
    async fn a_host_that_is_gone_is_missed() {
        let socket = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let Socket::Tcp(listener, addr) = &socket else { panic!("no TCP socket") };
        let _client = std::net::TcpStream::connect(*addr).unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(getsockopt(&accepted, KeepAlive).unwrap());
        let times = [
            getsockopt(&accepted, TcpKeepIdle).unwrap(),
            getsockopt(&accepted, TcpKeepInterval).unwrap(),
            getsockopt(&accepted, TcpKeepCount).unwrap(),
        ];
        assert_eq!(times, [SILENT_SECS, PROBE_SECS, PROBES]);
    }
}
