//! The commands of the README and of the pages in `docs/`, each as it stands there: one that is not in
//! the table below is a fault, and so is one in it that no page has any more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailseal::keys::state::Algorithm;
use support::daemon::MAILSEAL;
use support::named::{NameServers, Zone};
use support::operator::Operator;

const EXAMPLE: Zone<'static> = Zone {
    origin: "example.org",
    negative_ttl_secs: 1,
    records: "@ TXT \"v=spf1 mx -all\"\n@ MX 10 www\nwww A 127.0.0.1\n\
              _dmarc TXT \"v=DMARC1; p=none\"\n",
};

/// What the test is of a command.
enum Test {
    /// It is run here, behind these others; it exits with this code and says this.
    Here { behind: &'static [&'static str], code: i32, says: &'static str },
    /// This file has these words: it runs the command, or what the command is made of.
    There { file: &'static str, by: &'static str },
}

use Test::There;

const fn here(code: i32, says: &'static str) -> Test {
    Test::Here { behind: &[], code, says }
}

const fn behind(behind: &'static [&'static str], code: i32, says: &'static str) -> Test {
    Test::Here { behind, code, says }
}

const fn there(file: &'static str, by: &'static str) -> Test {
    There { file, by }
}

const ACTIVE: &str = "mailseal keys activate example.org --force";

const COMMANDS: &[(&str, Test)] = &[
    ("cargo run --release -- serve", there("tests/cli.rs", "\"serve\"")),
    ("tests/run", there("tests/run", "cargo")),
    (
        "mailseal check message.eml --client-ip 192.0.2.1 --helo mx.example.net --mail-from joe@example.net",
        here(0, "disposition accept"),
    ),
    ("mailseal doctor", there("tests/doctor.rs", "\"doctor\"")),
    ("mailseal keys generate example.org", here(0, "pending")),
    ("mailseal dns records example.org", here(0, "v=DKIM1; k=rsa; p=")),
    ("mailseal dns verify example.org", here(1, "s1._domainkey.example.org")),
    ("mailseal keys status", here(1, "example.org")),
    ("mailseal keys activate example.org", here(2, "the key s1 must wait")),
    ("mailseal keys import --opendkim /etc/opendkim.conf --dry-run", here(0, "2020")),
    ("mailseal keys import --rspamd /etc/rspamd/local.d/dkim_signing.conf", here(0, "2021")),
    ("mailseal keys import /etc/opendkim/keys", here(0, "2020")),
    ("mailseal keys import old.pem --domain example.org --selector s1", here(0, "1 key imported")),
    ("mailseal keys export example.org s1 DIRECTORY", here(0, "s1.private")),
    ("mailseal keys generate example.org --config /etc/mailseal/keys.toml", here(0, "pending")),
    ("mailseal keys status --config /etc/mailseal/keys.toml", here(1, "example.org")),
    ("mailseal keys rotate example.org", behind(&[ACTIVE], 0, "v=DKIM1")),
    ("mailseal keys rotate --continue", here(1, "example.org")),
    ("mailseal keys rotate example.org --rollback", here(2, "retiring")),
    // Of a key that signs it awaits a successor, whose servers it asks on port 53: tests/keys.rs.
    ("mailseal keys revoke example.org SELECTOR --now", here(0, "revoked")),
    (
        "mailseal dns records example.org --dmarc-policy quarantine --rua dmarc@example.org --spf \"v=spf1 mx -all\"",
        here(0, "rua=mailto:dmarc@example.org"),
    ),
    ("mailseal dns publish example.org", here(0, "s1._domainkey.example.org")),
    ("mailseal dns lint example.org --selector old", here(1, "old._domainkey.example.org")),
    ("mailseal config default > mailseal.toml", here(0, "")),
    ("mailseal config check mailseal.toml", here(0, "")),
    ("mailseal serve --config mailseal.toml", there("tests/support/daemon.rs", "\"--config\"")),
    ("mailseal rules test [DIR]", here(0, "1")),
    ("mailseal rules test [DIR] --counts MAIL", here(0, "1")),
    ("mailseal rules lint [DIR] [--ham MAIL]", here(1, "a")),
    ("mailseal rules test", here(0, "1")),
    ("mailseal rules test --counts Mail/", here(0, "1")),
    ("mailseal rules lint --ham Mail/good", here(1, "a")),
    (
        "mailseal rules import --postfix pcre:/etc/postfix/header_checks --out rules/postfix.toml",
        here(0, ""),
    ),
    ("mailseal check --scan message.eml --config mailseal.toml", here(2, "clamav.servers")),
    (
        "MAILSEAL_SOAK_MESSAGES=20000 cargo test --profile ci --test scan soak -- --nocapture",
        there("tests/scan/soak.rs", "MAILSEAL_SOAK_MESSAGES"),
    ),
    (
        "mailseal check --config mailseal.toml --replay ~/Maildir --against stricter.toml",
        here(0, "1"),
    ),
    ("mailseal doctor --config mailseal.toml", there("tests/import.rs", "\"doctor\" =>")),
    ("mailseal doctor --postfix /etc/postfix-out", there("tests/doctor.rs", "--postfix")),
    (
        "mailseal doctor --remote --postconf postconf-n.txt --master postconf-M.txt --config mailseal.toml",
        there("tests/doctor.rs", "--remote"),
    ),
    ("mailseal doctor --sendmail-cf sendmail.cf", there("tests/doctor.rs", "--sendmail-cf")),
    (
        "mailseal rules import --postfix pcre:/etc/postfix/header_checks --body regexp:/etc/postfix/body_checks --out rules/postfix.toml",
        here(0, ""),
    ),
    (
        "mailseal check --config /etc/mailseal/mailseal.toml message.eml",
        here(0, "disposition accept"),
    ),
    (
        "openssl rand -hex 32 > log.key && chmod 600 log.key",
        behind(&["openssl rand -hex 32 > log.key && chmod 600 log.key"], 0, ""),
    ),
    (
        "printf %s joe@example.org | openssl dgst -sha256 -hmac \"$(cat log.key)\"",
        // The first twelve digits are what src/telemetry/personal.rs makes of it.
        behind(&["echo 0123456789abcdef > log.key"], 0, "5af3e3d0b05b"),
    ),
    ("cargo test --profile ci --test faults", there("tests/run", "--test faults")),
    (
        "cargo test --profile ci --test faults -- --full",
        there("tests/faults/main.rs", "\"--full\""),
    ),
    ("cargo bench --bench peers", there("Cargo.toml", "name = \"peers\"")),
    ("cargo build --release && packaging/deb", there("tests/e2e/package.rs", "packaging/deb")),
    ("dpkg -i target/debian-package/mailseal_*.deb", there("tests/e2e/package.rs", "dpkg")),
    (
        "runuser -u mailseal -- mailseal keys generate example.org",
        there("tests/e2e/package.rs", "documented(MAKE_KEYS)"),
    ),
    (
        "systemctl enable --now mailseal.socket && systemctl restart mailseal",
        there("tests/service.rs", "an_inherited_socket_loses_nobody_in_a_restart"),
    ),
];

/// The programs whose lines are commands, and not configuration.
const PROGRAMS: [&str; 11] = [
    "mailseal",
    "cargo",
    "tests/run",
    "openssl",
    "printf",
    "dpkg",
    "apt-get",
    "runuser",
    "systemctl",
    "MAILSEAL_SOAK_MESSAGES=20000",
    "echo",
];

/// The commands of a page without their comments: indented lines, of which a backslash makes one of two.
fn commands(page: &str) -> Vec<String> {
    let page = page.replace("\\\n", "");
    let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.map(|line| line.split("  #").next().unwrap());
    let lines = lines.map(|line| line.split(" # ").next().unwrap().trim());
    lines
        .filter(|line| line.split(' ').next().is_some_and(|word| PROGRAMS.contains(&word)))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// All commands of the pages but those of `docs/migrating.md`, which `tests/import.rs` runs in their order.
fn documented() -> Vec<String> {
    let pages = pages().into_iter().filter(|page| !page.ends_with("migrating.md"));
    pages.flat_map(|page| commands(&fs::read_to_string(page).unwrap())).collect()
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("rules/README.md")];
    pages.extend(fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    pages
}

#[test]
fn links_from_page_to_page_lead_somewhere() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|after| after.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let there =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(there.exists(), "{} links {target}, which is not there", page.display());
            let is_there = place.is_empty() || anchors(&there).iter().any(|name| name == place);
            assert!(is_there, "{} links {target}: no such heading", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "only {count} links were found");
}

/// The headings of a page, as links name them.
fn anchors(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let titles = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let named = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    titles
        .map(|title| title.to_lowercase().replace(' ', "-").chars().filter(|c| named(*c)).collect())
        .collect()
}

#[test]
fn every_direct_dependency_has_its_line_and_no_other_has() {
    let manifest: toml::Table = toml::from_str(include_str!("../Cargo.toml")).unwrap();
    let tables =
        ["dependencies", "dev-dependencies"].map(|name| manifest[name].as_table().unwrap());
    let direct: BTreeSet<&str> =
        tables.iter().flat_map(|table| table.keys().map(String::as_str)).collect();
    let readme = include_str!("../README.md");
    let (_, section) = readme.split_once("\n## Licence and dependencies\n").unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let lines: Vec<(&str, &str)> = lines.collect();
    assert_eq!(lines.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), direct);
    assert!(lines.len() == direct.len() && lines.iter().all(|(_, why)| !why.is_empty()));
}

#[test]
fn each_command_of_the_pages_is_in_the_table_and_none_else() {
    let sentences: String = pages().iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    let documented = documented();
    for command in &documented {
        assert!(COMMANDS.iter().any(|(line, _)| line == command), "nothing runs: {command}");
    }
    for (line, test) in COMMANDS {
        // Some stand in a sentence.
        let is_there = documented.iter().any(|command| command == line)
            || sentences.contains(&format!("`{line}`"));
        assert!(is_there, "no page has: {line}");
        if let There { file, by } = test {
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            assert!(text.contains(by), "{file} has no {by}, which is to run: {line}");
        }
    }
}

#[test]
fn the_commands_do_what_the_pages_say() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let mut wrong = Vec::new();
    for (line, test) in COMMANDS {
        let Test::Here { behind, code, says } = test else { continue };
        let operator = place(&servers, !line.contains("import") && !line.contains("generate"));
        for first in *behind {
            run(&operator, servers.port, first);
        }
        let (ended, said) = run(&operator, servers.port, line);
        if ended != Some(*code) || !said.contains(says) {
            wrong.push(format!("{line}: {ended:?}, not {code} with {says:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The line for cron in docs/keys.md restarts the service where this prints something.
#[test]
fn going_on_prints_something_only_where_a_key_is_pending_or_something_was_done() {
    let line = "mailseal keys rotate --continue --config /etc/mailseal/keys.toml | grep . && \
                systemctl restart mailseal";
    assert!(include_str!("../docs/keys.md").contains(line));
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let operator = place(&servers, true);
    let go_on = || run(&operator, servers.port, "mailseal keys rotate --continue 2>/dev/null").1;
    assert!(go_on().contains("s1"));
    run(&operator, servers.port, ACTIVE);
    // There may be something to publish.
    go_on();
    assert_eq!(go_on(), "");
}

/// A directory with all that the commands name; `/etc` and `~` are in it.
fn place(servers: &NameServers, has_key: bool) -> Operator {
    let operator = Operator::of(servers, "");
    if has_key {
        operator.add("example.org", "s1", Algorithm::Rsa);
    }
    let write = |name: &str, text: &str| {
        let path = operator.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    };
    let pem = mailseal::dkim::signing_key::generate_ed25519().unwrap();
    let etc = operator.path("etc");
    let etc = etc.display();
    let message = "From: joe@example.net\nSubject: x\n\nHello\n";
    write("message.eml", message);
    write("old.pem", &pem);
    write("home/Maildir/cur/1", message);
    write("Mail/good/1", message);
    write("stricter.toml", &fs::read_to_string(operator.path("mailseal.toml")).unwrap());
    write(
        "etc/mailseal/mailseal.toml",
        &fs::read_to_string(operator.path("mailseal.toml")).unwrap(),
    );
    // Of the store itself, beside the service's configuration.
    let store = format!("[sign]\nkeys = \"{}\"\n", operator.path("keys").display());
    let config = fs::read_to_string(operator.path("mailseal.toml")).unwrap();
    write("etc/mailseal/keys.toml", &format!("{config}{store}"));
    write("etc/opendkim/keys/example.org/2020.private", &pem);
    let key = format!("{etc}/opendkim/keys/example.org/2020.private");
    write("etc/opendkim.conf", &format!("Domain example.org\nSelector 2020\nKeyFile {key}\n"));
    write(
        "etc/rspamd/local.d/dkim_signing.conf",
        &format!("domain {{ example.org {{ selector = \"2021\"; path = \"{key}\"; }} }}\n"),
    );
    write("etc/postfix/header_checks", "/^Subject: buy/ REJECT no\n");
    write("etc/postfix/body_checks", "/buy/ REJECT no\n");
    write("rules/a.toml", RULE);
    fs::create_dir(operator.path("DIRECTORY")).unwrap();
    operator
}

const RULE: &str = "[[rule]]\nname = \"a\"\nabout = \"an example\"\n[rule.when]\nheader = \"Subject\"\n\
    matches = 'x'\n[rule.examples]\nhit = [\"Subject: x\\n\\n\"]\nmiss = [\"Subject: y\\n\\n\"]\n";

/// Runs a line by the shell, with the test's configuration; the name servers are not on port 53.
fn run(operator: &Operator, port: u16, line: &str) -> (Option<i32>, String) {
    let dir = operator.path("");
    let mut line =
        line.replace("/etc/", &format!("{}etc/", dir.display())).replace("SELECTOR", "s1");
    for (word, name) in [("[DIR]", "rules"), ("[--ham MAIL]", "--ham Mail"), (" MAIL", " Mail")] {
        line = line.replace(word, name);
    }
    let has_config = ["--config", "mailseal config", "mailseal rules import", "openssl", "echo"];
    if !has_config.iter().any(|word| line.contains(word)) {
        line.push_str(" --config mailseal.toml");
    }
    if line.contains("dns verify") || line.contains("dns publish") {
        line = format!("{line} --authority-port {port}");
    }
    let asks = ["keys activate", "keys status", "keys rotate --continue"];
    if !line.contains("--force") && asks.iter().any(|verb| line.contains(verb)) {
        line.push_str(" --via-resolver");
    }
    let bin = Path::new(MAILSEAL).parent().unwrap().display();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(&dir).env("PATH", path).env("HOME", dir.join("home"));
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}
