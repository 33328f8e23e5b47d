//! What a scanner that was taken over can say, and what nothing may start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mailseal::config::Endpoint;
use mailseal::scan::ScanResult;
use mailseal::verdict::{Action, Disposition};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::world::{Limit, World};

const LIMIT: Limit = Limit { time: Duration::from_secs(5), queries: 5, output_bytes: 1_500 };

/// A clamd that gives this answer to each message.
async fn clamd(answer: Vec<u8>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut command = [0; 10];
                let _ = stream.read_exact(&mut command).await;
                while let Ok(length @ 1..) = stream.read_u32().await {
                    let mut chunk = vec![0; length as usize];
                    if stream.read_exact(&mut chunk).await.is_err() {
                        return;
                    }
                }
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    endpoint
}

/// CVE-2024-20328: a virus's name is a stranger's text. It is shown, and is never anything else.
#[tokio::test]
async fn cve_2024_20328() {
    for name in [
        "Evil)\r\nBcc: x@evil.example",
        "Evil\nX-Virus-Status: Clean",
        "$(touch pwned)",
        "`touch pwned`;|&",
        "%s%n%x",
        "\"; dmarc=pass (",
        "Evil FOUND\0stream: OK",
        "\u{1b}[31m\u{fc}",
        "OK",
        "",
        " ",
        &"x".repeat(4_000),
    ] {
        let answer = format!("stream: {name} FOUND\0").into_bytes();
        let endpoint = clamd(answer).await;
        for action in [Action::Tag, Action::Reject, Action::Quarantine] {
            let world = World::with("", |config| {
                config.clamav.servers = vec![endpoint.clone()];
                config.clamav.treatment.on_infected = action;
            })
            .await;
            let judged = world.judge(b"From: joe@example.net\r\n\r\nHello\r\n").await;
            let verdict = &judged.within(LIMIT).verdict;
            assert!(!matches!(verdict.scan, Some(ScanResult::Clean) | None), "{name:?}");
            let text = verdict.to_string().replace('\t', " ");
            assert!(text.chars().all(|c| matches!(c, '\n' | ' '..='~')), "{text:?}");
            if let Some(reply) = &verdict.reply {
                assert_eq!(verdict.disposition, Disposition::Reject);
                assert!(reply.text.len() < 400 && !reply.text.contains(['%', '\n']), "{reply}");
            } else {
                let status = judged.field("X-Virus-Status");
                assert!(!status.contains(['\r', '\n', '"', ';']), "{status}");
                assert!(status.matches('(').count() <= 1 && status.len() < 250, "{status}");
            }
        }
    }
}

/// CVE-2010-1132, CVE-2007-4560: filters that handed a name to a shell. We start no program; but for
/// the doctor, who asks `postconf` for the operator and sees no message.
#[test]
fn cve_2010_1132_and_cve_2007_4560() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if path.ends_with("cmd/doctor/gather.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for door in
            ["process::Command", "libc::system", "execv", "posix_spawn", "nix::unistd::fork"]
        {
            assert!(!text.contains(door), "{} has {door}", path.display());
        }
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}
