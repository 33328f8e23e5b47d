//! What rules do: what is refused and warned about at load, what an MTA is told, and that what leaves is
//! what was signed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Command;
use std::sync::Arc;

use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::rules::RuleSet;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::case::{self, Case};
use support::live::Running;
use support::milter::{self, ALL_ACTIONS, ALL_OPTIONS, Edit, Mail, Mta};
use tempfile::TempDir;

const ADD_RCPT: u32 = 0x4;
const DELETE_RCPT: u32 = 0x8;
const QUARANTINE: u32 = 0x20;

/// A rule on any message with a From field.
fn rule(action: &str) -> String {
    format!(
        "[[rule]]\nname = 'r'\nabout = 'x'\nwhen = {{ header = 'From', matches = '(?<all>.*)' }}\n\
         action = {action}\nexamples = {{ hit = ['From: a'], miss = ['To: a'] }}\n"
    )
}

fn dir(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("r.toml"), text).unwrap();
    dir
}

/// Why a rule with that action is refused, the file's name left out.
fn fault(action: &str) -> String {
    let dir = dir(&rule(action));
    let error = RuleSet::load(dir.path()).expect_err(action).to_string();
    error.replace(&format!("{}/r.toml:", dir.path().display()), "")
}

fn warnings(action: &str) -> Vec<String> {
    let dir = dir(&rule(action));
    let warnings = RuleSet::load(dir.path()).unwrap().warnings();
    let name = format!("{}/r.toml:", dir.path().display());
    warnings.into_iter().map(|warning| warning.replace(&name, "")).collect()
}

#[test]
fn what_no_rule_can_do_is_refused_with_its_place() {
    let faults = [
        ("'rejct'", "5:10: action: unknown value \"rejct\" (did you mean \"reject\"?)"),
        ("'redirect'", "\"redirect\" of what (write { redirect = \"user@example.org\" })"),
        ("[]", "5:10: action: 0 actions (1 to 16)"),
        ("['tag', 'reject', 'accept']", "5:28: action: two of accept"),
        ("['none', 'tag']", "\"none\" beside another action"),
        ("[{ redirect = 'a@b.example' }, { redirect = 'c@d.example' }]", "two redirects"),
        ("{ bcc = 'a@b.example', redirect = 'a@b.example' }", "2 actions in one table"),
        ("{ remove_heder = {} }", "did you mean \"remove_header\"?"),
        ("{ remove_header = 'X' }", "wants a table (write { remove_header = { name"),
        ("{ remove_header = {} }", "\"name\" is missing"),
        ("{ remove_header = { found = true, name = 'X' } }", "\"found\" beside \"name\""),
        ("{ remove_header = { name = 'X', matches = '(' } }", "bad pattern"),
        ("{ add_header = { name = 'X' } }", "\"value\" is missing"),
        ("{ add_header = { name = 'X Y', value = 'x' } }", "is no field name"),
        ("{ add_header = { name = 'X', value = \"a\\r\\nEvil: b\" } }", "not printable ASCII"),
        ("{ add_header = { name = 'X', value = 'ü' } }", "encoded words, RFC 2047"),
        ("{ add_header = { name = 'X', value = '$2' } }", "\"$2\" is no group of the pattern"),
        ("{ add_header = { name = 'X', value = '${some}' } }", "\"${some}\" is no group"),
        ("{ add_header = { name = 'received', value = 'x' } }", "is not a rule's to write"),
        ("{ prepend = { name = 'ARC-Seal', value = 'x' } }", "is not a rule's to write"),
        ("{ replace_header = { name = 'X-Mailseal-Tag', value = 'x' } }", "not a rule's to write"),
        (
            "{ replace_header = { name = 'X', matches = 'a', value = '${all}' } }",
            "is no group of the pattern",
        ),
        ("{ subject_prefix = '' }", "subject_prefix: is empty"),
        ("{ redirect = 'nobody' }", "\"nobody\" is no address (such as user@example.org)"),
        ("{ redirect = 'a b@example.org' }", "is no address"),
        ("{ bcc = 'a@example..org' }", "is no address"),
        ("{ bcc = '$1@example.org>, <x@y' }", "is no address"),
    ];
    for (action, expected) in faults {
        let fault = fault(action);
        assert!(fault.contains(expected), "{action}: {fault}");
    }
    let many = format!("[{}]", "'tag', ".repeat(17));
    assert!(fault(&many).contains("17 actions"));
}

#[test]
fn what_breaks_others_signatures_is_warned_about() {
    let prefix = warnings("['tag', { subject_prefix = '[X] ' }]");
    let expected = "5:18: rule \"r\": an edit of Subject breaks the DKIM signatures of others";
    assert!(prefix[0].starts_with(expected), "{prefix:?}");
    for name in ["from", "Content-Type", "list-id", "DKIM-Signature", "Received"] {
        assert_eq!(warnings(&format!("{{ remove_header = {{ name = '{name}' }} }}")).len(), 1);
    }
    for action in ["'reject'", "{ add_header = { name = 'X-A', value = '$1' } }"] {
        assert_eq!(warnings(action), [""; 0]);
    }
    // As an operator sees it.
    let dir = dir(&rule("{ subject_prefix = '[X] ' }"));
    let config = dir.path().join("config.toml.conf");
    fs::write(&config, "[identity]\nauthserv_id = 'a.example'\n[rules]\ndir = '.'\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
    let output = command.args(["config", "check"]).arg(&config).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("r.toml:5:10: rule \"r\": an edit"), "{said}");
}

/// The case whose mail is ours, with other rules.
async fn runtime(action: &str) -> (case::World, TempDir) {
    let mut world = ours().world().await;
    let dir = dir(&rule(action));
    world.runtime.rules = RuleSet::load(dir.path()).unwrap();
    (world, dir)
}

fn ours() -> Case {
    case::all().into_iter().find(|case| case.name.starts_with("29-signed")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_mta_does_not_offer_is_never_left_out() {
    let (world, _dir) = runtime("[{ redirect = 'x@example.org' }]").await;
    let daemon = Running::start(world.runtime, false).await;
    let deliver = |without: u32| {
        let offered = ALL_ACTIONS & !without;
        let mut mta = Mta::connect_offering(daemon.addr, 6, offered, ALL_OPTIONS).unwrap();
        mta.deliver(&Mail::default()).unwrap()
    };
    let whole = deliver(0);
    let recipients = [
        Edit::DeleteRecipient("<ann@example.org>".into()),
        Edit::AddRecipient("<x@example.org>".into()),
    ];
    assert!(recipients.iter().all(|edit| whole.edits.contains(edit)), "{whole:?}");
    for lacking in [ADD_RCPT, DELETE_RCPT] {
        let held = deliver(lacking);
        assert_eq!(held.disposition, "accept");
        assert!(matches!(held.edits.last(), Some(Edit::Quarantine(_))), "{held:?}");
        assert!(!held.edits.iter().any(|edit| recipients.contains(edit)), "{held:?}");
    }
    let deferred = deliver(ADD_RCPT | QUARANTINE);
    assert!(deferred.disposition.starts_with("451 4.3.5 message cannot be held"), "{deferred:?}");
    assert_eq!(deferred.edits, []);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_look_as_deep_as_is_configured() {
    let dir = dir("[[rule]]\nname = 'deep'\nabout = 'x'\nwhen = { mime = 'mime-depth' }\n\
         examples = { hit = ['not tried'], miss = ['nor this'] }\n");
    let message = ["From: a@example.net\n", &"Content-Type: message/rfc822\n\n".repeat(5)].concat();
    for (depth_max, hits) in [(4, 1), (30, 0)] {
        let mut runtime = ours().world().await.runtime;
        runtime.rules = RuleSet::load_untested(dir.path()).unwrap();
        runtime.config.attachments.limits.depth_max = depth_max;
        let (draft, body) =
            file::parse(message.as_bytes(), ours().envelope(), &runtime.config.limits);
        let verdict = Inspection::whole(&Arc::new(runtime), draft, body).await;
        assert_eq!(verdict.hits.len(), hits, "{depth_max}: {verdict}");
    }
}

#[derive(Clone, Debug)]
struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

/// Fields that rules edit, and forged ones that go, in any order and number.
fn fields() -> impl Strategy<Value = Fields> {
    let name = proptest::sample::select(vec![
        "X-A",
        "x-a",
        "X-B",
        "Subject",
        "Reply-To",
        "X-Mailseal-Tag",
        "Authentication-Results",
        "To",
    ]);
    let value =
        proptest::sample::select(vec![" keep", " drop", "\tfolded\n drop", " mx.example.org; x"]);
    let field = (name, value).prop_map(|(name, value): (&str, &str)| (name.into(), value.into()));
    proptest::collection::vec(field, 0..12).prop_map(|mut fields: Vec<(Vec<u8>, Vec<u8>)>| {
        fields.push((b"From".to_vec(), b" joe@example.org".to_vec()));
        Fields(fields)
    })
}

/// An MTA applies the edits one by one and renumbers. What comes of it has the signatures that we made,
/// and they hold: so it is not signed again.
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_mta_is_what_was_signed() {
    let action = "[
      { replace_header = { name = 'Reply-To', matches = '^(k)eep', value = '$1' } },
      { remove_header = { name = 'X-A', matches = 'drop' } },
      { remove_header = { name = 'Subject', matches = 'drop' } },
      { subject_prefix = '[X] ' },
      { add_header = { name = 'Reply-To', value = 'low ${all}' } },
      { prepend = { name = 'To', value = 'high' } },
    ]"
    .replace('\n', " ");
    let (world, _dir) = runtime(&action).await;
    let mut again = world.runtime.rebuild(world.runtime.config.clone()).unwrap();
    again.rules = RuleSet::default();
    let again = Arc::new(again);
    let daemon = Running::start(world.runtime, false).await;
    let (addr, handle) = (daemon.addr, tokio::runtime::Handle::current());
    let test = move || {
        TestRunner::new(ProptestConfig::with_cases(64)).run(&fields(), |Fields(mut headers)| {
            let mail = Mail {
                from: "joe@example.org",
                macros: vec![(b'M', "{auth_authen}", "joe")],
                headers: headers.clone(),
                ..Mail::default()
            };
            let outcome = Mta::connect(addr).unwrap().deliver(&mail).unwrap();
            milter::apply(&mut headers, &outcome.edits);
            let header =
                headers.iter().flat_map(|(name, value)| [name, &b":"[..], value, b"\n"].concat());
            let message = [header.collect(), b"\nHello\n".to_vec()].concat();
            let limits = &again.config.limits;
            let (draft, body) = file::parse(&message, ours().envelope(), limits);
            let verdict = handle.block_on(Inspection::whole(&again, draft, body));
            let labels: Vec<_> =
                verdict.not_signed.iter().map(mailseal::sign::NotSigned::label).collect();
            let leaves = String::from_utf8(message).unwrap();
            prop_assert_eq!(labels, ["already-signed"; 2], "{}\n{:?}", leaves, verdict.reasons);
            let field_of =
                |start: &str| leaves.lines().filter(|line| line.starts_with(start)).count();
            prop_assert!(!leaves.contains("X-Mailseal-Tag"), "{}", leaves);
            prop_assert!(field_of("Subject: [X]") >= 1, "{}", leaves);
            prop_assert_eq!(field_of("Reply-To: low joe@example.org"), 1, "{}", leaves);
            prop_assert!(leaves.starts_with("DKIM-Signature:"), "{}", leaves);
            Ok(())
        })
    };
    tokio::task::spawn_blocking(test).await.unwrap().unwrap();
    daemon.stop().await;
}
