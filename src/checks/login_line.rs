//! The lines of a table as postmap(1) reads them: a line that begins with white space goes on with
//! the one above, comments and blank lines count for nothing, and white space outside quotes ends
//! the key.

use crate::config::error::{Complaint, quoted};
use crate::config::value::Located;
use crate::message::domain::normalize;

/// One entry.
pub(super) struct Line {
    /// `local@domain`, `local@` for a local part alone, or `@domain`.
    pub key: String,
    /// What the key stands for, as written.
    pub logins: String,
    /// Where it begins, in octets.
    pub at: usize,
}

/// The entries of a text, and what is wrong with the others.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<Line, Located>> {
    let mut rest = text.split_inclusive('\n').peekable();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let (start, first) = (at, rest.next()?);
            at += first.len();
            if is_blank(first) {
                continue;
            }
            if first.starts_with(is_white) {
                let complaint = Complaint::new("nothing is above this that it could go on with");
                let hint = "begin an entry without white space";
                return Some(Err(Located { at: start, complaint: complaint.hint(hint) }));
            }
            let mut logical = first.to_owned();
            while let Some(more) = rest.next_if(|line| is_blank(line) || line.starts_with(is_white))
            {
                at += more.len();
                if !is_blank(more) {
                    logical.push_str(more);
                }
            }
            return Some(entry(&logical, start));
        }
    })
}

fn is_white(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start_matches(is_white);
    line.is_empty() || line.starts_with('#')
}

fn entry(line: &str, at: usize) -> Result<Line, Located> {
    let line = line.trim_matches(is_white);
    let refused = |complaint| Err(Located { at, complaint });
    let Some(end) = key_end(line) else {
        return refused(Complaint::new("a quoted string does not end"));
    };
    let (written, logins) = (&line[..end], line[end..].trim_matches(is_white));
    if logins.is_empty() {
        let complaint = Complaint::new(format!("no login for {}", quoted(written)));
        return refused(complaint.hint("write the address, white space and its logins"));
    }
    if written.ends_with(':') {
        let complaint = Complaint::new(format!("{} ends with a colon", quoted(written)));
        return refused(complaint.hint("this is no file of aliases: write no colon"));
    }
    let Some(key) = key(written) else {
        let complaint = Complaint::new(format!("{} is no address", quoted(written)));
        return refused(complaint.hint("write USER@DOMAIN, USER or @DOMAIN"));
    };
    Ok(Line { key, logins: logins.to_owned(), at })
}

/// Where the key ends; `None` where its quotes do not.
fn key_end(line: &str) -> Option<usize> {
    let mut in_quotes = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => in_quotes = !in_quotes,
            _ if is_white(c) && !in_quotes => return Some(at),
            _ => {}
        }
    }
    (!in_quotes).then_some(line.len())
}

fn key(written: &str) -> Option<String> {
    let (local_part, domain) = match written.rsplit_once('@') {
        Some((local_part, domain)) if !domain.contains('"') => (local_part, normalize(domain)?),
        _ => (written, String::new()),
    };
    let local_part = unquoted(local_part)?;
    let is_named = !local_part.is_empty() || !domain.is_empty();
    is_named.then(|| format!("{}@{domain}", local_part.to_lowercase()))
}

/// A local part without its quotes; `None` where an `@` stands outside them.
fn unquoted(local_part: &str) -> Option<String> {
    let (mut text, mut in_quotes) = (String::with_capacity(local_part.len()), false);
    let mut chars = local_part.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            '"' => in_quotes = !in_quotes,
            '@' if !in_quotes => return None,
            _ => text.push(c),
        }
    }
    (!in_quotes).then_some(text)
}
