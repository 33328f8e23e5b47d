//! Folding: the many spellings of a word become one (UAX #15, UTS #39).
//!
//! Invisible characters go, compatibility forms are undone (NFKC), marks go from Latin letters, the
//! case goes. Letters of other scripts become the Latin ones that they look like where Latin letters
//! stand in the same word, or where every letter of the word has such a likeness; so that a word of
//! Russian or Greek stays what it is. `leet` and `separators` are the next steps.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::invisible::{is_invisible, is_mark};
use super::look_alike::{Likeness, base, likeness};
use super::{Folding, leet, separators};

/// The text as its look-alikes would be written plainly: in lower case.
pub fn folded(text: &str, folding: Folding) -> Cow<'_, str> {
    let mut text = plain(text);
    if folding.leet && text.contains("\\/") {
        text = Cow::Owned(text.replace("\\/", "v"));
    }
    if folding.separators
        && let Some(joined) = separators::joined(&text)
    {
        text = Cow::Owned(joined);
    }
    if folding.leet
        && let Some(read) = leet::read(&text)
    {
        text = Cow::Owned(read);
    }
    text
}

fn plain(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        return Cow::Owned(unicode(text));
    }
    if text.bytes().any(|octet| octet.is_ascii_uppercase() || is_ascii_control(octet)) {
        let mut lower = text.to_ascii_lowercase();
        lower.retain(|c| !is_invisible(c));
        return Cow::Owned(lower);
    }
    Cow::Borrowed(text)
}

fn is_ascii_control(octet: u8) -> bool {
    octet.is_ascii_control() && !octet.is_ascii_whitespace()
}

fn unicode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word: Vec<char> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // Plain text needs no tables, up to the character that what follows may be a mark on.
        let ascii = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        let (plain, other) = rest.split_at(ascii.saturating_sub(usize::from(ascii < rest.len())));
        for c in plain.chars().filter(|c| !is_invisible(*c)) {
            take(c, &mut word, &mut out);
        }
        let end = other
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_ascii())
            .map_or(other.len(), |(index, _)| index);
        let (foreign, after) = other.split_at(end);
        let seen = foreign.chars().filter(|c| !is_invisible(*c)).map(spacing_mark);
        for c in seen.nfkc() {
            take(c, &mut word, &mut out);
        }
        rest = after;
    }
    end_word(&mut word, &mut out);
    out
}

/// A mark that stands alone would become a space and a mark, and part a word.
fn spacing_mark(c: char) -> char {
    match c {
        '\u{a8}'
        | '\u{af}'
        | '\u{b4}'
        | '\u{b8}'
        | '\u{2d8}'..='\u{2dd}'
        | '\u{1fbd}'..='\u{1fc1}' => '`',
        // Signs of a trade mark would become letters; signs of a blessing whole sentences, eleven times
        // as long as they are.
        '\u{2122}' | '\u{2120}' | '\u{fdfa}' | '\u{fdfb}' => ' ',
        c => c,
    }
}

fn take(c: char, word: &mut Vec<char>, out: &mut String) {
    if c.is_alphanumeric() || is_mark(c) || is_flag_letter(c) {
        word.push(c);
    } else {
        end_word(word, out);
        out.push(c);
    }
}

fn is_flag_letter(c: char) -> bool {
    matches!(c, '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}' | '\u{1f1e6}'..='\u{1f1ff}')
}

fn end_word(word: &mut Vec<char>, out: &mut String) {
    if word.iter().all(char::is_ascii) {
        out.extend(word.drain(..).map(|c| c.to_ascii_lowercase()));
        return;
    }
    let is_latin = word.iter().any(|c| is_latin(*c));
    let looks_latin = || {
        word.iter()
            .all(|c| c.is_ascii() || is_mark(*c) || matches!(likeness(*c), Likeness::Same(_)))
    };
    if is_latin || looks_latin() {
        word.drain(..).for_each(|c| push_latin(c, out));
    } else {
        word.drain(..).filter(|c| !is_mark(*c)).for_each(|c| push_lower(c, out));
    }
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic()
}

fn push_latin(c: char, out: &mut String) {
    if c.is_ascii() {
        return out.push(c.to_ascii_lowercase());
    }
    if is_mark(c) {
        return;
    }
    if let Some(letter) = base(c) {
        return out.push(char::from(letter));
    }
    match likeness(c) {
        Likeness::Same(letters) => {
            out.extend(letters.into_iter().filter(|letter| *letter != 0).map(char::from));
        }
        Likeness::Near(letter) => out.push(char::from(letter)),
        Likeness::None => push_lower(c, out),
    }
}

fn push_lower(c: char, out: &mut String) {
    match c {
        'ς' => out.push('σ'),
        c => out.extend(c.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        folded(text, Folding::default()).into_owned()
    }

    #[test]
    fn spellings_of_one_word_become_one() {
        for text in [
            "viagra",
            "VIAGRA",
            "Viagr^á",
            "V-i-a-g-r-a",
            "v i a g r a",
            "v.i.a.g.r.a",
            "V_I_A_G_R_A",
            "v - i - a - g - r - a",
            "vіаgrа",
            "ѵіаgга",
            "vi\u{ad}ag\u{200b}ra",
            "v\u{336}i\u{336}a\u{336}gra",
            "ｖｉａｇｒａ",
            "𝓿𝓲𝓪𝓰𝓻𝓪",
            "ⓥⓘⓐⓖⓡⓐ",
            "ᴠɪᴀɢʀᴀ",
            "🇻🇮🇦🇬🇷🇦",
            "VIΛGRΛ",
            "v1agra",
            "vi@gra",
            "V1@GR@",
            "v!agra",
            "vi4gr4",
            "vïägrá",
            "vıagra",
            "ⱽiagra",
            "v|i|a|g|r|a",
            "v*i*a*g*r*a",
            "vi`ag`ra",
            "v-1-@-g-r-a",
            "viagr´a",
            "\\/iagra",
        ] {
            assert_eq!(all(text), "viagra", "{text}");
        }
    }

    #[test]
    fn other_words_stay_what_they_are() {
        for (text, folded) in [
            ("Привет, мир", "привет, мир"),
            ("дешевый", "дешевый"),
            ("Ελλάς", "ελλάσ"),
            ("漢字かな", "漢字かな"),
            ("한국어", "한국어"),
            ("mp3 and A4, IPv6 in 2024", "mp3 and a4, ipv6 in 2024"),
            ("e-mail to info@example.com", "e-mail to info@example.com"),
            ("well-known via Graz", "well-known via graz"),
            ("Straße Ægir", "strasse aegir"),
        ] {
            assert_eq!(all(text), folded, "{text}");
        }
    }

    #[test]
    fn what_is_plain_is_borrowed() {
        let text = "nothing to do here, 1 2 3";
        assert!(matches!(folded(text, Folding::default()), Cow::Borrowed(_)));
    }

    #[test]
    fn marks_without_end_are_linear() {
        let marks = "a".to_owned() + &"\u{301}\u{327}".repeat(200_000);
        assert_eq!(all(&marks), "a");
    }
}
