//! What an entry of a table does (`header_checks(5)`, "ACTIONS"), and how a rule says it.

use super::quote::quoted;
use crate::rules::captures::Template;
use crate::rules::fields;

/// The part of a rule that says what is done, and what becomes different by it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Deed {
    /// The `action` and `reply` lines.
    pub(super) text: String,
    /// What the rule does not do as Postfix does.
    pub(super) differs: Option<String>,
    /// Nothing of the entry is left but that it takes its lines.
    pub(super) is_lost: bool,
    /// The highest group that is named.
    pub(super) groups: usize,
}

/// What is taken of a reply.
const REPLY_CHARS_MAX: usize = 200;

/// An entry's result while it is understood.
struct Reading<'a> {
    /// What follows the action's name, its groups as rules have them.
    text: &'a str,
    /// Whether lines of the header are among those that it is for.
    has_header: bool,
    /// Whether others are.
    has_others: bool,
    /// The field that the pattern itself names.
    field: Option<&'a str>,
}

/// Reads a result. `Err` says why Postfix skips the entry.
pub(super) fn read(
    result: &[u8],
    has_header: bool,
    has_others: bool,
    field: Option<&str>,
) -> Result<Deed, String> {
    let (result, groups) = template(&String::from_utf8_lossy(result))?;
    let (name, text) = result.split_once([' ', '\t']).unwrap_or((&result, ""));
    let reading = Reading { text: text.trim(), has_header, has_others, field };
    let mut deed = reading.deed(&name.to_ascii_uppercase());
    deed.groups = groups;
    Ok(deed)
}

impl Reading<'_> {
    fn deed(&self, name: &str) -> Deed {
        match name {
            "REJECT" => self.reject(),
            "DISCARD" => action("discard"),
            "HOLD" => action("quarantine"),
            "DUNNO" | "OK" | "WARN" | "INFO" => action("none"),
            "PASS" => action("accept"),
            "BCC" => self.address("bcc"),
            "REDIRECT" => self.address("redirect"),
            "IGNORE" | "STRIP" => self.edit("{ remove_header = { found = true } }"),
            "PREPEND" => self.prepend(),
            "REPLACE" => self.replace(),
            "FILTER" => lost(
                "FILTER: a filter cannot choose the content_filter; use Postfix's milter_header_checks on the tag of a rule",
            ),
            "" => lost("it has no action"),
            _ => lost(&format!("{name} is no action, and does nothing in Postfix either")),
        }
    }

    fn reject(&self) -> Deed {
        let (code, text) = status_code(self.text);
        let mut deed = match code {
            Some(code) if code.starts_with('4') => action("tempfail"),
            _ => action("reject"),
        };
        if let Some(code) = code.filter(|code| !code.ends_with(".7.1")) {
            deed.differs = Some(format!("the status code {code} becomes that of rules"));
        }
        let (reply, is_cut) = reply(text);
        if is_cut {
            deed.differs = Some(format!("the reply is cut to {REPLY_CHARS_MAX} characters"));
        }
        if !reply.is_empty() {
            deed.text.extend(["reply = ", &quoted(&reply), "\n"]);
        }
        deed
    }

    fn address(&self, word: &str) -> Deed {
        match fields::address(self.text) {
            Ok(address) if !address.contains('$') => {
                deed(&format!("{{ {word} = {} }}", quoted(&address)))
            }
            _ => lost(&format!("{}: wants one plain address", word.to_ascii_uppercase())),
        }
    }

    /// An edit of the field that the line is.
    fn edit(&self, text: &str) -> Deed {
        if !self.has_header {
            return lost("a filter cannot change single lines of the body");
        }
        let mut deed = deed(text);
        if self.has_others {
            deed.differs = Some("lines of parts and attached messages are not edited".to_owned());
        }
        deed
    }

    fn prepend(&self) -> Deed {
        match field(self.text) {
            Ok((name, value)) if self.has_header || self.has_others => {
                let text = format!("{{ prepend = {{ name = {name}, value = {value} }} }}");
                if !self.has_header {
                    return lost("a filter cannot change single lines of the body");
                }
                let mut deed = deed(&text);
                deed.differs = Some("the field comes to the top of the header".to_owned());
                deed
            }
            Ok(_) => lost("a filter cannot change single lines of the body"),
            Err(reason) => lost(&reason),
        }
    }

    fn replace(&self) -> Deed {
        let (name, value) = match field(self.text) {
            Ok(field) => field,
            Err(reason) => return lost(&reason),
        };
        let is_same = self.field.is_some_and(|field| quoted(field).eq_ignore_ascii_case(&name));
        if is_same {
            return self
                .edit(&format!("{{ replace_header = {{ found = true, value = {value} }} }}"));
        }
        let mut deed = self.edit(&format!(
            "[{{ remove_header = {{ found = true }} }}, {{ prepend = {{ name = {name}, value = {value} }} }}]"
        ));
        if !deed.is_lost {
            deed.differs = Some("the new field comes to the top of the header".to_owned());
        }
        deed
    }
}

fn deed(action: &str) -> Deed {
    Deed { text: format!("action = {action}\n"), ..Deed::default() }
}

fn action(word: &str) -> Deed {
    deed(&format!("\"{word}\""))
}

/// An entry that takes its lines from later entries, and does nothing with them.
fn lost(reason: &str) -> Deed {
    Deed { differs: Some(reason.to_owned()), is_lost: true, ..action("none") }
}

/// A field's name and value, both quoted.
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("the text is no header field")?;
    if name.contains('$') {
        return Err("the name of a field cannot be a group's".to_owned());
    }
    let name = fields::written_name(name).map_err(|complaint| complaint.message)?;
    let value =
        fields::value(value).map_err(|complaint| format!("the value {}", complaint.message))?;
    Ok((quoted(&name), quoted(value.trim())))
}

/// A reply as a rule may have it, and whether something is left out.
fn reply(text: &str) -> (String, bool) {
    let plain: String =
        text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    let mut reply: String = plain.chars().take(REPLY_CHARS_MAX).collect();
    let is_cut = reply.len() < plain.len();
    // No group is cut in two, and none leaves its dollar.
    while is_cut && (reply.ends_with('$') || Template::parse(&reply).is_err()) {
        reply.pop();
    }
    (reply.trim().to_owned(), is_cut)
}

/// The enhanced status code (RFC 3463) at the start of a reply, and what follows it.
fn status_code(text: &str) -> (Option<&str>, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts: Vec<&str> = first.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
    };
    let is_code = parts.len() == 3
        && matches!(parts.first(), Some(&("4" | "5")))
        && parts.iter().all(is_number);
    if is_code { (Some(first), rest.trim()) } else { (None, text) }
}

/// Text with `$1`, `$(1)` and `${1}` as rules have them, and the highest group in it.
fn template(text: &str) -> Result<(String, usize), String> {
    let (mut out, mut highest, mut rest) = (String::new(), 0, text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
            continue;
        }
        let closing = match after.chars().next() {
            Some('{') => Some('}'),
            Some('(') => Some(')'),
            _ => None,
        };
        let (name, following) = if let Some(end) = closing {
            after[1..].split_once(end).ok_or("a $ with an open bracket")?
        } else {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let len = after.find(|c| !is_word(c)).unwrap_or(after.len());
            after.split_at(len)
        };
        let number: usize = name
            .parse()
            .ok()
            .filter(|number| (1..1000).contains(number))
            .ok_or_else(|| format!("${name} is no group", name = name.escape_default()))?;
        highest = highest.max(number);
        out.extend(["${", &number.to_string(), "}"]);
        rest = following;
    }
    out.push_str(rest);
    Ok((out, highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: &str) -> String {
        let deed = read(result.as_bytes(), true, false, Some("Subject")).unwrap();
        assert!(!deed.is_lost, "{result}: {deed:?}");
        deed.text
    }

    fn lost(result: &str, has_header: bool) -> String {
        let deed = read(result.as_bytes(), has_header, true, None).unwrap();
        assert!(deed.is_lost, "{result}: {deed:?}");
        assert_eq!(deed.text, "action = \"none\"\n");
        deed.differs.unwrap()
    }

    #[test]
    fn every_action_has_its_words() {
        for (result, action) in [
            ("REJECT", "action = \"reject\"\n"),
            ("reject 5.7.1 no $1 for $$2", "action = \"reject\"\nreply = \"no ${1} for $$2\"\n"),
            ("REJECT 4.7.0 later", "action = \"tempfail\"\nreply = \"later\"\n"),
            ("DISCARD text", "action = \"discard\"\n"),
            ("HOLD", "action = \"quarantine\"\n"),
            ("WARN text", "action = \"none\"\n"),
            ("INFO", "action = \"none\"\n"),
            ("DUNNO", "action = \"none\"\n"),
            ("OK", "action = \"none\"\n"),
            ("PASS", "action = \"accept\"\n"),
            ("BCC a@example.org", "action = { bcc = \"a@example.org\" }\n"),
            ("REDIRECT a@example.org", "action = { redirect = \"a@example.org\" }\n"),
            ("IGNORE", "action = { remove_header = { found = true } }\n"),
            ("STRIP old", "action = { remove_header = { found = true } }\n"),
            ("PREPEND X-A: b", "action = { prepend = { name = \"X-A\", value = \"b\" } }\n"),
            (
                "REPLACE Subject: [x] $(1)",
                "action = { replace_header = { found = true, value = \"[x] ${1}\" } }\n",
            ),
            (
                "REPLACE X-Old: ${2}",
                "action = [{ remove_header = { found = true } }, { prepend = { name = \"X-Old\", value = \"${2}\" } }]\n",
            ),
        ] {
            assert_eq!(text(result), action, "{result}");
        }
    }

    #[test]
    fn what_no_rule_can_do_is_named() {
        assert!(lost("FILTER smtp:[127.0.0.1]:10025", true).starts_with("FILTER"));
        assert!(lost("IGNORE", false).contains("body"));
        assert!(lost("REPLACE Subject: x", false).contains("body"));
        assert!(lost("PREPEND no field", true).contains("no header field"));
        assert!(lost("PREPEND Received: x", true).contains("Received"));
        assert!(lost("PREPEND X-A:", true).contains("empty"));
        let long = format!("REJECT {}$1", "x".repeat(198));
        assert!(text(&long).ends_with(&format!("{}\"\n", "x".repeat(198))));
        assert!(lost("REDIRECT $1", true).contains("address"));
        assert!(lost("BOUNCE x", true).contains("no action"));
        assert!(lost("", true).contains("no action"));
    }

    #[test]
    fn a_bad_template_is_skipped() {
        for result in ["REJECT $x", "REJECT ${1", "REJECT $0", "REJECT $ "] {
            assert!(read(result.as_bytes(), true, false, None).is_err(), "{result}");
        }
        assert_eq!(read(b"REJECT $3 $1", true, false, None).map(|deed| deed.groups), Ok(3));
    }
}
