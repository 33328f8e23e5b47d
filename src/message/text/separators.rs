//! Words that are spelt out: single letters with separators between, and marks inside words.
//!
//! Separators go only between three single letters and more, so that no two honest words become one;
//! marks that no honest word holds inside (`viagr^a`) go between any two letters.

/// The fewest letters that are put together.
const LETTERS_MIN: usize = 3;

/// The most characters between two letters of one word.
const GAP_CHARS_MAX: usize = 3;

/// The text with such words put together; `None` where it has none.
pub(super) fn joined(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut run = Run::default();
    let mut previous: Option<&str> = None;
    for Word { gap, start, word } in words(text) {
        let is_letter = is_single(word);
        if is_letter && run.goes_on(gap) {
            run.push(word, start + word.len());
            run.gap.get_or_insert(gap);
        } else {
            run.write(text, &mut copied, &mut out);
            if previous.is_some_and(|previous| is_mark_inside(previous, gap, word)) {
                out.push_str(&text[copied..start - gap.len()]);
                copied = start;
            }
            run = if is_letter { Run::new(word, start) } else { Run::default() };
        }
        previous = Some(word);
    }
    run.write(text, &mut copied, &mut out);
    (copied > 0).then(|| out + &text[copied..])
}

/// A word and what stands before it.
struct Word<'a> {
    gap: &'a str,
    start: usize,
    word: &'a str,
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let start = at + rest.find(is_word)?;
        let word = &text[start..];
        let word = &word[..word.find(|c| !is_word(c)).unwrap_or(word.len())];
        let gap = &text[at..start];
        at = start + word.len();
        Some(Word { gap, start, word })
    })
}

fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || matches!(c, '@' | '$')
    } else {
        c.is_alphanumeric()
    }
}

fn is_single(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some() && chars.next().is_none()
}

/// Whether the gap is marks that no honest word holds, between letters.
fn is_mark_inside(previous: &str, gap: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    (1..=GAP_CHARS_MAX).contains(&gap.len())
        && gap.chars().all(|c| matches!(c, '^' | '~' | '`' | '*' | '·' | '•'))
        && is_letter(previous.chars().next_back())
        && is_letter(word.chars().next())
}

/// Single letters, one after the other.
#[derive(Default)]
struct Run<'a> {
    letters: String,
    /// How many of them are letters and not digits.
    alphabetic: usize,
    count: usize,
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
        self.alphabetic += usize::from(word.chars().all(char::is_alphabetic));
        self.count += 1;
        self.end = end;
    }

    /// Wider white space than before parts words.
    fn goes_on(&self, gap: &str) -> bool {
        let is_short = gap.chars().take(GAP_CHARS_MAX + 1).count() <= GAP_CHARS_MAX;
        let is_space = gap.trim().is_empty();
        self.count > 0
            && is_short
            && self.gap.is_none_or(|first| {
                !is_space || (first.trim().is_empty() && gap.len() <= first.len())
            })
    }

    fn write(&mut self, text: &str, copied: &mut usize, out: &mut String) {
        if self.count >= LETTERS_MIN && self.alphabetic * 2 >= self.count {
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
            "a|bc|d",
        ] {
            assert_eq!(joined(text), None, "{text}");
        }
    }
}
