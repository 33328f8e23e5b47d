//! Where log lines go: standard error, or systemd's journal. Whatever wrote it, a line has no control
//! characters and, where that is wanted, no mail address.
//!
//! Failure: a line that cannot be written is lost, and counted; nobody waits for it.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::fmt::MakeWriter;

use super::personal;
use super::standard::{self, Form};

/// Lines lost since the process began.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Where the journal takes messages (systemd's native protocol).
const JOURNAL: &str = "/run/systemd/journal/socket";

/// The log's end.
#[derive(Clone, Debug)]
pub(super) enum Lines {
    /// Standard error.
    Standard(Form),
    /// The journal: one datagram a message.
    Journal(Arc<UnixDatagram>),
}

impl Lines {
    /// The system's journal.
    pub(super) fn journal() -> io::Result<Self> {
        Self::journal_at(Path::new(JOURNAL))
    }

    fn journal_at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A journal that does not read must not hold mail up.
        socket.set_nonblocking(true)?;
        Ok(Self::Journal(Arc::new(socket)))
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The subscriber writes each event at once, whole.
impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let event = String::from_utf8_lossy(octets);
        let outcome = match self {
            Self::Standard(form) => {
                let mut line = clean(event.strip_suffix('\n').unwrap_or(&event));
                line.push('\n');
                standard::write(&line, *form)
            }
            Self::Journal(socket) => {
                let hashed = personal::line(&event);
                socket.send(hashed.as_deref().unwrap_or(&event).as_bytes()).map(drop)
            }
        };
        if outcome.is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        outcome.map(|()| octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many lines were lost since the process began.
pub(super) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The line without what does not belong into a log.
fn clean(line: &str) -> String {
    let line = escaped(line);
    personal::line(&line).unwrap_or(line)
}

/// Control characters as escapes.
pub(super) fn escaped(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let escaped =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_datagram() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert!(Lines::journal_at(&path).is_err());
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut lines = Lines::journal_at(&path).unwrap();
        lines.write_all(b"MESSAGE=a\nPRIORITY=6\n").unwrap();
        let mut octets = [0; 100];
        let count = journal.recv(&mut octets).unwrap();
        assert_eq!(&octets[..count], b"MESSAGE=a\nPRIORITY=6\n");
    }

    #[test]
    fn a_line_is_one_line() {
        // Nothing else in this process hashes.
        assert_eq!(clean("a\r\nb\u{1b}[31m\u{85}\u{e4}"), "a\\r\\nb\\u{1b}[31m\\u{85}\u{e4}");
    }
}
