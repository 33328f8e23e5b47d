//! Letters that look like those of ASCII: Unicode's confusables (UTS #39) and what it leaves out.

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

use super::invisible::is_mark;

/// What a letter outside ASCII looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Likeness {
    /// One or two letters of ASCII, in any company.
    Same([u8; 2]),
    /// A letter of ASCII only to a reader who expects one: among Latin letters.
    Near(u8),
    /// None.
    None,
}

/// What the letter looks like, in lower case. A zero stands for no second letter.
pub(super) fn likeness(c: char) -> Likeness {
    if let Some(letter) = shaped(c) {
        return Likeness::Same([letter, 0]);
    }
    if c == 'ß' || c == 'ẞ' {
        return Likeness::Same(*b"ss");
    }
    let lower = c.to_lowercase().next().unwrap_or(c);
    // A capital that looks like a stroke is an I, whose small letter tells.
    let (large, small) = (prototype(c), prototype(lower));
    let same = match (large, small) {
        (Some([b'l', 0]), Some(small)) => Some(small),
        (large, small) => large.or(small),
    };
    match same {
        Some(letters) => Likeness::Same(letters),
        None => near(c).or_else(|| near(lower)).map_or(Likeness::None, Likeness::Near),
    }
}

/// Unicode's prototype of the character, without marks, where that is of ASCII.
fn prototype(c: char) -> Option<[u8; 2]> {
    let mut buffer = [0; 4];
    let mut letters = skeleton(c.encode_utf8(&mut buffer)).filter(|c| !is_mark(*c));
    let first = ascii(letters.next()?)?;
    let second = letters.next().map(ascii);
    match (second, letters.next()) {
        (None, _) => Some([first, 0]),
        // The prototype of m.
        (Some(Some(b'n')), None) if first == b'r' => Some([b'm', 0]),
        (Some(Some(second)), None) => Some([first, second]),
        _ => None,
    }
}

fn ascii(c: char) -> Option<u8> {
    let octet = u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric)?;
    Some(octet.to_ascii_lowercase())
}

/// The base letter, where the character is one of ASCII with marks.
pub(super) fn base(c: char) -> Option<u8> {
    let mut letters = [c].into_iter().nfd();
    let base = ascii(letters.next()?)?;
    letters.all(is_mark).then_some(base)
}

/// Letters in boxes and circles, of flags, and small capitals, which have no compatibility form.
fn shaped(c: char) -> Option<u8> {
    let of = |first: char| u8::try_from(u32::from(c) - u32::from(first)).ok().map(|n| b'a' + n);
    match c {
        '\u{1f150}'..='\u{1f169}' => of('\u{1f150}'),
        '\u{1f170}'..='\u{1f189}' => of('\u{1f170}'),
        '\u{1f1e6}'..='\u{1f1ff}' => of('\u{1f1e6}'),
        'ᴀ' | 'ɐ' => Some(b'a'),
        'ʙ' => Some(b'b'),
        'ᴄ' => Some(b'c'),
        'ᴅ' => Some(b'd'),
        'ᴇ' => Some(b'e'),
        'ꜰ' => Some(b'f'),
        'ɢ' => Some(b'g'),
        'ʜ' => Some(b'h'),
        'ɪ' => Some(b'i'),
        'ᴊ' => Some(b'j'),
        'ᴋ' => Some(b'k'),
        'ʟ' => Some(b'l'),
        'ᴍ' => Some(b'm'),
        'ɴ' => Some(b'n'),
        'ᴏ' => Some(b'o'),
        'ᴘ' => Some(b'p'),
        'ʀ' | 'ɹ' => Some(b'r'),
        'ꜱ' => Some(b's'),
        'ᴛ' => Some(b't'),
        'ᴜ' => Some(b'u'),
        'ᴠ' | 'ʌ' => Some(b'v'),
        'ᴡ' => Some(b'w'),
        'ʏ' => Some(b'y'),
        'ᴢ' => Some(b'z'),
        _ => None,
    }
}

/// Letters that stand for one of ASCII by a looser likeness, or by their sound.
fn near(c: char) -> Option<u8> {
    Some(match c {
        'λ' | 'Λ' | 'δ' | 'Δ' | 'д' | 'ꭺ' | 'ᗩ' | 'ᗅ' => b'a',
        'β' | 'в' | 'б' | 'ь' | 'ъ' => b'b',
        'ς' => b'c',
        'ε' | 'Σ' | 'є' | 'э' | 'ξ' | 'Ξ' => b'e',
        'н' => b'h',
        'и' | 'й' => b'i',
        'κ' | 'к' | 'ĸ' => b'k',
        'м' => b'm',
        'η' | 'π' | 'п' => b'n',
        'θ' | 'ω' | 'Ω' | 'σ' => b'o',
        'г' | 'я' | 'ʁ' => b'r',
        'τ' | 'т' => b't',
        'μ' | 'ц' => b'u',
        'ѵ' => b'v',
        'ш' | 'щ' => b'w',
        'χ' => b'x',
        'ч' | 'ү' => b'y',
        'з' => b'z',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likenesses() {
        let same = |letter| Likeness::Same([letter, 0]);
        for (c, likeness_of) in [
            ('а', same(b'a')),
            ('А', same(b'a')),
            ('і', same(b'i')),
            ('І', same(b'i')),
            ('ν', same(b'v')),
            ('Β', same(b'b')),
            ('ı', same(b'i')),
            ('ø', same(b'o')),
            ('ł', same(b'l')),
            ('ᴠ', same(b'v')),
            ('🇻', same(b'v')),
            ('🅥', same(b'v')),
            ('æ', Likeness::Same(*b"ae")),
            ('ß', Likeness::Same(*b"ss")),
            ('β', Likeness::Near(b'b')),
            ('Λ', Likeness::Near(b'a')),
            ('ж', Likeness::None),
            ('漢', Likeness::None),
        ] {
            assert_eq!(likeness(c), likeness_of, "{c}");
        }
        assert_eq!(
            (base('á'), base('ệ'), base('й'), base('Å')),
            (Some(b'a'), Some(b'e'), None, Some(b'a'))
        );
    }
}
