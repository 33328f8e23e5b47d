//! From fields that show one author and pass as another's.

use std::time::Duration;

use mailseal::message::Draft;
use mailseal::pipeline::Inspection;
use mailseal::result::AuthResult::{Fail, Pass, Permerror};

use crate::world::{Limit, SENDER_WALK_QUERIES, World, envelope};

/// `joe@example.net` may send; `bank.example` wants all else rejected.
const ZONE: &str = "example.net TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
                    _dmarc.example.net TXT \"v=DMARC1; p=reject\"\n\
                    bank.example TXT \"v=spf1 -all\"\n\
                    _dmarc.bank.example TXT \"v=DMARC1; p=reject\"\n";

/// Two SPF records, a walk of two names and one address.
const LIMIT: Limit =
    Limit { time: Duration::from_secs(5), queries: 6 + SENDER_WALK_QUERIES, output_bytes: 1_000 };

fn with_from(value: &str) -> Vec<u8> {
    format!("From: {value}\r\nTo: ann@example.org\r\n\r\nHello\r\n").into_bytes()
}

/// CVE-2019-16378, CVE-2021-34555: whatever any reader may take for a second From.
#[tokio::test]
async fn cve_2019_16378_several_fields() {
    let world = World::new(ZONE).await;
    for name in ["From", "FROM", "From ", "From\t", " From", "\tFrom", "From\r\n ", "\u{feff}From"]
    {
        for last in [true, false] {
            let mut draft = Draft::new(envelope());
            let mut fields = [(name, " ann@bank.example"), ("From", " joe@example.net")];
            if last {
                fields.reverse();
            }
            for (name, value) in fields {
                draft.add_field(name.as_bytes(), value.as_bytes(), &world.runtime.config.limits);
            }
            let verdict = Inspection::whole(&world.runtime, draft, Vec::new()).await;
            assert_eq!(verdict.auth.dmarc.unwrap().result, Permerror, "{name:?}");
        }
    }
    assert_eq!(world.asked("bank.example"), 0, "only the sender's own policy is asked for");
}

/// The same in one field: mailboxes of two domains in every form that RFC 5322 has and had.
#[tokio::test]
async fn cve_2021_34555_two_authors_in_one_field() {
    let world = World::new(ZONE).await;
    for value in [
        "ann@bank.example, joe@example.net",
        "joe@example.net, ann@bank.example",
        "joe@example.net,\r\n\tann@bank.example",
        "Bank: ann@bank.example, joe@example.net;",
        "Bank: ann@bank.example;, joe@example.net",
        "<@bank.example:joe@example.net>",
        "<@example.net:ann@bank.example>",
        "ann@bank.example <joe@example.net>",
        "<ann@bank.example> <joe@example.net>",
        "<joe@example.net> ann@bank.example",
        "joe@example.net ann@bank.example",
        "joe@example.net@bank.example",
        "<joe@example.net>>, <ann@bank.example",
        "=?utf-8?q?ann=40bank.example?=@example.net",
        "=?utf-8?q?ann=40bank.example=3E?= @example.net",
        "\"ann@bank.example joe@example.net",
        "(ann@bank.example joe@example.net",
        "ann@bank.example\0 <joe@example.net>",
        "joe@example.net\0@bank.example",
        "joe@[192.0.2.1]",
        "joe@[IPv6:2001:db8::1]",
        "joe@example.net\r\nFrom: ann@bank.example",
        "joe@example.net\rFrom: ann@bank.example",
        "joe@example.net;ann@bank.example",
        "joe@example\u{ff0e}net",
        "joe@example.net.",
        "joe",
        "",
        "<>",
        ":;",
        "Bank:;",
    ] {
        let mut draft = Draft::new(envelope());
        let field = format!(" {value}");
        draft.add_field(b"From", field.as_bytes(), &world.runtime.config.limits);
        let verdict = Inspection::whole(&world.runtime, draft, Vec::new()).await;
        assert_eq!(verdict.auth.dmarc.unwrap().result, Permerror, "{value:?}");
    }
    assert_eq!(world.asked("bank.example"), 0, "only the sender's own policy is asked for");
}

/// Where there is one author, what stands around the address is not it.
#[tokio::test]
async fn only_the_address_counts() {
    let world = World::new(ZONE).await;
    for value in [
        "ann@bank.example (joe@example.net)",
        "\"joe@example.net\" <ann@bank.example>",
        "(joe@example.net) ann@bank.example",
        "joe (a (b) \\) <joe@example.net>) <ann@bank.example>",
        "\"joe@example.net\"@bank.example",
        "ann@BANK.example",
    ] {
        let judged = world.judge(&with_from(value)).await;
        assert_eq!(judged.within(LIMIT).dmarc(), Fail, "{value}");
    }
    let judged = world.judge(&with_from("\"ann@bank.example\" <joe@example.net>")).await;
    // A display name is no author. That people read it as one is for rules to find.
    assert_eq!(judged.dmarc(), Pass);
}

#[tokio::test]
async fn sender_and_resent_from_do_not_stand_in() {
    let world = World::new(ZONE).await;
    let others = "Sender: joe@example.net\r\nResent-From: joe@example.net\r\n\
                  Resent-Sender: joe@example.net\r\nReply-To: joe@example.net\r\n";
    let judged = world.judge(format!("{others}From: ann@bank.example\r\n\r\n").as_bytes()).await;
    assert_eq!(judged.within(LIMIT).dmarc(), Fail);
    let judged = world.judge(format!("{others}\r\n").as_bytes()).await;
    assert_eq!(judged.within(LIMIT).dmarc(), Permerror);
}

/// Fields as long as `limits.header_bytes_max` lets them be.
#[tokio::test]
async fn long_fields_cost_linear_time() {
    let world = World::new(ZONE).await;
    for value in [
        "(".repeat(10_000),
        "(".repeat(1_000_000),
        "\"".repeat(1_000_000),
        "\\".repeat(1_000_000),
        ",".repeat(1_000_000),
        "<".repeat(1_000_000),
        "a@".repeat(500_000),
        "a.".repeat(500_000),
        "a:;".repeat(300_000),
        format!("a@{}", "a.".repeat(500_000)),
        format!("a@{}", "\u{fc}.".repeat(300_000)),
        "=?utf-8?q?a?= ".repeat(70_000),
        "a@bank.example, ".repeat(60_000) + "joe@example.net",
        "(a) ".repeat(250_000) + "joe",
    ] {
        let judged = world.judge(&with_from(&value)).await;
        assert_eq!(judged.within(LIMIT).dmarc(), Permerror, "{}", &value[..20]);
    }
    let same = "joe@example.net, ".repeat(60_000) + "joe@example.net";
    assert_eq!(world.judge(&with_from(&same)).await.within(LIMIT).dmarc(), Pass);
}
