//! What docs/monitoring.md and packaging/alerts.yml say of metrics is so.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;
use support::daemon::Daemon;
use support::dns::DnsServer;
use support::http::http;
use support::milter::{Mail, Mta};
use support::process::{PATIENCE, free_port};
use support::zone::Zone;
use yaml_rust2::YamlLoader;

/// Two rules that every message hits, and one of them changes nothing.
const RULES: &str = "[[rule]]\nname = \"open\"\nabout = \"x\"\n\
    when = { header = \"X-None\", missing = true }\n\
    examples.hit = [\"A: b\"]\nexamples.miss = [\"X-None: b\"]\n\
    [[rule]]\nname = \"hidden\"\nabout = \"x\"\nshadow = true\naction = \"reject\"\n\
    when = { header = \"X-None\", missing = true }\n\
    examples.hit = [\"A: b\"]\nexamples.miss = [\"X-None: b\"]\n";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names in the table, as they are scraped, less the suffixes of their kinds.
fn documented() -> BTreeSet<String> {
    let rows = Regex::new(r"(?m)^\| `((?:mailseal|process)_\w+)` \|").unwrap();
    rows.captures_iter(&read("docs/monitoring.md")).map(|row| row[1].to_owned()).collect()
}

fn family(name: &str) -> String {
    let bare = ["_total", "_bucket", "_count", "_sum", "_info"];
    bare.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
}

/// The names that the source registers.
fn registered() -> BTreeSet<String> {
    let call = Regex::new(r#"(?:all\.register|gauge)\(\s*(all,\s*)?"(\w+)""#).unwrap();
    let files = ["metrics.rs", "metrics/dns.rs", "metrics/process.rs", "metrics/serving.rs"];
    let named = files.iter().flat_map(|file| {
        let source = read(&format!("src/telemetry/{file}"));
        let source = source.split("#[cfg(test)]").next().unwrap().to_owned();
        let prefix = if file.contains("process") { "process" } else { "mailseal" };
        let names = call.captures_iter(&source).map(|call| format!("{prefix}_{}", &call[2]));
        names.collect::<Vec<_>>()
    });
    named.collect()
}

#[test]
fn every_metric_is_documented_and_none_else() {
    let documented: BTreeSet<String> = documented().iter().map(|name| family(name)).collect();
    assert_eq!(documented, registered());
    assert!(documented.len() > 30);
}

/// An operator finds each word with what to do, and none that no log has.
#[test]
fn every_reason_for_no_signature_is_documented_and_none_else() {
    let all = |text: &str, pattern: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let docs = read("docs/monitoring.md");
    let (_, section) = docs.split_once("### Why a message is not signed\n").unwrap();
    let section = section.split("\n#").next().unwrap();
    let documented = all(section, r"(?m)^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$");
    assert_eq!(documented, all(&read("src/sign/not_signed.rs"), r#"=> "([a-z-]+)""#));
    assert_eq!(documented.len(), 14);
}

#[test]
fn alerts_name_metrics_and_remedies_that_there_are() {
    let (docs, text) = (read("docs/monitoring.md"), read("packaging/alerts.yml"));
    let rules = &YamlLoader::load_from_str(&text).unwrap()[0]["groups"][0]["rules"];
    let name = Regex::new(r"\b(?:mailseal|process)_\w+").unwrap();
    let documented = documented();
    let rules = rules.as_vec().unwrap();
    assert!(rules.len() > 10);
    for rule in rules {
        let (alert, expr) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        assert!(docs.contains(&format!("`{alert}`")), "{alert} has no remedy");
        assert!(rule["annotations"]["summary"].as_str().is_some(), "{alert}");
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning")));
        for metric in name.find_iter(expr) {
            assert!(documented.contains(metric.as_str()), "{alert}: {}", metric.as_str());
        }
    }
}

#[test]
fn what_is_scraped_is_as_documented() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let zone = "example.net TXT \"v=spf1 ip4:192.0.2.1 -all\"\nbroken.example TXT SERVFAIL\n";
    let dns = runtime.block_on(DnsServer::start(Zone::parse(zone)));
    let dir = tempfile::tempdir().unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let config = format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{}\"]\n\
         [limits]\nheader_fields_max = 2\n[telemetry]\nmetrics = \"{metrics}\"\n",
        dns.addr
    );
    fs::create_dir(dir.path().join("rules")).unwrap();
    fs::write(dir.path().join("rules/a.toml"), RULES).unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let scrape = || http(metrics, "GET /metrics HTTP/1.1");
    let await_line = |wanted: &str| {
        let give_up = Instant::now() + PATIENCE;
        while !scrape().lines().any(|line| line == wanted) {
            assert!(Instant::now() < give_up, "no {wanted} in {}", scrape());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut mta = Mta::connect(daemon.addr).unwrap();
    await_line("mailseal_connections_open 1");
    mta.session(&Mail::default()).unwrap();
    mta.transaction(&Mail::default()).unwrap();
    await_line("mailseal_transactions_open 1");
    mta.end().unwrap();
    let servers = |text: &str| {
        let asked = "mailseal_dns_lookups_total{result=\"answer\",source=\"servers\"}";
        let line = text.lines().find_map(|line| line.strip_prefix(asked)).unwrap();
        line.trim().parse::<u32>().unwrap()
    };
    let before = servers(&scrape());
    // All of it is in the cache now.
    mta.transaction(&Mail::default()).unwrap();
    mta.end().unwrap();
    assert_eq!(servers(&scrape()), before);
    assert!(scrape().contains("{result=\"answer\",source=\"cache\"}"), "{}", scrape());
    let headers = (0..3).map(|_| (b"From".to_vec(), b" a@example.net".to_vec())).collect();
    mta.transaction(&Mail { headers, ..Mail::default() }).unwrap();
    mta.end().unwrap();
    drop(mta);
    await_line("mailseal_connections_open 0");
    await_line("mailseal_transactions_open 0");
    fs::write(dir.path().join("serve.toml"), "").unwrap();
    kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGHUP).unwrap();
    await_line("mailseal_last_reload_successful 0");
    await_line("mailseal_reloads_total{result=\"refused\"} 1");
    let text = scrape();
    for line in [
        "mailseal_ready 1",
        // The first one saw whether it listens.
        "mailseal_connections_total{result=\"accepted\"} 2",
        "mailseal_connections_max 1000",
        "mailseal_limit_reached_total{limit=\"limits.header_fields_max\"} 1",
        "mailseal_stage_seconds_count{stage=\"client\"} 3",
        "mailseal_signing_domains 0",
        "mailseal_rule_hits_total{rule=\"open\",shadow=\"false\"} 2",
        "mailseal_rule_hits_total{rule=\"hidden\",shadow=\"true\"} 2",
    ] {
        assert!(text.lines().any(|other| other == line), "{text}\nlacks {line}");
    }
    let (documented, docs) = (documented(), read("docs/monitoring.md"));
    let label = Regex::new(r#"[{,](\w+)=""#).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#') && line.contains('_')) {
        let Some(name) = line.split(['{', ' ']).next().filter(|name| name.contains('_')) else {
            continue;
        };
        if name.starts_with("mailseal_") || name.starts_with("process_") {
            let histogram = ["_bucket", "_count", "_sum"];
            let bare = histogram.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(documented.contains(name) || documented.contains(bare), "{name}");
            let row = docs.lines().find(|row| {
                row.starts_with(&format!("| `{name}` ")) || row.starts_with(&format!("| `{bare}` "))
            });
            let said = row.unwrap().split('|').nth(2).unwrap();
            for label in label.captures_iter(line).filter(|label| &label[1] != "le") {
                assert!(said.contains(&format!("`{}`", &label[1])), "{name}: {}", &label[1]);
            }
        }
    }
}
