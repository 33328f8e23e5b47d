//! Whose an Authentication-Results field says it is (RFC 8601 §2.2, §2.5, §5).
//!
//! A field that a reader could take for ours, and that is not, must go. A field of another host is
//! evidence and stays, if it is well-formed up to its first semicolon: a name of ours in its
//! results is no claim. One that is not well-formed that far is ours if it names us anywhere.

use crate::message::{cfws, domain};

/// No id of ours is longer.
const ID_OCTETS_MAX: usize = 1_000;

/// Whether the field's value claims one of these authserv-ids.
pub fn claims_authserv_id(value: &[u8], ours: &[String]) -> bool {
    match authserv_id(value) {
        Some(id) => {
            let id = comparable(&id);
            ours.iter().any(|our| comparable(our) == id)
        }
        None => mentions(value, ours),
    }
}

/// The authserv-id, unquoted; `None` where another reader could find another one.
fn authserv_id(value: &[u8]) -> Option<String> {
    let text = after_cfws(value)?;
    let (id, rest) = if text.first() == Some(&b'"') {
        let (content, length) = cfws::quoted(text).ok()?;
        (content, &text[length..])
    } else {
        let length = text.iter().take_while(|octet| is_token(**octet)).count();
        (text[..length].to_vec(), &text[length..])
    };
    let rest = after_cfws(rest)?;
    // RFC 8601 §2.2: authres-version, after white space or a comment.
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let rest = after_cfws(&rest[digits..])?;
    let ends = matches!(rest, [] | [b';', ..]);
    if id.is_empty() || !ends { None } else { String::from_utf8(id).ok() }
}

fn after_cfws(text: &[u8]) -> Option<&[u8]> {
    cfws::skip(text).ok().and_then(|length| text.get(length..))
}

/// RFC 2045 §5.1, with RFC 6532's octets above ASCII.
fn is_token(octet: u8) -> bool {
    !octet.is_ascii() || (octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
}

/// One form for A-labels and U-labels, upper and lower case, with and without white space or dots
/// around. What only looks like our name is ours, too: so this maps, where `domain::normalize` refuses.
fn comparable(id: &str) -> String {
    let id: String = id.chars().filter(|c| !c.is_whitespace()).collect();
    let id = id.trim_matches('.');
    if id.is_ascii() || id.len() > ID_OCTETS_MAX {
        return id.to_lowercase();
    }
    idna::domain_to_ascii(id).unwrap_or_else(|_| id.to_lowercase())
}

/// Whether one of the ids stands anywhere in the value: as it is, with what may stand between and
/// in words taken out, or with comments taken out, too.
fn mentions(value: &[u8], ours: &[String]) -> bool {
    let text = String::from_utf8_lossy(value).to_lowercase();
    let squeezed: String = text.chars().filter(|c| !is_filler(*c)).collect();
    let bare: String = outside_comments(&text).filter(|c| !is_filler(*c)).collect();
    ours.iter().map(|our| comparable(our)).filter(|our| !our.is_empty()).any(|our| {
        let unicode = domain::to_unicode(&our);
        [&text, &squeezed, &bare]
            .iter()
            .any(|text| text.contains(&our) || text.contains(unicode.as_str()))
    })
}

fn is_filler(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')
}

fn outside_comments(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut depth = 0_usize;
    text.chars().filter(move |c| {
        let outside = depth == 0 && *c != '(';
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        outside
    })
}
