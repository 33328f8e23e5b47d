//! Reading the results that others wrote (RFC 8601 §2.2): those of our own ADMD that an ARC set must
//! repeat, and those in a trusted sealer's set.

use crate::auth::results::forged::claims_authserv_id;
use crate::message::cfws;
use crate::message::header::HeaderBlock;

/// A field with more results is not read.
const RESULTS_MAX: usize = 64;
/// The most octets of results that are repeated.
const REPEATED_OCTETS_MAX: usize = 8 * 1024;

/// What stands in a field.
#[derive(Debug)]
pub(crate) struct Read {
    /// Each result in its words: method and result, reason, properties, comments.
    pub(crate) results: Vec<Vec<String>>,
}

/// A result's words put in their places.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) method: &'a str,
    pub(crate) result: &'a str,
    words: &'a [String],
}

/// Reads a field's value; `None` where the grammar is broken, or where it is too long.
pub(crate) fn read(value: &[u8]) -> Option<Read> {
    let mut segments = vec![Vec::new()];
    let mut word = String::new();
    let mut rest = value;
    while let Some(&octet) = rest.first() {
        let length = match octet {
            b'"' => cfws::quoted(rest).ok()?.1,
            b'(' | b' ' | b'\t' | b'\r' | b'\n' => cfws::skip(rest).ok()?,
            b';' => 1,
            _ if octet.is_ascii_control() => return None,
            _ => rest.iter().take_while(|octet| !ends_plain(**octet)).count(),
        };
        let (taken, after) = rest.split_at(length);
        rest = after;
        let text = unfolded(taken)?;
        if !matches!(octet, b'(' | b' ' | b'\t' | b'\r' | b'\n' | b';') {
            word.push_str(&text);
            continue;
        }
        let words = segments.last_mut()?;
        let comment = if octet == b';' { "" } else { text.trim() };
        let more = [std::mem::take(&mut word), comment.to_owned()];
        words.extend(more.into_iter().filter(|word| !word.is_empty()));
        if octet == b';' {
            segments.push(Vec::new());
        }
        if segments.len() > RESULTS_MAX + 1 {
            return None;
        }
    }
    segments.last_mut()?.extend(Some(word).filter(|word| !word.is_empty()));
    // The first is the authserv-id.
    let results = segments.into_iter().skip(1).filter(|words| !words.is_empty()).collect();
    Some(Read { results })
}

fn ends_plain(octet: u8) -> bool {
    octet.is_ascii_control() || b"\"(; ".contains(&octet)
}

fn unfolded(octets: &[u8]) -> Option<String> {
    let text = str::from_utf8(octets).ok()?;
    Some(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

impl<'a> Statement<'a> {
    /// The statement that these words make; `None` where the first is not `method=result`.
    pub(crate) fn of(words: &'a [String]) -> Option<Self> {
        let (method, result) = words.iter().find(|word| !word.starts_with('('))?.split_once('=')?;
        Some(Self { method, result, words })
    }

    /// The value of a property, without the quotes around all of it.
    pub(crate) fn property(&self, name: &str) -> Option<&'a str> {
        let named = |word: &'a String| {
            let (known, value) = word.split_once('=')?;
            known.eq_ignore_ascii_case(name).then_some(value)
        };
        let value = self.words.iter().find_map(named)?;
        Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
    }
}

/// The results in the fields that are of our own ADMD, in their order. Only fields of hosts that we
/// trust may be asked for: of other mail they are forged.
pub fn repeated(headers: &HeaderBlock, ours: &[String]) -> Vec<Vec<String>> {
    let fields = headers.named("Authentication-Results");
    let fields = fields.filter(|field| claims_authserv_id(field.value, ours));
    let results = fields.filter_map(|field| read(field.value)).flat_map(|read| read.results);
    let mut octets = 0;
    results
        .filter(|words| words.iter().all(|word| word.bytes().all(|o| matches!(o, b' '..=b'~'))))
        .filter(|words| Statement::of(words).is_some())
        .take(RESULTS_MAX)
        .take_while(|words| {
            octets += words.iter().map(|word| word.len() + 2).sum::<usize>();
            octets <= REPEATED_OCTETS_MAX
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_split_into_words() {
        let value = b" mx.example.org 1;\r\n\tdkim=pass (1024-bit\r\n key; ok) header.i=\"a b\"@x.example ;\tspf=none(c);";
        let read = read(value).unwrap();
        assert_eq!(
            read.results,
            [
                vec!["dkim=pass", "(1024-bit key; ok)", "header.i=\"a b\"@x.example"],
                vec!["spf=none", "(c)"],
            ]
        );
        let statement = Statement::of(&read.results[0]).unwrap();
        assert_eq!((statement.method, statement.result), ("dkim", "pass"));
        assert_eq!(statement.property("Header.I"), Some("\"a b\"@x.example"));
        assert_eq!(statement.property("header.d"), None);
    }

    #[test]
    fn what_is_broken_or_too_long_is_not_read() {
        for value in ["mx; a=\"b", "mx; a=(b", "mx; a=\0b", "mx; a=b\rc", &"a;".repeat(66)] {
            assert!(read(value.as_bytes()).is_none(), "{value:?}");
        }
        let deep = format!("mx; {}", "(".repeat(1_000_000));
        assert!(read(deep.as_bytes()).is_none());
    }

    #[test]
    fn our_own_results_are_repeated() {
        let mut headers = HeaderBlock::default();
        headers.push(b"Authentication-Results", b" MX.example.org; spf=pass smtp.helo=a");
        headers.push(b"Authentication-Results", b" other.example; dkim=pass");
        headers.push(b"Authentication-Results", b" mx.example.org; none");
        headers
            .push(b"Authentication-Results", " mx.example.org; dkim=\u{fc}; arc=none".as_bytes());
        let ours = ["mx.example.org".to_owned()];
        assert_eq!(repeated(&headers, &ours), [vec!["spf=pass", "smtp.helo=a"], vec!["arc=none"]]);
    }
}
