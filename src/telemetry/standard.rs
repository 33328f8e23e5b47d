//! Standard error as the end of the log, which holds nobody up.
//!
//! A pipe or a socket that polls writable takes `PIPE_BUF` octets and does not block (pipe(7)): a
//! longer line goes there in pieces.
//!
//! Failure: a reader that is slow is waited for, a moment a line. One that stalls is not: lines are
//! lost until it reads again, and a line says then how many. So it is with a disk that is full. One
//! that hangs under a file cannot be told from one that works, and holds up whoever writes to it.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// How long a line waits for its reader.
const WAIT: Duration = Duration::from_millis(200);
/// What is written at once (`PIPE_BUF` on Linux).
const PIECE_BYTES: usize = 4096;
/// What is said of lines that are gone.
const LOST: &str = "lines of the log were lost: nobody took them from standard error";

/// The form of lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Text,
    Json,
}

impl Form {
    /// A line that tells how many were lost.
    fn lost(self, lines: u64) -> String {
        let mut time = String::new();
        // Writing to a string cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        match self {
            Self::Text => format!("{time}  WARN {LOST} lost={lines}\n"),
            Self::Json => format!(
                "{{\"timestamp\":\"{time}\",\"level\":\"WARN\",\"message\":\"{LOST}\",\"lost\":{lines}}}\n"
            ),
        }
    }
}

/// Writes a line, its end included.
pub(super) fn write(line: &str, form: Form) -> io::Result<()> {
    static STANDARD: LazyLock<Mutex<Outlet<io::Stderr>>> =
        LazyLock::new(|| Mutex::new(Outlet::new(io::stderr())));
    STANDARD.lock().unwrap_or_else(PoisonError::into_inner).line(line, form)
}

/// A descriptor that takes lines, or does not.
#[derive(Debug)]
struct Outlet<W> {
    out: W,
    /// Whether there was no room at the last look: nobody waits any more.
    is_stalled: bool,
    /// Whether the last thing there is the beginning of a line.
    is_cut: bool,
    /// How many lines were lost since that was told.
    lost: u64,
}

impl<W: Write + AsFd> Outlet<W> {
    fn new(out: W) -> Self {
        Self { out, is_stalled: false, is_cut: false, lost: 0 }
    }

    fn line(&mut self, line: &str, form: Form) -> io::Result<()> {
        let outcome = self.tell_lost(form).and_then(|()| self.write(line));
        self.lost += u64::from(outcome.is_err());
        outcome
    }

    fn tell_lost(&mut self, form: Form) -> io::Result<()> {
        if self.lost == 0 {
            return Ok(());
        }
        let end = if self.is_cut { "\n" } else { "" };
        self.write(&format!("{end}{}", form.lost(self.lost)))?;
        self.lost = 0;
        Ok(())
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let until = Instant::now() + WAIT;
        let mut left = line.as_bytes();
        while !left.is_empty() {
            match self.write_piece(left, until) {
                Ok(taken) => left = left.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_cut |= left.len() < line.len();
                    return Err(error);
                }
            }
        }
        self.is_cut = false;
        Ok(())
    }

    /// Writes the beginning of what is left; how much of it.
    fn write_piece(&mut self, left: &[u8], until: Instant) -> io::Result<usize> {
        let wait = if self.is_stalled {
            Duration::ZERO
        } else {
            until.saturating_duration_since(Instant::now())
        };
        self.is_stalled = !has_room(self.out.as_fd(), wait);
        if self.is_stalled {
            return Err(ErrorKind::TimedOut.into());
        }
        match self.out.write(left.get(..PIECE_BYTES).unwrap_or(left))? {
            0 => Err(ErrorKind::WriteZero.into()),
            taken => Ok(taken),
        }
    }
}

/// Whether a piece can be written now. What is wrong with a descriptor shows when it is written to.
fn has_room(out: BorrowedFd<'_>, wait: Duration) -> bool {
    let mut out = [PollFd::new(out, PollFlags::POLLOUT)];
    // Poll takes far longer times than `WAIT`. A signal ends the wait, too.
    let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
    poll(&mut out, wait).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read as _, pipe};

    use super::*;

    /// A pipe that is full.
    fn full() -> (PipeReader, Outlet<PipeWriter>) {
        let (reader, mut writer) = pipe().unwrap();
        while has_room(writer.as_fd(), Duration::ZERO) {
            writer.write_all(&[b'.'; PIECE_BYTES]).unwrap();
        }
        (reader, Outlet::new(writer))
    }

    /// Makes room for so many pieces.
    fn drain(mut reader: &PipeReader, pieces: usize) {
        reader.read_exact(&mut vec![0; pieces * PIECE_BYTES]).unwrap();
    }

    /// What was written since the pipe was full.
    fn written(mut reader: PipeReader, outlet: Outlet<PipeWriter>) -> String {
        drop(outlet);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.trim_start_matches('.').to_owned()
    }

    #[test]
    fn lines_that_nobody_reads_are_lost_and_told() {
        let (reader, mut outlet) = full();
        for _ in 0..3 {
            let error = outlet.line("lost\n", Form::Text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        drain(&reader, 2);
        outlet.line("first\n", Form::Text).unwrap();
        outlet.line("second\n", Form::Text).unwrap();
        let text = written(reader, outlet);
        let Some((time, rest)) = text.split_once(' ') else { panic!("{text}") };
        assert!(time.ends_with('Z'), "{text}");
        assert_eq!(rest, format!(" WARN {LOST} lost=3\nfirst\nsecond\n"));
    }

    #[test]
    fn a_line_that_broke_off_has_an_end() {
        let (reader, mut outlet) = full();
        drain(&reader, 1);
        let long = "x".repeat(2 * PIECE_BYTES);
        assert!(outlet.line(&format!("{long}\n"), Form::Json).is_err());
        drain(&reader, 2);
        outlet.line("{}\n", Form::Json).unwrap();
        let text = written(reader, outlet);
        let lines: Vec<&str> = text.lines().collect();
        let [cut, told, last] = lines[..] else { panic!("{text}") };
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        assert_eq!((cut.len(), last), (PIECE_BYTES, "{}"));
        assert_eq!((&told["level"], &told["lost"]), (&"WARN".into(), &1.into()));
    }

    #[test]
    fn a_line_that_is_longer_than_a_piece_is_written_whole() {
        let (reader, writer) = pipe().unwrap();
        let mut outlet = Outlet::new(writer);
        let long = "x".repeat(10 * PIECE_BYTES) + "\n";
        outlet.line(&long, Form::Text).unwrap();
        assert_eq!(written(reader, outlet), long);
    }

    #[test]
    fn what_a_full_disk_swallows_is_no_stall() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut outlet = Outlet::new(full);
        let error = outlet.line("x\n", Form::Text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(!outlet.is_stalled && outlet.lost == 1);
    }
}
