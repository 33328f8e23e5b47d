//! Folding between the values of the field (RFC 5322 §2.1.1, §2.2.3).

/// A line's length that every reader likes.
const LINE_OCTETS_WANTED: usize = 78;
/// What stands before the value on its first line.
const NAME: &str = "Authentication-Results: ";

/// The authserv-id and the results behind their semicolons: each result on a line of its own,
/// folded further where it is too long.
pub(super) fn fold(authserv_id: &str, results: &[Vec<String>]) -> String {
    let mut text = authserv_id.to_owned();
    let mut column = NAME.len() + authserv_id.len();
    for result in results {
        text.push(';');
        // The first result may share the authserv-id's line: `mx.example.org; none`.
        let mut alone = results.len() > 1;
        for (index, word) in result.iter().enumerate() {
            // Behind the last word a semicolon may follow.
            let fits = column + 1 + word.len() < LINE_OCTETS_WANTED;
            let (blank, start) = if fits && !alone { (" ", column) } else { ("\r\n\t", 0) };
            alone = false;
            text.push_str(blank);
            text.push_str(word);
            column = start + 1 + word.len();
            column += usize::from(index + 1 == result.len());
        }
    }
    text
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
