//! Folding between the values of the field (RFC 5322 §2.1.1, §2.2.3).

/// A line's length that every reader likes.
const LINE_OCTETS_WANTED: usize = 78;
/// What stands before the value on its first line.
const NAME: &str = "Authentication-Results: ";

/// The authserv-id and the results behind their semicolons: each result on a line of its own,
/// folded further where it is too long.
pub(super) fn fold(authserv_id: &str, results: &[Vec<String>]) -> String {
    let mut folded = Folded::new(NAME, authserv_id);
    for result in results {
        folded.text.push(';');
        // The first result may share the authserv-id's line: `mx.example.org; none`.
        let mut alone = results.len() > 1;
        for (index, word) in result.iter().enumerate() {
            folded.push(word, alone);
            alone = false;
            folded.column += usize::from(index + 1 == result.len());
        }
    }
    folded.text
}

/// Words with a blank or a fold between them, behind a field's name.
pub(super) fn fill(name: &str, words: &[String]) -> String {
    let Some((first, rest)) = words.split_first() else { return String::new() };
    let mut folded = Folded::new(name, first);
    for word in rest {
        folded.push(word, false);
    }
    folded.text
}

struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    fn new(name: &str, first: &str) -> Self {
        Self { text: first.to_owned(), column: name.len() + first.len() }
    }

    fn push(&mut self, word: &str, on_new_line: bool) {
        // Behind the last word a semicolon may follow.
        let fits = self.column + 1 + word.len() < LINE_OCTETS_WANTED;
        let (blank, start) = if fits && !on_new_line { (" ", self.column) } else { ("\r\n\t", 0) };
        self.text.push_str(blank);
        self.text.push_str(word);
        self.column = start + 1 + word.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(fold("mx.example.org", &[words("none")]), "mx.example.org; none");
        assert_eq!(
            fold("mx.example.org", &[words("spf=pass smtp.helo=a"), words("dkim=none")]),
            "mx.example.org;\r\n\tspf=pass smtp.helo=a;\r\n\tdkim=none"
        );
        let long = fold("mx", &[vec!["a".repeat(40); 5], vec!["b".repeat(900)]]);
        assert!(long.split("\r\n").all(|line| line.len() <= 78 || line.contains("bbb")), "{long}");
        assert_eq!(long.matches("aaa").count(), 5 * 13, "{long}");
    }
}
