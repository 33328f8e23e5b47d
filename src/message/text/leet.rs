//! Digits and signs that stand for letters: `v1@gra`.
//!
//! They are read as letters only in words that have as many letters at least, and no digit that is
//! never a letter's: so not in numbers, model names, addresses and most codes.

/// The longest word that is read: longer ones are codes.
const CHARS_MAX: usize = 40;

/// The text with such words in letters; `None` where it has none.
pub(super) fn read(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(|c| letter(c).is_some())) {
        let found = at + found;
        let start = text[at..found].rfind(|c| !is_inside(c)).map_or(at, |before| {
            let width = text[at + before..].chars().next().map_or(1, char::len_utf8);
            at + before + width
        });
        let end = text[found..].find(|c| !is_inside(c)).map_or(text.len(), |end| found + end);
        if let Some(word) = word(&text[start..end], &text[end..]) {
            out.push_str(&text[copied..start]);
            out.push_str(&word);
            copied = end;
        }
        at = end;
    }
    (copied > 0).then(|| out + &text[copied..])
}

fn is_inside(c: char) -> bool {
    c.is_alphanumeric() || letter(c).is_some()
}

/// The letter that the digit or sign stands for.
fn letter(c: char) -> Option<char> {
    Some(match c {
        '0' => 'o',
        '1' | '!' | '|' | '¡' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        '£' => 'l',
        '¥' => 'y',
        '¢' | '©' => 'c',
        '®' => 'r',
        _ => return None,
    })
}

/// The word in letters, where it is one; `after` is what follows it.
fn word(whole: &str, after: &str) -> Option<String> {
    let opened = whole.trim_start_matches(['|', '¡']);
    let word = opened.trim_end_matches(['!', '|', '©', '®']);
    if word.chars().take(CHARS_MAX + 1).count() > CHARS_MAX || is_address(word, after) {
        return None;
    }
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let signs = word.chars().filter(|c| letter(*c).is_some()).count();
    let is_inner = word.chars().next().is_some_and(char::is_alphabetic)
        && word.chars().next_back().is_some_and(char::is_alphabetic);
    let reads = signs > 0
        && letters >= signs
        && !word.contains(['2', '6', '9'])
        && (letters + signs > 3 || (letters + signs == 3 && is_inner))
        && !is_numbered(word);
    reads.then(|| {
        let (before, rest) = (&whole[..whole.len() - opened.len()], &opened[word.len()..]);
        let letters = word.chars().map(|c| letter(c).unwrap_or(c));
        before.chars().chain(letters).chain(rest.chars()).collect()
    })
}

/// `info@example`, before a dot and the rest of the domain.
fn is_address(word: &str, after: &str) -> bool {
    let goes_on = after
        .strip_prefix(['.', '-'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    goes_on && word.contains('@')
}

/// A number with a unit, or a name with a number: `50mg`, `room101`.
fn is_numbered(word: &str) -> bool {
    let rest = word.trim_matches(|c: char| c.is_ascii_digit());
    word.len() > rest.len() + 1
        && rest.chars().all(char::is_alphabetic)
        && (word.starts_with(rest) || word.ends_with(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_signs_are_letters_in_words() {
        for (text, plain) in [
            ("v1agra", "viagra"),
            ("buy v!@gr@!!! now", "buy viagra!!! now"),
            ("v14gr4", "viagra"),
            ("s3x", "sex"),
            ("ca$h", "cash"),
            ("fr€€ p1lls", "free pills"),
        ] {
            assert_eq!(read(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn numbers_and_names_stay() {
        for text in [
            "2024",
            "mp3",
            "a4",
            "ipv6",
            "h264",
            "50mg",
            "room101",
            "win95",
            "us$50",
            "$100",
            "10th",
            "info@example.com",
            "a@b.example",
            "covid19",
            "great!",
            "viagra®",
            "1st",
            "c:\\temp",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
