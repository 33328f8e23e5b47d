//! CVE-2023-51764: line ends that one reader takes for one and another does not. Postfix mends
//! them before a filter sees them, so they come by a file and by a milter client.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mailseal::message::Draft;
use mailseal::pipeline::Inspection;
use mailseal::result::AuthResult::{Pass, Permerror};

use crate::message::{Signer, sample};
use crate::support::live::Running;
use crate::support::milter::{Mail, Mta};
use crate::world::{Limit, SENDER_WALK_QUERIES, World, envelope};

/// SPF of two identities, a walk of two names, one address and a key.
const LIMIT: Limit =
    Limit { time: Duration::from_secs(5), queries: 6 + SENDER_WALK_QUERIES, output_bytes: 1_000 };

/// Ends of a message, to some.
const SMUGGLED: &[&str] = &[
    "\n.\nMAIL FROM:<joe@bank.example>\n",
    "\n.\r\nMAIL FROM:<joe@bank.example>\r\n",
    "\r.\r\nMAIL FROM:<joe@bank.example>\r\n",
    "\r\n.\rMAIL FROM:<joe@bank.example>\r\n",
    "\r\r\n.\r\r\nMAIL FROM:<joe@bank.example>\r\n",
];

/// The body is hashed as seen: no line end is mended, so what was smuggled in breaks the signature
/// whatever the chunks, and both doors say the same.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_51764_bodies() {
    let signer = Signer::ed25519();
    let zone = format!("s._domainkey.example.org TXT \"{}\"\n", signer.record(""));
    let world = World::new(&zone).await;
    let sealed = signer.sign(&sample(), "");
    assert_eq!(world.judge(&sealed.octets()).await.dkim(), ["pass"]);
    let World { dns: _dns, runtime, .. } = World::new(&zone).await;
    let daemon = Running::start(Arc::into_inner(runtime).unwrap(), false).await;
    for smuggled in SMUGGLED {
        let mut message = sealed.clone();
        message.body.extend(smuggled.as_bytes());
        let judged = world.judge(&message.octets()).await;
        assert_eq!(judged.within(LIMIT).dkim(), ["fail"], "{smuggled:?}");
        for chunk in 1..9 {
            let unfolded =
                |value: &[u8]| value.iter().copied().filter(|octet| *octet != b'\r').collect();
            let headers = message.headers.iter();
            let mail = Mail {
                from: "joe@example.net",
                headers: headers
                    .map(|field| (field.name.to_vec(), unfolded(field.value)))
                    .collect(),
                body: &message.body,
                chunk,
                ..Mail::default()
            };
            let outcome = Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
            let edits = format!("{:?}", outcome.edits);
            assert!(edits.contains("dkim=fail reason=\\\"body hash did not verify\\\""), "{edits}");
        }
    }
    // A signature over bare line ends is over these octets, not over mended ones.
    let mut bare = sample();
    bare.body = b"Hello.\r\nbare\nends\rhere\r\n".to_vec();
    let sealed = signer.sign(&bare, "c=relaxed/simple");
    let mut mended = sealed.clone();
    mended.body = b"Hello.\r\nbare\r\nends\r\nhere\r\n".to_vec();
    assert_eq!(world.judge(&mended.octets()).await.within(LIMIT).dkim(), ["fail"]);
    daemon.stop().await;
}

/// A bare CR or LF in a field's value: a second From to some readers, so there is no author.
#[tokio::test]
async fn cve_2023_51764_headers() {
    let world = World::new("example.net TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.example.net TXT \"v=DMARC1; p=reject\"\n").await;
    let judge = async |subject: &str| {
        let mut draft = Draft::new(envelope());
        let limits = &world.runtime.config.limits;
        draft.add_field(b"Subject", subject.as_bytes(), limits);
        draft.add_field(b"From", b" joe@example.net", limits);
        Inspection::whole(&world.runtime, draft, Vec::new()).await.auth.dmarc.unwrap().result
    };
    for smuggled in [
        " x\nFrom: ann@bank.example",
        " x\rFrom: ann@bank.example",
        " x\r\rFrom: ann@bank.example",
        " x\n\nFrom : ann@bank.example",
        " x\n\t\nfrom\t: ann@bank.example",
        " x\r\nFROM: ann@bank.example",
        "\rFrom: ann@bank.example\r\n",
    ] {
        assert_eq!(judge(smuggled).await, Permerror, "{smuggled:?}");
    }
    for fold in [" x\r\n From: ann@bank.example", " x\n\tFrom: ann@bank.example", " From: x"] {
        assert_eq!(judge(fold).await, Pass, "{fold:?}");
    }
}

/// The same through the program.
#[test]
fn cve_2023_51764_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("message.eml");
    let check = |message: &str| {
        std::fs::write(&path, message).unwrap();
        std::fs::write(
            dir.path().join("mailseal.toml"),
            "[dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n",
        )
        .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.current_dir(dir.path()).args(["check", "--config", "mailseal.toml", "message.eml"]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let verdict =
        check("Subject: x\nFrom: ann@bank.example\r\nFrom: joe@example.net\r\n\r\nHello\r\n");
    assert!(verdict.contains("dmarc permerror - (several From fields)"), "{verdict}");
    let verdict = check("From: joe@example.net\r\n\r\nHello\n.\r\nFrom: ann@bank.example\r\n");
    assert!(verdict.contains("dmarc temperror example.net"), "{verdict}");
}
