//! What clamd says to VERSION, taken as hostile input: `ClamAV 1.4.3/27800/Thu Nov 20 08:37:12 2026`,
//! or its first part alone where the database is of the operator's making.

use std::time::Duration;

use mail_parser::DateTime;

use crate::text::visible_start;

/// Longer versions are cut.
const TEXT_BYTES_MAX: usize = 100;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A clamd's version and that of its database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// All of it, fit to be shown.
    pub text: String,
    /// When the database was made, in seconds since 1970, as far as clamd's time zone lets tell.
    pub database_made: Option<u64>,
}

impl Version {
    /// Reads one whole answer, its NUL included; `None` where it is none.
    pub fn parse(reply: &[u8]) -> Option<Self> {
        let line = str::from_utf8(reply.strip_suffix(b"\0")?).ok()?;
        if !line.starts_with("ClamAV ") {
            return None;
        }
        let date = line.splitn(3, '/').nth(2).and_then(made);
        Some(Self { text: visible_start(line, TEXT_BYTES_MAX), database_made: date })
    }

    /// How old the database is.
    pub(super) fn database_age(&self, now: u64) -> Option<Duration> {
        self.database_made.map(|made| Duration::from_secs(now.saturating_sub(made)))
    }
}

/// A date as C's `ctime` writes it.
fn made(date: &str) -> Option<u64> {
    let mut words = date.split_ascii_whitespace().skip(1);
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u8 + 1;
    let day = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let mut time = words.next()?.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let year = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let date = DateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        tz_before_gmt: false,
        tz_hour: 0,
        tz_minute: 0,
    };
    u64::try_from(date.to_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_database_has_a_date() {
        let reply = b"ClamAV 1.4.3/27800/Fri Nov 20 08:37:12 2026\0";
        let version = Version::parse(reply).unwrap();
        assert_eq!(version.text, "ClamAV 1.4.3/27800/Fri Nov 20 08:37:12 2026");
        assert_eq!(version.database_made, Some(1_795_163_832));
        assert_eq!(version.database_age(1_795_163_842), Some(Duration::from_secs(10)));
        assert_eq!(version.database_age(0), Some(Duration::ZERO));
        assert_eq!(Version::parse(b"ClamAV 1.4.3\0").unwrap().database_made, None);
    }

    #[test]
    fn anything_else_is_no_version() {
        for reply in [b"".as_slice(), b"ClamAV 1.4.3", b"PONG\0", b"ClamAV \xff\0"] {
            assert_eq!(Version::parse(reply), None);
        }
        for date in ["x", "Fri Nov 32 00:00:00 2026", "Fri Nov 20 08:37 2026", "Fri Nov 20"] {
            let version = Version::parse(format!("ClamAV 1/2/{date}\0").as_bytes()).unwrap();
            assert_eq!(version.database_made, None, "{date}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_short_and_printable(rest in ".{0,200}", date in "[A-Za-z0-9: ]{0,40}") {
            for reply in [format!("ClamAV {rest}\0"), format!("ClamAV 1/2/{date}\0")] {
                let version = Version::parse(reply.as_bytes()).unwrap();
                prop_assert!(version.text.len() <= TEXT_BYTES_MAX + 3);
                prop_assert!(version.text.bytes().all(|octet| matches!(octet, b' '..=b'~')));
            }
        }
    }
}
