//! Words that are spelt out: single letters with separators between, and marks inside words.
//!
//! Separators go only between three single letters and more, or three pairs with one and the same
//! sign between (`vi-ag-ra`), so that no two honest words become one; marks that no honest word holds
//! inside (`viagr^a`) go between any two letters.

/// The fewest pieces that are put together.
const PIECES_MIN: usize = 3;

/// The most letters of a piece.
const PIECE_CHARS_MAX: usize = 2;

/// The most characters between two letters of one word.
const GAP_CHARS_MAX: usize = 3;

/// The text with such words put together; `None` where it has none.
pub(super) fn joined(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut run = Run::default();
    let mut previous: Option<&str> = None;
    for Spaced { gap, start, word } in words(text) {
        let is_piece = is_piece(word);
        let is_mark = previous.is_some_and(|previous| is_mark_inside(previous, gap, word));
        let has_pairs = run.has_pair || is_pair(word);
        if is_piece && run.goes_on(gap, word) && !(is_mark && has_pairs) {
            run.push(word, start + word.len());
            run.gap.get_or_insert(gap);
        } else {
            run.write(text, &mut copied, &mut out);
            if is_mark {
                out.push_str(&text[copied..start - gap.len()]);
                copied = start;
            }
            run = if is_piece { Run::new(word, start) } else { Run::default() };
        }
        previous = Some(word);
    }
    run.write(text, &mut copied, &mut out);
    (copied > 0).then(|| out + &text[copied..])
}

/// A word and what stands before it.
struct Spaced<'a> {
    gap: &'a str,
    start: usize,
    word: &'a str,
}

fn words(text: &str) -> impl Iterator<Item = Spaced<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let start = at + rest.find(is_word)?;
        let word = &text[start..];
        let word = &word[..word.find(|c| !is_word(c)).unwrap_or(word.len())];
        let gap = &text[at..start];
        at = start + word.len();
        Some(Spaced { gap, start, word })
    })
}

fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || matches!(c, '@' | '$')
    } else {
        c.is_alphanumeric()
    }
}

fn is_piece(word: &str) -> bool {
    word.chars().nth(PIECE_CHARS_MAX).is_none()
        && (!is_pair(word) || word.chars().any(char::is_alphabetic))
}

fn is_pair(word: &str) -> bool {
    word.chars().nth(1).is_some()
}

/// Whether the gap is marks that no honest word holds, between letters.
fn is_mark_inside(previous: &str, gap: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    (1..=GAP_CHARS_MAX).contains(&gap.len())
        && gap.chars().all(|c| matches!(c, '^' | '~' | '`' | '*' | '·' | '•'))
        && is_letter(previous.chars().next_back())
        && is_letter(word.chars().next())
}

/// Single letters or pairs, one after the other.
#[derive(Default)]
struct Run<'a> {
    letters: String,
    /// How many of them are letters and not digits.
    alphabetic: usize,
    pieces: usize,
    has_pair: bool,
    start: usize,
    end: usize,
    /// What stands between the first two.
    gap: Option<&'a str>,
}

impl Run<'_> {
    fn new(word: &str, start: usize) -> Self {
        let mut run = Self { start, ..Self::default() };
        run.push(word, start + word.len());
        run
    }

    fn push(&mut self, word: &str, end: usize) {
        self.letters.push_str(word);
        self.alphabetic += word.chars().filter(|c| c.is_alphabetic()).count();
        self.pieces += 1;
        self.has_pair |= is_pair(word);
        self.end = end;
    }

    /// Wider white space than before parts words, and any does where there are pairs.
    fn goes_on(&self, gap: &str, word: &str) -> bool {
        let is_short = gap.chars().nth(GAP_CHARS_MAX).is_none();
        let is_space = gap.trim().is_empty();
        let first = self.gap.unwrap_or(gap);
        let is_like_first = if self.has_pair || is_pair(word) {
            !is_space && gap == first && gap.chars().nth(1).is_none()
        } else {
            !is_space || (first.trim().is_empty() && gap.len() <= first.len())
        };
        self.pieces > 0 && is_short && is_like_first
    }

    fn write(&mut self, text: &str, copied: &mut usize, out: &mut String) {
        let chars = self.letters.chars().count();
        if self.pieces >= PIECES_MIN && self.alphabetic * 2 >= chars {
            out.push_str(&text[*copied..self.start]);
            out.push_str(&self.letters);
            *copied = self.end;
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_letters_are_put_together() {
        for (text, plain) in [
            ("buy v-i-a-g-r-a now", "buy viagra now"),
            ("v i a g r a  n o w", "viagra  now"),
            ("v . i . a", "via"),
            ("v\ni\na\ng", "viag"),
            ("v-1-@-g", "v1@g"),
            ("vi^ag~ra", "viagra"),
            ("v-i-a-g-r^a", "viagra"),
            ("v^iagra", "viagra"),
            ("vi-ag-ra", "viagra"),
            ("v.ia.gr.a", "viagra"),
            ("j. r. r. tolkien", "jrr. tolkien"),
        ] {
            assert_eq!(joined(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn honest_text_is_left_alone() {
        for text in [
            "well-known e-mail",
            "a b",
            "1 2 3 4",
            "10.0.0.1",
            "it's a test",
            "x = y",
            "2*3*4",
            "",
            "*bold* words",
            "v----i----a",
            "snake_case_name",
            "vi-ag-40-ra",
            "ab cd ef",
            "on-to it",
        ] {
            assert_eq!(joined(text), None, "{text}");
        }
    }
}
