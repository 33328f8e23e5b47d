//! DMARC (RFC 9989) over a real resolver: the tree walk, the policy that applies, and alignment.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use mailseal::auth::dmarc::{Dmarc, Policy, discover, evaluate};
use mailseal::auth::spf::{Identity, Spf};
use mailseal::dkim::Verification;
use mailseal::dns::Dns;
use mailseal::message::address::Malformed;
use mailseal::result::AuthResult::{
    self, Fail, Neutral, None as NoRecord, Pass, Permerror, Softfail, Temperror,
};
use serde_json::Value;
use support::dns::DnsServer;
use support::suites::{report, suite};
use support::zone::Zone;
use tokio::time::Instant;

struct Bench {
    server: DnsServer,
    dns: Dns,
}

impl Bench {
    async fn new(zone: &str) -> Self {
        Self::with_timeout(zone, Duration::from_secs(2)).await
    }

    async fn with_timeout(zone: &str, timeout: Duration) -> Self {
        let server = DnsServer::start(Zone::parse(zone)).await;
        let dns = server.resolver(timeout).until(Instant::now() + Duration::from_mins(1));
        Self { server, dns }
    }

    async fn judge(&self, author: &str, spf: &[Spf], dkim: &[Verification]) -> Dmarc {
        evaluate(&self.dns, &discover(&self.dns, author).await, spf, dkim).await
    }

    /// Whether a signature of `signer` aligns with `author`.
    async fn aligns(&self, author: &str, signer: &str) -> bool {
        let dmarc = self.judge(author, &[], &[signed(Pass, signer)]).await;
        assert_eq!(dmarc.result == Pass, dmarc.dkim_aligned);
        assert!(matches!(dmarc.result, Pass | Fail), "{dmarc:?}");
        dmarc.dkim_aligned
    }

    /// The names of the walks so far, without `_dmarc.`.
    fn walked(&self) -> Vec<String> {
        let queries = self.server.queries().into_iter();
        let names = queries.filter(|((_, kind), _)| kind == "TXT").map(|((name, _), count)| {
            assert_eq!(count, 1, "{name} was asked for again");
            name.strip_prefix("_dmarc.").unwrap().to_owned()
        });
        names.collect()
    }
}

fn spf(result: AuthResult, identity: Identity, domain: &str) -> Spf {
    let (domain, value) = (domain.to_owned(), format!("a@{domain}"));
    Spf {
        result,
        identity,
        domain,
        value,
        reason: None,
        mechanism: None,
        any_client: false,
        explanation: None,
    }
}

fn mailed(result: AuthResult, domain: &str) -> Spf {
    spf(result, Identity::MailFrom, domain)
}

fn signed(result: AuthResult, domain: &str) -> Verification {
    Verification {
        result,
        domain: domain.to_owned(),
        auid: None,
        selector: Some("s".to_owned()),
        algorithm: Some("rsa-sha256".to_owned()),
        signature_start: Some("AbCdEfGh".to_owned()),
        reason: None,
        testing: false,
        covers_body: true,
    }
}

/// §4.10: the example of a full walk. Eight queries, and one to see whether the domain exists.
#[tokio::test]
async fn a_walk_has_eight_queries_at_most() {
    let bench = Bench::new("com A 192.0.2.1").await;
    let dmarc = bench.judge("a.b.c.d.e.f.g.h.i.j.mail.example.com", &[], &[]).await;
    assert_eq!(dmarc.result, NoRecord);
    let mut walked = bench.walked();
    walked.sort_by_key(|name| std::cmp::Reverse(name.len()));
    assert_eq!(
        walked,
        [
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "g.h.i.j.mail.example.com",
            "h.i.j.mail.example.com",
            "i.j.mail.example.com",
            "j.mail.example.com",
            "mail.example.com",
            "example.com",
            "com",
        ]
    );
    assert_eq!(bench.server.queries().len(), 9);
}

/// Two walks share the names that they have in common.
#[tokio::test]
async fn walks_share_their_names() {
    let bench = Bench::new("_dmarc.example.com TXT \"v=DMARC1; p=reject\"").await;
    assert!(bench.aligns("a.b.example.com", "x.y.b.example.com").await);
    assert_eq!(
        bench.walked(),
        [
            "a.b.example.com",
            "b.example.com",
            "com",
            "example.com",
            "x.y.b.example.com",
            "y.b.example.com"
        ]
    );
}

/// No walk for a domain that cannot align, whatever the number of signatures.
#[tokio::test]
async fn strangers_cost_nothing() {
    let bench = Bench::new("_dmarc.example.com TXT \"v=DMARC1; p=reject\"").await;
    let signatures: Vec<_> =
        (0..1_000).map(|n| signed(Pass, &format!("a.{n}.evil-example.com"))).collect();
    let dmarc = bench.judge("example.com", &[mailed(Pass, "evil.test")], &signatures).await;
    assert_eq!(dmarc.result, Fail);
    assert_eq!(bench.walked(), ["com", "example.com"]);
}

/// All questions of a walk are on their way before the first has an answer.
#[tokio::test]
async fn one_round_of_dns() {
    let domain = "a.b.c.d.e.f.example.com";
    let mut zone = format!("{domain} A TIMEOUT\n");
    for (dot, _) in format!(".{domain}").match_indices('.') {
        writeln!(zone, "_dmarc.{} TXT TIMEOUT", &domain[dot..]).unwrap();
    }
    let bench = Bench::with_timeout(&zone, Duration::from_secs(40)).await;
    let all_asked = async {
        while bench.server.queries().len() < 9 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = discover(&bench.dns, domain) => panic!("an answer"),
        () = all_asked => {}
    }
}

/// §4.10.2's examples.
#[tokio::test]
async fn organizational_domains() {
    let org = async |zone: &str, author: &str| {
        let dmarc = Bench::new(zone).await.judge(author, &[], &[]).await;
        dmarc.organizational_domain.unwrap()
    };
    let author = "a.mail.example.com";
    for (zone, wanted) in [
        (
            "_dmarc.mail.example.com TXT \"v=DMARC1; p=none\"\n\
             _dmarc.example.com TXT \"v=DMARC1; p=none\"",
            "example.com",
        ),
        (
            "_dmarc.mail.example.com TXT \"v=DMARC1; p=none; psd=n\"\n\
             _dmarc.example.com TXT \"v=DMARC1; p=none\"",
            "mail.example.com",
        ),
        ("_dmarc.com TXT \"v=DMARC1; p=none; psd=y\"", "example.com"),
        (
            "_dmarc.example.com TXT \"v=DMARC1; p=none; psd=y\"\n\
             _dmarc.com TXT \"v=DMARC1; p=none\"",
            "mail.example.com",
        ),
        ("_dmarc.com TXT \"v=DMARC1; p=none\"", "com"),
        ("com A 192.0.2.1", author),
        ("_dmarc.a.mail.example.com TXT \"v=DMARC1; p=none; psd=y\"", author),
        (
            "_dmarc.a.mail.example.com TXT \"v=DMARC1; p=none; psd=y\"\n\
             _dmarc.example.com TXT \"v=DMARC1; p=none\"",
            author,
        ),
        (
            "_dmarc.a.mail.example.com TXT \"v=DMARC1; p=none\"\n\
             _dmarc.com TXT \"v=DMARC1; p=none; psd=y\"",
            "example.com",
        ),
        (
            "_dmarc.mail.example.com TXT \"v=DMARC1; p=none; psd=n\"\n\
             _dmarc.mail.example.com TXT \"v=DMARC1; p=none\"\n\
             _dmarc.example.com TXT \"v=DMARC1; p=none\"",
            "example.com",
        ),
    ] {
        assert_eq!(org(zone, author).await, wanted, "{zone}");
    }
}

/// §5.1.7: a record under the names that are skipped is never found.
#[tokio::test]
async fn long_names_skip_records() {
    let bench = Bench::new(
        "_dmarc.b.c.d.e.f.g.example.com TXT \"v=DMARC1; p=reject; psd=n\"\n\
         _dmarc.example.com TXT \"v=DMARC1; p=none\"\n\
         _dmarc.x.mail.a.b.c.d.e.f.g.example.com TXT \"v=DMARC1; p=quarantine\"",
    )
    .await;
    let skipped = bench.judge("mail.a.b.c.d.e.f.g.example.com", &[], &[]).await;
    assert_eq!(skipped.record_domain.as_deref(), Some("example.com"));
    let own = bench.judge("x.mail.a.b.c.d.e.f.g.example.com", &[], &[]).await;
    assert_eq!(own.policy, Some(Policy::Quarantine));
    assert_eq!(own.organizational_domain.as_deref(), Some("example.com"));
}

/// §4.10.1: whose record applies, and which of its policies.
#[tokio::test]
async fn the_policy_that_applies() {
    let bench = Bench::new(
        "_dmarc.org.example TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n\
         exists.org.example A 192.0.2.1\n\
         below.empty.org.example A 192.0.2.1\n\
         broken.org.example A SERVFAIL\n\
         _dmarc.own.org.example TXT \"v=DMARC1; p=reject; sp=none\"\n\
         a.own.org.example A 192.0.2.1\n\
         _dmarc.plain.example TXT \"v=DMARC1; p=reject\"\n\
         _dmarc.sp.example TXT \"v=DMARC1; p=none; sp=reject\"\n\
         _dmarc.suffix TXT \"v=DMARC1; p=none; sp=quarantine; np=reject; psd=y\"\n\
         owner.suffix A 192.0.2.1\n\
         a.owner.suffix A 192.0.2.1\n\
         _dmarc.b.owner.suffix TXT \"v=DMARC1; p=none\"\n\
         c.b.owner.suffix A 192.0.2.1\n\
         _dmarc.policed.suffix TXT \"v=DMARC1; p=none\"",
    )
    .await;
    let (none, quarantine, reject) = (Policy::None, Policy::Quarantine, Policy::Reject);
    for (author, record, policy) in [
        ("org.example", "org.example", none),
        ("exists.org.example", "org.example", quarantine),
        ("empty.org.example", "org.example", quarantine),
        ("nowhere.org.example", "org.example", reject),
        ("a.nowhere.org.example", "org.example", reject),
        // A look-up that failed is no NXDOMAIN.
        ("broken.org.example", "org.example", quarantine),
        ("own.org.example", "own.org.example", reject),
        // `sp` of a record that is no organizational domain's means nothing.
        ("a.own.org.example", "org.example", quarantine),
        ("nowhere.plain.example", "plain.example", reject),
        ("nowhere.sp.example", "sp.example", reject),
        // The public suffix's record, where the organizational domain has none.
        ("owner.suffix", "suffix", quarantine),
        ("a.owner.suffix", "suffix", quarantine),
        ("nobody.suffix", "suffix", reject),
        ("c.b.owner.suffix", "suffix", quarantine),
        ("b.owner.suffix", "b.owner.suffix", none),
        ("suffix", "suffix", none),
        ("a.policed.suffix", "policed.suffix", none),
    ] {
        let dmarc = bench.judge(author, &[], &[]).await;
        assert_eq!(dmarc.result, Fail, "{author}");
        assert_eq!(dmarc.record_domain.as_deref(), Some(record), "{author}");
        assert_eq!(dmarc.policy, Some(policy), "{author}");
    }
}

/// §4.7 `t`: one step weaker, and nothing is weaker than none.
#[tokio::test]
async fn testing_weakens_by_one_step() {
    let bench = Bench::new(
        "_dmarc.a.example TXT \"v=DMARC1; p=reject; t=y\"\n\
         _dmarc.b.example TXT \"v=DMARC1; p=quarantine; t=y\"\n\
         _dmarc.c.example TXT \"v=DMARC1; p=none; t=y\"\n\
         _dmarc.d.example TXT \"v=DMARC1; p=reject; t=n\"\n\
         _dmarc.e.example TXT \"v=DMARC1; p=none; np=reject; t=y\"",
    )
    .await;
    for (author, published, applied) in [
        ("a.example", Policy::Reject, Policy::Quarantine),
        ("b.example", Policy::Quarantine, Policy::None),
        ("c.example", Policy::None, Policy::None),
        ("d.example", Policy::Reject, Policy::Reject),
        ("x.e.example", Policy::Reject, Policy::Quarantine),
    ] {
        let dmarc = bench.judge(author, &[], &[]).await;
        assert_eq!(dmarc.policy, Some(published), "{author}");
        assert_eq!(dmarc.applied_policy(), Some(applied), "{author}");
    }
}

/// §4.4: relaxed by organizational domain, in every direction of the tree.
#[tokio::test]
async fn relaxed_alignment() {
    let bench = Bench::new(
        "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n\
         _dmarc.part.example.com TXT \"v=DMARC1; p=reject; psd=n\"\n\
         _dmarc.suffix TXT \"v=DMARC1; p=reject; psd=y\"\n\
         _dmarc.hosting.example TXT \"v=DMARC1; p=reject; psd=y\"\n\
         _dmarc.example TXT \"v=DMARC1; p=reject\"",
    )
    .await;
    for (author, signer) in [
        ("example.com", "example.com"),
        ("example.com", "EXAMPLE.com."),
        ("news.example.com", "foo.example.com"),
        ("news.example.com", "example.com"),
        ("example.com", "a.b.c.d.e.f.g.h.i.example.com"),
        ("a.b.c.d.e.f.g.h.i.example.com", "example.com"),
        ("part.example.com", "a.part.example.com"),
        ("a.part.example.com", "b.part.example.com"),
        ("owner.suffix", "a.owner.suffix"),
        ("a.owner.suffix", "owner.suffix"),
        ("suffix", "suffix"),
        ("a.client.hosting.example", "client.hosting.example"),
        // Names that no record of their own sets apart belong to the record above.
        ("other.example", "third.example"),
    ] {
        assert!(bench.aligns(author, signer).await, "{author} {signer}");
    }
    for (author, signer) in [
        ("news.example.com", "foo.example.net"),
        ("example.com", "com"),
        ("example.com", "evil-example.com"),
        ("example.com", "example.com.evil.test"),
        ("example.com", "part.example.com"),
        ("part.example.com", "example.com"),
        ("a.part.example.com", "a.example.com"),
        ("owner.suffix", "evil.suffix"),
        ("owner.suffix", "suffix"),
        ("suffix", "owner.suffix"),
        ("client.hosting.example", "evil.hosting.example"),
        ("hosting.example", "evil.hosting.example"),
        ("example.com", ""),
        ("example.com", "example.com\0.evil.test"),
        ("example.com", "ex\"ample.com"),
    ] {
        assert!(!bench.aligns(author, signer).await, "{author} {signer}");
    }
}

/// §4.4, §4.7: `adkim` and `aspf`, each for its own method.
#[tokio::test]
async fn strict_alignment() {
    let bench = Bench::new(
        "_dmarc.example.com TXT \"v=DMARC1; p=reject; adkim=s\"\n\
         _dmarc.example.net TXT \"v=DMARC1; p=reject; aspf=s\"",
    )
    .await;
    for (author, other, spf_aligned, dkim_aligned) in [
        ("example.com", "example.com", true, true),
        ("example.com", "a.example.com", true, false),
        ("a.example.com", "example.com", true, false),
        ("example.net", "a.example.net", false, true),
        ("example.net", "example.net", true, true),
    ] {
        let dmarc = bench.judge(author, &[mailed(Pass, other)], &[signed(Pass, other)]).await;
        assert_eq!(dmarc.result, Pass);
        let found = (dmarc.spf_aligned, dmarc.dkim_aligned);
        assert_eq!(found, (spf_aligned, dkim_aligned), "{author} {other}");
    }
}

/// CVE-2019-20790: what HELO says is nothing to DMARC (§4.4.2). And nothing but a pass counts.
#[tokio::test]
async fn only_a_pass_of_mail_from_or_of_a_whole_message() {
    let bench = Bench::new("_dmarc.example.com TXT \"v=DMARC1; p=reject\"").await;
    let of_helo = spf(Pass, Identity::Helo, "example.com");
    let dmarc = bench.judge("example.com", &[of_helo, mailed(Pass, "evil.test")], &[]).await;
    assert_eq!((dmarc.result, dmarc.spf_aligned), (Fail, false));

    let part = Verification { covers_body: false, ..signed(Pass, "example.com") };
    let dmarc = bench.judge("example.com", &[], std::slice::from_ref(&part)).await;
    assert_eq!((dmarc.result, dmarc.dkim_aligned), (Fail, false));
    let dmarc = bench.judge("example.com", &[], &[part, signed(Pass, "example.com")]).await;
    assert_eq!(dmarc.result, Pass);

    for result in [NoRecord, Fail, Softfail, Neutral, AuthResult::Policy, Permerror] {
        let (spf, dkim) = (mailed(result, "example.com"), signed(result, "example.com"));
        let dmarc = bench.judge("example.com", &[spf], &[dkim]).await;
        assert_eq!(dmarc.result, Fail, "{result}");
    }
}

/// CVE-2019-16378, CVE-2021-34555: without one author domain, nothing aligns.
#[test]
fn a_malformed_from_is_a_permerror() {
    let dmarc = Dmarc::malformed(Malformed::SeveralFields);
    assert_eq!(dmarc.result, Permerror);
    assert!(dmarc.malformed_from && !dmarc.spf_aligned && !dmarc.dkim_aligned);
    assert_eq!(dmarc.author_domain, None);
    assert_eq!(dmarc.applied_policy(), None);
    assert_eq!(dmarc.reason.as_deref(), Some("several From fields"));
}

/// §4.10 steps 2 and 6, §4.7, §4.10.1: which records count.
#[tokio::test]
async fn records_that_count() {
    let judge = async |records: &str| {
        let zone = records.lines().map(|line| format!("_dmarc.example.com TXT {line}\n"));
        let bench = Bench::new(&zone.collect::<String>()).await;
        let dmarc = bench.judge("example.com", &[], &[]).await;
        (dmarc.result, dmarc.policy)
    };
    let (none, reject) = (Some(Policy::None), Some(Policy::Reject));
    for (records, wanted) in [
        (r#""v=DMARC1; p=reject""#, (Fail, reject)),
        (r#""v=DMARC1; p" "=rej" "ect""#, (Fail, reject)),
        ("\"v=spf1 -all\"\n\"v=DMARC1; p=reject\"", (Fail, reject)),
        ("\"v=DMARC1; p=reject\"\n\"v=DMARC1; p=none\"", (NoRecord, None)),
        ("\"v=spf1 -all\"", (NoRecord, None)),
        (r#""v=DMARC1; p=reject; pct=0; rf=afrf; ri=1""#, (Fail, reject)),
        (r#""v=DMARC1""#, (Permerror, None)),
        (r#""v=DMARC1; rua=mailto:a@example.com""#, (Fail, none)),
        (r#""v=DMARC1; p=reject; sp=?; rua=mailto:a@example.com""#, (Fail, none)),
        (r#""v=DMARC1; p=reject; np=?""#, (Permerror, None)),
    ] {
        assert_eq!(judge(records).await, wanted, "{records}");
    }
}

/// A large answer, and many records in one.
#[tokio::test]
async fn large_answers() {
    let tags = "x=y;".repeat(8_000);
    let mut zone = format!("_dmarc.large.example TXT \"v=DMARC1;{tags}p=reject\"\n");
    for n in 0..200 {
        writeln!(zone, "_dmarc.many.example TXT \"v=spf{n}\"").unwrap();
    }
    zone += "_dmarc.many.example TXT \"v=DMARC1; p=reject\"\n";
    let bench = Bench::new(&zone).await;
    for author in ["large.example", "many.example"] {
        assert_eq!(bench.judge(author, &[], &[]).await.policy, Some(Policy::Reject), "{author}");
    }
}

/// DNS fails: `temperror` where the answer could matter, and only there.
#[tokio::test]
async fn temporary_failures() {
    let bench = Bench::new(
        "_dmarc.own.example TXT SERVFAIL\n\
         _dmarc.up.middle.example TXT \"v=DMARC1; p=reject\"\n\
         _dmarc.middle.example TXT SERVFAIL\n\
         _dmarc.set.apart.example TXT \"v=DMARC1; p=reject; psd=n\"\n\
         _dmarc.apart.example TXT SERVFAIL\n\
         _dmarc.good.example TXT \"v=DMARC1; p=reject\"\n\
         _dmarc.evil.test TXT SERVFAIL\n\
         _dmarc.part.good.example TXT SERVFAIL",
    )
    .await;
    let none: [&str; 0] = [];
    for (author, signers, wanted) in [
        ("own.example", &["own.example"][..], Temperror),
        ("a.middle.example", &["a.middle.example"], Temperror),
        // The author domain's own record is known, its organizational domain is not.
        ("up.middle.example", &none, Fail),
        ("up.middle.example", &["up.middle.example"], Pass),
        ("up.middle.example", &["middle.example"], Temperror),
        ("up.middle.example", &["evil.test"], Fail),
        // The failure is above the end of the walk.
        ("set.apart.example", &["a.set.apart.example"], Pass),
        ("a.set.apart.example", &["apart.example"], Fail),
        // A stranger's broken DNS is no reason to doubt.
        ("good.example", &["evil.test"], Fail),
        ("good.example", &["part.good.example"], Temperror),
        ("good.example", &["part.good.example", "good.example"], Pass),
    ] {
        let dkim: Vec<_> = signers.iter().map(|signer| signed(Pass, signer)).collect();
        let dmarc = bench.judge(author, &[], &dkim).await;
        assert_eq!(dmarc.result, wanted, "{author} {signers:?} {dmarc:?}");
        assert_eq!(dmarc.reason.is_some(), wanted != Pass);
    }
    for (signer, wanted) in [("a.good.example", Temperror), ("evil.test", Fail)] {
        let dmarc = bench.judge("good.example", &[], &[signed(Temperror, signer)]).await;
        assert_eq!(dmarc.result, wanted, "{signer}");
        let dmarc = bench.judge("good.example", &[mailed(Temperror, signer)], &[]).await;
        assert_eq!(dmarc.result, wanted, "{signer}");
    }
}

/// Signatures beyond the limit do not hide those that passed.
#[tokio::test]
async fn a_heap_of_failing_signatures() {
    let bench = Bench::new("_dmarc.example.com TXT \"v=DMARC1; p=reject\"").await;
    let mut dkim = vec![signed(Temperror, "a.example.com"); 10_000];
    dkim.push(signed(Pass, "example.com"));
    assert_eq!(bench.judge("example.com", &[], &dkim).await.result, Pass);
    let dkim: Vec<_> = (0..1_000).map(|n| signed(Pass, &format!("{n}.example.net"))).collect();
    let bench = Bench::new("_dmarc.example.net TXT \"v=DMARC1; p=reject\"").await;
    assert_eq!(bench.judge("example.net", &[], &dkim).await.result, Pass);
    assert!(bench.walked().len() <= 34, "{}", bench.walked().len());
}

/// mox's cases, which are RFC 7489's: all hold by RFC 9989 but one.
#[tokio::test]
async fn mox_cases() {
    let Some(dir) = suite("dmarc-mox") else { return };
    let text = std::fs::read_to_string(dir.join("verify.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut zone = String::new();
    for (name, text) in file["txt"].as_object().unwrap() {
        writeln!(zone, "{name} TXT {text}").unwrap();
    }
    for name in file["temperror"].as_array().unwrap() {
        writeln!(zone, "{} TXT SERVFAIL", name.as_str().unwrap()).unwrap();
    }
    let bench = Bench::new(&zone).await;
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 15);
    for case in cases {
        mox_case(&bench, case).await;
    }
    report("mox, DMARC", cases.len(), cases.len());
}

async fn mox_case(bench: &Bench, case: &Value) {
    let author = case["from_domain"].as_str().unwrap();
    let result = |value: &Value| match value.as_str().unwrap() {
        "none" => NoRecord,
        "pass" => Pass,
        "fail" => Fail,
        "temperror" => Temperror,
        other => panic!("{other}"),
    };
    let spf = case["spf"]["domain"].as_str().map(|d| mailed(result(&case["spf"]["result"]), d));
    let dkim: Vec<_> = case["dkim"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| signed(result(&one["result"]), one["d"].as_str().unwrap()))
        .collect();
    let dmarc = bench.judge(author, spf.as_slice(), &dkim).await;

    let want = &case["want"];
    // `v=DMARC1; p=none; bogus`: RFC 7489 condemns the record, RFC 9989 §4.7 discards what is
    // broken and keeps the rest. Neither asks for anything to be done.
    let wanted = match want["dmarc"].as_str().unwrap() {
        "permerror" if author == "malformed.example" => "fail",
        wanted => wanted,
    };
    let about = &case["about"];
    assert_eq!(dmarc.result.as_str(), wanted, "{about}");
    assert_eq!(dmarc.spf_aligned, want["spf_aligned"].as_bool().unwrap(), "{about}");
    assert_eq!(dmarc.dkim_aligned, want["dkim_aligned"].as_bool().unwrap(), "{about}");
    let rejects = dmarc.result == Fail && dmarc.applied_policy() == Some(Policy::Reject);
    assert_eq!(rejects, want["reject"].as_bool().unwrap(), "{about}");
    // mox names the author domain where it found no record; there is none to name here.
    if dmarc.result != NoRecord {
        assert_eq!(dmarc.record_domain.as_deref(), want["policy_domain"].as_str(), "{about}");
    }
}
