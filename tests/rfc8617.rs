//! ARC (RFC 8617): the `arc_test_suite` whole, and chains made to hurt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;
#[allow(unreachable_pub, reason = "it is shared")]
#[path = "support/suites.rs"]
mod suites;
#[allow(dead_code, unreachable_pub, reason = "it is shared")]
#[path = "support/yaml.rs"]
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use mailseal::auth::arc::{ArcChain, Check, begin};
use mailseal::auth::{Authentication, results};
use mailseal::dkim::canonical::Canonicalization::Relaxed;
use mailseal::dkim::canonical::header::{SignatureField, append, hash_input};
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use mailseal::dkim::record::dns_text;
use mailseal::dkim::signing_key::{SigningKey, generate_ed25519, generate_rsa};
use mailseal::dkim::verify::KeyLookup;
use mailseal::message::header::Field;
use mailseal::result::AuthResult;
use mailseal::sign::seal::{SealError, SealRequest, Sealed};
use message::{Message, NOW, Zone, base64, crlf, sample};
use yaml::Yaml;

/// The chain of a message, with no domain trusted but these.
fn validate(message: &Message, zone: &Zone, trusted: &[&str]) -> ArcChain {
    let pending = match begin(&message.headers, NOW) {
        Check::Done(chain) => return chain,
        Check::Pending(pending) => pending,
    };
    let mut body = BodyHasher::new(pending.body_wants());
    message.body.chunks(1000).for_each(|chunk| body.update(chunk));
    let answer = |name: &String| zone.get(name).cloned().unwrap_or(KeyLookup::NotFound);
    let lookups: Vec<_> = pending.query_names().iter().map(answer).collect();
    let trusted: Vec<String> = trusted.iter().map(|domain| (*domain).to_owned()).collect();
    pending.check_keys(&message.headers, &lookups, 1024, &trusted).finish(&body.finish())
}

fn scenarios(file: &str) -> Option<Vec<Yaml>> {
    let path = suites::suite("arc-valimail")?.join(file);
    Some(yaml::documents(&fs::read_to_string(path).unwrap()))
}

fn zone_of(scenario: &Yaml) -> Zone {
    let records = scenario.get("txt-records").unwrap().entries().iter();
    // The suite's records are folded for reading; a TXT record's strings are joined as they are.
    let joined = |record: &Yaml| record.text().split('\n').collect::<String>().into_bytes();
    records.map(|(n, record)| (n.clone(), KeyLookup::Found(vec![joined(record)]))).collect()
}

fn text<'a>(case: &'a Yaml, key: &str) -> &'a str {
    case.get(key).map_or("", |value| value.text())
}

/// What the suite expects of a case, and where RFC 8617, which it predates, says otherwise.
fn expected(name: &str, cv: &str) -> &'static str {
    match (name, cv) {
        // ams_fields_h_empty: §4.1.2: the field has "the same syntax and semantics as the
        // DKIM-Signature field" but for v= and i=, and of that RFC 6376 §6.1.1 says: "If the "h=" tag
        // does not include the From header field, the Verifier MUST ignore the DKIM-Signature header
        // field". A chain that let another From be put on the message would say nothing of its author.
        // ams_fields_c_na: made relaxed/relaxed without saying so. RFC 6376 §3.5 has c= "OPTIONAL,
        // default is "simple/simple"", and it is not among the differences of §4.1.2.
        ("ams_fields_h_empty" | "ams_fields_c_na", "Pass")
        // The suite leaves open what its last seal's cv=fail means. §5.2 steps 2 and 3C do not.
        | ("cv_fail_i1_as_cv_fail" | "cv_fail_i2_as2_fail" | "cv_fail_i2_as1_fail", "")
        | (_, "Fail") => "fail",
        (_, "Pass") => "pass",
        (_, "None") => "none",
        _ => panic!("{name}: {cv:?}"),
    }
}

#[test]
fn valimail_validation() {
    let Some(scenarios) = scenarios("arc-draft-validation-tests.yml") else { return };
    let mut count = 0;
    let mut faults = Vec::new();
    for scenario in scenarios {
        let zone = zone_of(&scenario);
        for (name, case) in scenario.get("tests").unwrap().entries() {
            count += 1;
            let message = Message::parse(&crlf(text(case, "message")));
            let chain = validate(&message, &zone, &[]);
            if chain.result.as_str() != expected(name, text(case, "cv")) {
                faults.push(format!("{name}: {} {:?}", chain.result, chain.reason));
            }
        }
    }
    suites::report("ValiMail, ARC validation", count - faults.len(), count);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(count, 175);
}

/// mail-auth's two chains, with the keys before them.
#[test]
fn mail_auth_resources() {
    let Some(dir) = suites::suite("mail-auth-resources") else { return };
    for (number, sealers) in
        [("001", vec!["google.com"]), ("002", vec!["manchego.org", "scamorza.org"])]
    {
        let file = fs::read_to_string(dir.join(format!("arc/{number}.txt"))).unwrap();
        let file = file.replace("\r\n", "\n");
        let (records, message) = file.split_once("\n\n").unwrap();
        let record = |line: &str| {
            let (name, txt) = line.split_once(' ').unwrap();
            (name.to_owned(), KeyLookup::Found(vec![txt.as_bytes().to_vec()]))
        };
        let zone = records.lines().map(record).collect();
        assert_sealed_by(&Message::parse(&crlf(message)), &zone, &sealers);
    }
    suites::report("mail-auth, ARC", 2, 2);
}

fn assert_sealed_by(message: &Message, zone: &Zone, domains: &[&str]) {
    let chain = validate(message, zone, &[]);
    assert_eq!((chain.result, chain.reason.as_deref()), (AuthResult::Pass, None));
    let sealers: Vec<_> = chain.sealers.iter().map(|sealer| sealer.domain.as_str()).collect();
    assert_eq!(sealers, domains);
}

/// Mail as it was received, with the keys that were published then: two chains, and a signature.
#[test]
fn real_mail_by_real_keys() {
    let Some(keys) = suites::suite("real-keys") else { return };
    let keys: serde_json::Value =
        serde_json::from_slice(&fs::read(keys.join("keys.json")).unwrap()).unwrap();
    let record = |(name, key): (&String, &serde_json::Value)| {
        (name.clone(), KeyLookup::Found(vec![key["txt"].as_str().unwrap().as_bytes().to_vec()]))
    };
    let zone: Zone = keys.as_object().unwrap().iter().map(record).collect();
    let read = |suite, path| {
        let octets = fs::read(suites::suite(suite)?.join(path)).unwrap();
        Some(Message::parse(&crlf(&String::from_utf8(octets).unwrap())))
    };
    for (suite, path) in
        [("mail-auth-resources", "dmarc-feedback/103.eml"), ("dmarc-mox", "real-mail/outlook.eml")]
    {
        let Some(message) = read(suite, path) else { return };
        assert_sealed_by(&message, &zone, &["microsoft.com"]);
        let mut changed = message.clone();
        changed.body.extend(b"PS: pay at once\r\n");
        assert_eq!(validate(&changed, &zone, &[]).result, AuthResult::Fail);
    }
    let Some(yahoo) = read("dmarc-mox", "real-mail/yahoo.eml") else { return };
    assert_eq!(message::words(&yahoo.verify(&zone, NOW)), ["pass"]);
    suites::report("real mail by real keys", 3, 3);
}

/// A field's tags, without white space.
fn tags(value: &str) -> BTreeMap<String, String> {
    let pairs = value.split(';').map(str::trim).filter(|tag| !tag.is_empty());
    let pair = |tag: &str| {
        let (name, value) = tag.split_once('=').unwrap();
        (name.trim().to_owned(), value.split_whitespace().collect())
    };
    pairs.map(pair).collect()
}

fn words(value: &str) -> Vec<&str> {
    value.split_whitespace().collect()
}

/// The suite's key has 1024 bits, which is too weak for us to sign with: b= can't be the same, and
/// is verified instead, with a key of ours beside the suite's under the suite's name.
#[test]
fn valimail_sealing() {
    let Some(scenarios) = scenarios("arc-draft-sign-tests.yml") else { return };
    let (key, record) = rsa_key();
    let mut count = 0;
    for scenario in scenarios {
        let mut zone = zone_of(&scenario);
        for lookup in zone.values_mut() {
            let KeyLookup::Found(records) = lookup else { panic!() };
            records.push(record.clone().into_bytes());
        }
        for (name, case) in scenario.get("tests").unwrap().entries() {
            count += 1;
            let message = Message::parse(&crlf(text(case, "message")));
            let chain = validate(&message, &zone, &[]);
            let fields: Vec<String> =
                text(case, "sig-headers").split(':').map(str::to_owned).collect();
            let request = SealRequest {
                key: &key,
                domain: text(&scenario, "domain"),
                selector: text(&scenario, "sel"),
                fields: &fields,
                oversigned: &[],
                body_hash: &message.body_hash(Relaxed),
                now: text(case, "t").parse().unwrap(),
                chain: chain.result,
            };
            let id = text(case, "srv-id").to_owned();
            let repeated = results::repeated(&message.headers, std::slice::from_ref(&id));
            let sealed = request.seal(&message.headers, |instance| {
                results::render_arc(instance, &id, &Authentication::default(), &repeated)
            });
            let Ok(sealed) = sealed else {
                assert_eq!((sealed, text(case, "AS")), (Err(SealError::HasFailed), ""), "{name}");
                continue;
            };
            assert_eq!(words(&sealed.results), words(text(case, "AAR")), "{name}");
            for (ours, theirs) in
                [(&sealed.signature, text(case, "AMS")), (&sealed.seal, text(case, "AS"))]
            {
                let (mut ours, mut theirs) = (tags(ours), tags(theirs));
                assert!(ours.remove("b") != theirs.remove("b"), "{name}");
                assert_eq!(ours, theirs, "{name}");
            }
            assert_verifies(name, &message, &sealed, (&zone, &key), &chain);
        }
    }
    assert_eq!(count, 17);
    suites::report("ValiMail, ARC sealing", count, count);
}

/// What was sealed holds as a chain; where the chain before was broken, the seal is over its own set
/// alone (§5.1.2), and RSA's signature of that is the only one.
fn assert_verifies(
    name: &str,
    message: &Message,
    sealed: &Sealed,
    (zone, key): (&Zone, &SigningKey),
    before: &ArcChain,
) {
    let after = validate(&with_set(message, sealed), zone, &[]);
    if before.result != AuthResult::Fail {
        assert_eq!((after.result, after.reason), (AuthResult::Pass, None), "{name}");
        assert_eq!(after.instance, before.instance + 1, "{name}");
        return;
    }
    let says_fail = format!("ARC-Seal {} says cv=fail", after.instance);
    assert_eq!(after.reason, Some(says_fail), "{name}");
    let unsigned = &sealed.seal[..sealed.seal.find("b=").unwrap() + 2];
    let mut input = Vec::new();
    append(&mut input, b"ARC-Authentication-Results", sealed.results.as_bytes(), Relaxed);
    append(&mut input, b"ARC-Message-Signature", sealed.signature.as_bytes(), Relaxed);
    append(&mut input, b"ARC-Seal", unsigned.as_bytes(), Relaxed);
    input.truncate(input.len() - 2);
    assert_eq!(tags(&sealed.seal)["b"], base64(&key.sign(&input).unwrap()), "{name}");
}

fn rsa_key() -> (SigningKey, String) {
    let key = SigningKey::from_pem(&generate_rsa(2048).unwrap()).unwrap();
    let record = dns_text(key.key_type(), &key.public_key(), false, false);
    (key, record)
}

fn with_set(message: &Message, sealed: &Sealed) -> Message {
    let fields = [
        ("ARC-Authentication-Results", &sealed.results),
        ("ARC-Message-Signature", &sealed.signature),
        ("ARC-Seal", &sealed.seal),
    ];
    fields.into_iter().fold(message.clone(), |message, (name, value)| {
        message.with_field(name, format!(" {value}").as_bytes())
    })
}

/// A sealer of one domain.
struct Sealer {
    domain: &'static str,
    key: SigningKey,
    record: String,
}

impl Sealer {
    fn new(domain: &'static str) -> Self {
        // Ed25519 is quick to make, and RFC 8463 gives it to all that RFC 6376 signs.
        let key = SigningKey::from_pem(&generate_ed25519().unwrap()).unwrap();
        let record = dns_text(key.key_type(), &key.public_key(), false, false);
        Self { domain, key, record }
    }

    /// The message with one more set, whose results are `results` and whose seal says `chain`.
    fn seal(&self, message: &Message, results: &str, chain: AuthResult) -> Message {
        let fields = ["From", "Subject"].map(str::to_owned);
        let request = SealRequest {
            key: &self.key,
            domain: self.domain,
            selector: "s",
            fields: &fields,
            oversigned: &fields,
            body_hash: &message.body_hash(Relaxed),
            now: NOW,
            chain,
        };
        let sealed =
            request.seal(&message.headers, |i| format!("i={i}; {}; {results}", self.domain));
        with_set(message, &sealed.unwrap())
    }

    fn name(&self) -> String {
        format!("s._domainkey.{}", self.domain)
    }

    fn key(&self) -> (String, KeyLookup) {
        (self.name(), KeyLookup::Found(vec![self.record.clone().into_bytes()]))
    }
}

/// The message sealed by each in turn, each with its results.
fn chain_of(sealers: &[(&Sealer, &str)]) -> (Message, Zone) {
    let mut message = sample();
    for (index, (sealer, results)) in sealers.iter().enumerate() {
        let chain = if index == 0 { AuthResult::None } else { AuthResult::Pass };
        message = sealer.seal(&message, results, chain);
    }
    (message, sealers.iter().map(|(sealer, _)| sealer.key()).collect())
}

const PASSED: &str = "dmarc=pass header.from=example.org";

/// The endorsement that a receiver takes who trusts these.
fn endorsement(sealers: &[(&Sealer, &str)], trusted: &[&str]) -> Option<(u8, String)> {
    let (message, zone) = chain_of(sealers);
    let chain = validate(&message, &zone, trusted);
    assert_eq!((chain.result, chain.reason.as_deref()), (AuthResult::Pass, None));
    let endorsement = chain.endorsement("example.org");
    endorsement.map(|endorsement| (endorsement.instance, endorsement.sealer.clone()))
}

/// All sealers from the one that saw DMARC pass must be trusted.
#[test]
fn a_trusted_sealers_word() {
    let [a, b] = [Sealer::new("a.example"), Sealer::new("b.example")];
    let failed = "arc=pass; dmarc=fail header.from=example.org";
    let word = |instance, sealer: &str| Some((instance, sealer.to_owned()));
    let alone = [(&a, PASSED)];
    assert_eq!(endorsement(&alone, &["a.example"]), word(1, "a.example"));
    assert_eq!(endorsement(&alone, &[]), None);
    assert_eq!(endorsement(&alone, &["example", "b.example", "x.a.example"]), None);
    assert_eq!(endorsement(&[(&a, "dmarc=pass header.from=example.net")], &["a.example"]), None);
    let both = [(&a, PASSED), (&b, failed)];
    assert_eq!(endorsement(&both, &["a.example", "b.example"]), word(1, "a.example"));
    assert_eq!(endorsement(&both, &["a.example"]), None);
    assert_eq!(endorsement(&both, &["b.example"]), None);
    let last = [(&a, failed), (&b, PASSED)];
    assert_eq!(endorsement(&last, &["b.example"]), word(2, "b.example"));
}

/// What is appended to a body that was signed in part is nobody's word.
#[test]
fn a_signature_of_a_part_endorses_nothing() {
    let sealer = Sealer::new("a.example");
    let (message, zone) = chain_of(&[(&sealer, PASSED)]);
    let chain = validate(&message, &zone, &["a.example"]);
    assert!(chain.covers_body && chain.endorsement("example.org").is_some());
    let part = ArcChain { covers_body: false, ..chain.clone() };
    assert_eq!(part.endorsement("example.org"), None);
    let failed = ArcChain { result: AuthResult::Fail, ..chain };
    assert_eq!(failed.endorsement("example.org"), None);
}

/// The message with a set whose ARC-Message-Signature covers only the body's first octets, which our
/// own sealer never makes.
fn sealed_in_part(sealer: &Sealer, message: &Message, length: u64) -> Message {
    let want = BodyWant { canonicalization: Relaxed, length: Some(length) };
    let mut hasher = BodyHasher::new([want]);
    hasher.update(&message.body);
    let bh = base64(&hasher.finish().get(&want).unwrap().sha256);
    let tags = format!("i=1; a=ed25519-sha256; d={}; s=s;", sealer.domain);
    let signed = |input: &[u8]| base64(&sealer.key.sign(input).unwrap());
    let fields = ["from", "subject"].map(str::to_owned);
    let mut value = format!(" {tags} c=relaxed/relaxed; h=from:subject; l={length}; bh={bh}; b=");
    let field = Field { name: b"ARC-Message-Signature", value: value.as_bytes() };
    let own = SignatureField { field, signature_range: value.len()..value.len(), index: None };
    let b = signed(&hash_input(&message.headers, &fields, &own, Relaxed));
    value += &b;
    let results = format!(" i=1; {}; {PASSED}", sealer.domain);
    let seal = format!(" {tags} cv=none; b=");
    let mut input = Vec::new();
    for (name, value) in [
        ("ARC-Authentication-Results", &results),
        ("ARC-Message-Signature", &value),
        ("ARC-Seal", &seal),
    ] {
        append(&mut input, name.as_bytes(), value.as_bytes(), Relaxed);
    }
    input.truncate(input.len() - 2);
    let seal = format!("{seal}{}", signed(&input));
    let message = message.with_field("ARC-Authentication-Results", results.as_bytes());
    let message = message.with_field("ARC-Message-Signature", value.as_bytes());
    message.with_field("ARC-Seal", seal.as_bytes())
}

/// The same on a real seal with `l=`: it passes, and neither its sealer's word nor its name counts.
#[test]
fn a_seal_over_a_part_of_the_body() {
    let sealer = Sealer::new("a.example");
    let zone = Zone::from([sealer.key()]);
    for (length, appended, covers) in
        [(5, "", false), (0, "", false), (8, "", true), (8, "Pay at once\r\n", false)]
    {
        let mut message = sealed_in_part(&sealer, &sample(), length);
        message.body.extend(appended.as_bytes());
        let chain = validate(&message, &zone, &["a.example"]);
        assert_eq!((chain.result, chain.reason.as_deref()), (AuthResult::Pass, None), "l={length}");
        assert_eq!(chain.covers_body, covers, "l={length} {appended:?}");
        assert_eq!(chain.endorsement("example.org").is_some(), covers, "l={length} {appended:?}");
        assert_eq!(chain.newest_sealer().is_some(), covers, "l={length} {appended:?}");
    }
    let message = sealed_in_part(&sealer, &sample(), 9);
    let chain = validate(&message, &zone, &["a.example"]);
    assert_eq!(chain.reason.unwrap(), "ARC-Message-Signature 1: body is shorter than l=");
}

/// A chain says nothing of a message whose author, subject or body is another.
#[test]
fn what_is_sealed_is_not_changed() {
    let sealer = Sealer::new("a.example");
    let (message, zone) = chain_of(&[(&sealer, PASSED)]);
    let said = |message: &Message| validate(message, &zone, &["a.example"]).reason.unwrap();
    for added in ["From", "Subject"] {
        let changed = message.with_field(added, b" ceo@example.org");
        assert_eq!(said(&changed), "ARC-Message-Signature 1: signature did not verify");
    }
    let mut changed = message.clone();
    changed.body.extend(b"PS: pay at once\r\n");
    assert_eq!(said(&changed), "ARC-Message-Signature 1: body hash did not verify");
}

/// §5.2 step 5: how far back the message is unchanged.
#[test]
fn oldest_pass() {
    let sealers = ["a.example", "b.example", "c.example"].map(Sealer::new);
    let [a, b, c] = &sealers;
    let (message, zone) = chain_of(&[(a, PASSED), (b, PASSED), (c, PASSED)]);
    assert_eq!(validate(&message, &zone, &[]).oldest_pass, Some(0));
    // The second sealer changes the subject before it seals.
    let (message, _) = chain_of(&[(a, PASSED)]);
    let mut changed = Message { body: message.body.clone(), ..Message::default() };
    for field in message.headers.iter() {
        let value = if field.is("Subject") { b" [list] hello" } else { field.value };
        changed.headers.push(field.name, value);
    }
    let changed = b.seal(&changed, PASSED, AuthResult::Pass);
    let changed = c.seal(&changed, PASSED, AuthResult::Pass);
    let chain = validate(&changed, &zone, &[]);
    assert_eq!((chain.result, chain.oldest_pass), (AuthResult::Pass, Some(2)));
    let longer = (0..20).fold(message, |message, _| a.seal(&message, PASSED, AuthResult::Pass));
    let chain = validate(&longer, &zone, &[]);
    assert_eq!((chain.result, chain.oldest_pass), (AuthResult::Pass, None), "not looked at");
}

/// Every fault of a chain, each with its own reason; a look-up without an answer is one (§5.2.1).
#[test]
fn every_fault_is_a_fail() {
    let [a, b] = [Sealer::new("a.example"), Sealer::new("b.example")];
    let (message, zone) = chain_of(&[(&a, PASSED), (&b, PASSED)]);
    let said = |zone: &Zone| {
        let chain = validate(&message, zone, &["a.example", "b.example"]);
        assert_eq!((chain.result, chain.endorsements), (AuthResult::Fail, Vec::new()));
        chain.reason.unwrap()
    };
    let with = |name: String, lookup: KeyLookup| {
        let mut zone = zone.clone();
        zone.insert(name, lookup);
        zone
    };
    let timeout = || KeyLookup::Temporary("time-out".into());
    for (zone, reason) in [
        (with(a.name(), KeyLookup::NotFound), "ARC-Seal 1: no key for signature"),
        (with(a.name(), timeout()), "ARC-Seal 1: key unavailable, time-out"),
        (with(a.name(), b.key().1), "ARC-Seal 1: signature did not verify"),
        (with(b.name(), timeout()), "ARC-Message-Signature 2: key unavailable, time-out"),
    ] {
        assert_eq!(said(&zone), reason);
    }
}

/// §6, §10.2: the chain in a results field.
#[test]
fn what_a_results_field_says() {
    let sealer = Sealer::new("a.example");
    let (message, zone) = chain_of(&[(&sealer, PASSED)]);
    let render = |chain: ArcChain| {
        let chain = ArcChain { remote_ip: "2001:db8::1".parse().ok(), ..chain };
        let auth = Authentication { arc: Some(chain), ..Authentication::default() };
        words(&results::render("mx", &auth)).join(" ")
    };
    assert_eq!(
        render(validate(&message, &zone, &[])),
        "mx; dkim=none; arc=pass smtp.remote-ip=\"2001:db8::1\" header.oldest-pass=0"
    );
    assert_eq!(
        render(validate(&message, &Zone::new(), &[])),
        "mx; dkim=none; arc=fail reason=\"ARC-Message-Signature 1: no key for signature\" \
         smtp.remote-ip=\"2001:db8::1\""
    );
    assert_eq!(
        render(validate(&sample(), &zone, &[])),
        "mx; dkim=none; arc=none smtp.remote-ip=\"2001:db8::1\""
    );
}

const COST_MAX: Duration = Duration::from_secs(5);

fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < COST_MAX, "took {:?}", start.elapsed());
    result
}

/// Why the chain of these fields fails, at a bounded cost and without one look-up.
fn refused(fields: &[(&str, &str)]) -> String {
    let mut message = sample();
    for (name, value) in fields {
        message.headers.push(name.as_bytes(), value.as_bytes());
    }
    match bounded(|| begin(&message.headers, NOW)) {
        Check::Done(chain) => {
            assert_eq!(chain.result, AuthResult::Fail);
            chain.reason.unwrap()
        }
        Check::Pending(_) => panic!("{fields:.2?} is looked up"),
    }
}

const BH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// A set that verifies nowhere.
fn set(instance: usize, status: &str) -> [(&'static str, String); 3] {
    let common = format!(" i={instance}; a=rsa-sha256; d=d{instance}.example; s=s; b=AAAA");
    [
        ("ARC-Seal", format!("{common}; cv={status}")),
        ("ARC-Message-Signature", format!("{common}; h=from; bh={BH}")),
        ("ARC-Authentication-Results", format!(" i={instance}; mx.example; none")),
    ]
}

fn refused_sets(sets: &[[(&'static str, String); 3]]) -> String {
    let fields: Vec<_> = sets.iter().flatten().map(|(name, value)| (*name, &**value)).collect();
    refused(&fields)
}

#[test]
fn first_set_with_cv_pass() {
    assert_eq!(refused_sets(&[set(1, "pass")]), "ARC-Seal 1 says cv=pass");
    assert_eq!(refused_sets(&[set(1, "none"), set(2, "none")]), "ARC-Seal 2 says cv=none");
    assert_eq!(refused_sets(&[set(1, "fail"), set(2, "pass")]), "ARC-Seal 1 says cv=fail");
}

#[test]
fn sixty_sets() {
    let sets = |count| {
        let sets = (1..=count).map(|i| set(i, if i == 1 { "none" } else { "pass" }));
        sets.collect::<Vec<_>>()
    };
    assert_eq!(refused_sets(&sets(60)), "more than 50 ARC sets");
    assert_eq!(refused_sets(&sets(51)), "more than 50 ARC sets");
    let mut gap = sets(50);
    gap.remove(20);
    assert_eq!(refused_sets(&gap), "ARC set 21 has no ARC-Authentication-Results");
    // Fifty are looked up, each key once.
    let mut message = sample();
    for (name, value) in sets(50).into_iter().flatten() {
        message.headers.push(name.as_bytes(), value.as_bytes());
    }
    let Check::Pending(pending) = bounded(|| begin(&message.headers, NOW)) else { panic!() };
    assert_eq!(pending.query_names().len(), 50);
    assert!(pending.body_wants().count() <= 10);
}

#[test]
fn repeated_and_missing_fields() {
    for (left_out, name) in
        [(0, "ARC-Seal"), (1, "ARC-Message-Signature"), (2, "ARC-Authentication-Results")]
    {
        let all = set(1, "none");
        let mut fields: Vec<_> = all.iter().map(|(name, value)| (*name, &**value)).collect();
        let removed = fields.remove(left_out);
        assert_eq!(refused(&fields), format!("ARC set 1 has no {name}"));
        fields.extend([removed, removed]);
        assert_eq!(refused(&fields), format!("ARC set 1 has more than one {name}"));
    }
    for instance in ["", "0", "51", "-1", "1.0", "1 1", "99999999999999999999", "x"] {
        let value = format!(" i={instance}; a=rsa-sha256; d=d.example; s=s; b=AAAA; cv=none");
        assert_eq!(refused(&[("arc-seal", &value)]), "ARC-Seal without a valid instance");
    }
}

/// 10,000 fields, tags and nesting of a megabyte: nothing of it is read.
#[test]
fn many_and_long_fields() {
    for name in ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"] {
        assert_eq!(refused(&vec![(name, " i=1;"); 10_000]), "more than 50 ARC sets");
        for long in ["a=b;", "(", "((", "i=1;", "\"", "\r\n\t", "i=", "\\"] {
            let value = format!(" i=1;{}", long.repeat(1_000_000 / long.len()));
            assert_eq!(refused(&[(name, &value)]), "ARC fields of more than 262144 octets");
            let value = format!(" i=1;{}", long.repeat(100_000 / long.len()));
            refused(&[(name, &value)]);
        }
    }
}

/// As much work as a chain can make: fifty sets of our own making over a header block at its limit.
#[test]
fn fifty_sets_over_a_long_header_block() {
    let sealer = Sealer::new("a.example");
    let mut message = Message::parse(
        format!("From: a@example.org\r\nSubject:{}x\r\n\r\n", " \r\n\t".repeat(250_000)).as_bytes(),
    );
    let results = format!("x={}", "y".repeat(4_000));
    message = sealer.seal(&message, &results, AuthResult::None);
    for _ in 1..50 {
        message = sealer.seal(&message, &results, AuthResult::Pass);
    }
    let zone = Zone::from([sealer.key()]);
    let chain = bounded(|| validate(&message, &zone, &["a.example"]));
    assert_eq!((chain.result, chain.instance), (AuthResult::Pass, 50));
}

/// A chain that is full or has failed is not extended (§4.2.1, §5.1 step 2).
#[test]
fn what_cannot_be_extended() {
    let sealer = Sealer::new("a.example");
    let seal = |message: &Message, chain| {
        let request = SealRequest {
            key: &sealer.key,
            domain: "a.example",
            selector: "s",
            fields: &["From".to_owned()],
            oversigned: &[],
            body_hash: &[0; 32],
            now: NOW,
            chain,
        };
        request.seal(&message.headers, |i| format!("i={i}; mx; none")).unwrap_err()
    };
    let (mut message, _) = chain_of(&[(&sealer, PASSED)]);
    assert_eq!(seal(&message, AuthResult::None), SealError::NoChain);
    assert_eq!(seal(&sample(), AuthResult::Pass), SealError::NoChain);
    let failed = sealer.seal(&message, PASSED, AuthResult::Fail);
    assert_eq!(seal(&failed, AuthResult::Fail), SealError::HasFailed);
    for _ in 1..50 {
        message = sealer.seal(&message, PASSED, AuthResult::Pass);
    }
    assert_eq!(seal(&message, AuthResult::Pass), SealError::Full);
}
