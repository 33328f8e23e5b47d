//! Events in systemd's native journal protocol: `FIELD=value`, a line each, the names in upper case.
//!
//! A fact of mailseal's is `MAILSEAL_` and its name, such as `MAILSEAL_QUEUE_ID`.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::line::escaped;

/// The form of events.
pub(super) struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writeln!(out, "SYSLOG_IDENTIFIER=mailseal")?;
        writeln!(out, "PRIORITY={}", priority(*metadata.level()))?;
        writeln!(out, "TARGET={}", metadata.target())?;
        let mut facts = Facts::default();
        event.record(&mut facts);
        write!(out, "{}", facts.fields)?;
        // journalctl shows the message alone.
        writeln!(out, "MESSAGE={}{}", facts.message, facts.shown)
    }
}

/// syslog(3)'s numbers.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// What an event tells.
#[derive(Default)]
struct Facts {
    message: String,
    fields: String,
    shown: String,
}

impl Facts {
    fn add(&mut self, field: &Field, value: &str) {
        let value = escaped(value);
        if field.name() == "message" {
            self.message = value;
            return;
        }
        let name = field.name().to_ascii_uppercase();
        // Writing to a string cannot fail.
        let _ = writeln!(self.fields, "MAILSEAL_{name}={value}");
        let _ = write!(self.shown, " {}={value}", field.name());
    }
}

impl Visit for Facts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_fields_that_no_value_can_forge() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(Journal)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(queue_id = %"A\nPRIORITY=0", ms = 5, "message");
        });
        let event = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let target = module_path!();
        assert_eq!(
            event,
            format!(
                "SYSLOG_IDENTIFIER=mailseal\nPRIORITY=4\nTARGET={target}\n\
                 MAILSEAL_QUEUE_ID=A\\nPRIORITY=0\nMAILSEAL_MS=5\n\
                 MESSAGE=message queue_id=A\\nPRIORITY=0 ms=5\n"
            )
        );
    }
}
