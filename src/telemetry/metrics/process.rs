//! What Linux says of this process (proc(5)), under the names that Prometheus' own clients use.
//!
//! Failure: what cannot be read is not told.

use std::path::Path;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::file;

/// No such file is larger.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Ticks of a second in /proc (`USER_HZ`), on every architecture that Linux has now.
const TICKS_PER_SEC: f64 = 100.0;

pub(super) fn register(all: &mut Registry) {
    let status = read("/proc/self/status");
    gauge(all, "resident_memory_bytes", "Memory that it has", kib(&status, "VmRSS:"));
    gauge(all, "virtual_memory_bytes", "Addresses that it has", kib(&status, "VmSize:"));
    gauge(all, "threads", "Threads", number(&status, "Threads:"));
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count() as u64);
    gauge(all, "open_fds", "Descriptors that are open", open);
    let limits = read("/proc/self/limits");
    gauge(all, "max_fds", "Descriptors that may be open", number(&limits, "Max open files"));
    if let Some(secs) = cpu_secs(&read("/proc/self/stat")) {
        let counter = Counter::<f64, std::sync::atomic::AtomicU64>::default();
        counter.inc_by(secs);
        all.register("cpu_seconds", "Time of processors that it took", counter);
    }
}

fn gauge(all: &mut Registry, name: &str, help: &str, value: Option<u64>) {
    if let Some(value) = value {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        all.register(name, help, gauge);
    }
}

fn read(path: &str) -> String {
    file::text(Path::new(path), FILE_BYTES_MAX).unwrap_or_default()
}

fn number(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

fn kib(text: &str, name: &str) -> Option<u64> {
    number(text, name).map(|kib| kib * 1024)
}

/// The 14th and 15th value; the second, in parentheses, may hold anything.
fn cpu_secs(stat: &str) -> Option<f64> {
    let mut values = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || values.next()?.parse::<u32>().ok().map(f64::from);
    Some((ticks()? + ticks()?) / TICKS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_all_of_it() {
        let mut all = Registry::default();
        register(&mut all);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &all).unwrap();
        for name in ["resident_memory_bytes", "threads", "open_fds", "max_fds", "cpu_seconds_total"]
        {
            let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            assert!(value.trim().parse::<f64>().unwrap() >= 0.0, "{text}");
        }
        assert_eq!(cpu_secs("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0"), Some(2.0));
        assert_eq!(cpu_secs(""), None);
    }
}
