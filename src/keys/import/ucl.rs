//! The little of UCL that rspamd's `dkim_signing.conf` is written in: names with values, tables in
//! braces, lists in brackets, comments of three kinds.

/// Deeper tables are no configuration.
const DEPTH_MAX: usize = 16;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    Text(String),
    Table(Vec<Entry>),
    List(Vec<Value>),
}

/// A name with its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: Value,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Word(String),
    Mark(char),
}

/// The entries of a file; or the line that cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, usize> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0 };
    let entries = reader.entries(0)?;
    if reader.at < reader.tokens.len() { Err(reader.line()) } else { Ok(entries) }
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl Reader {
    fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last());
        token.map_or(1, |(line, _)| *line)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn takes(&mut self, mark: char) -> bool {
        let is_there = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(is_there);
        is_there
    }

    fn word(&mut self) -> Option<String> {
        let Some(Token::Word(word)) = self.peek() else { return None };
        let word = word.clone();
        self.at += 1;
        Some(word)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, usize> {
        let mut entries = Vec::new();
        loop {
            while self.takes(';') || self.takes(',') {}
            let line = self.line();
            let Some(name) = self.word() else { return Ok(entries) };
            let _ = self.takes('=') || self.takes(':');
            // As in `section name { }`: a table in a table.
            let inner = match (self.peek(), self.tokens.get(self.at + 1)) {
                (Some(Token::Word(_)), Some((_, Token::Mark('{')))) => self.word(),
                _ => None,
            };
            let value = self.value(depth)?;
            let value = match inner {
                Some(name) => Value::Table(vec![Entry { line, name, value }]),
                None => value,
            };
            entries.push(Entry { line, name, value });
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, usize> {
        if depth > DEPTH_MAX {
            return Err(self.line());
        }
        if let Some(text) = self.word() {
            return Ok(Value::Text(text));
        }
        if self.takes('{') {
            let entries = self.entries(depth + 1)?;
            return if self.takes('}') { Ok(Value::Table(entries)) } else { Err(self.line()) };
        }
        if !self.takes('[') {
            return Err(self.line());
        }
        let mut values = Vec::new();
        while !self.takes(']') {
            if !self.takes(',') && !self.takes(';') {
                values.push(self.value(depth + 1)?);
            }
        }
        Ok(Value::List(values))
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, usize> {
    let mut tokens = Vec::new();
    let mut in_comment = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut rest = line;
        while !rest.is_empty() {
            if in_comment {
                let Some((_, after)) = rest.split_once("*/") else { break };
                (in_comment, rest) = (false, after);
                continue;
            }
            rest = rest.trim_start();
            if rest.starts_with('#') || rest.starts_with("//") {
                break;
            }
            if let Some(after) = rest.strip_prefix("/*") {
                (in_comment, rest) = (true, after);
                continue;
            }
            let Some(first) = rest.chars().next() else { break };
            rest = match first {
                '{' | '}' | '[' | ']' | '=' | ':' | ';' | ',' => {
                    tokens.push((number, Token::Mark(first)));
                    &rest[1..]
                }
                '"' | '\'' => {
                    let (word, after) = rest[1..].split_once(first).ok_or(number)?;
                    tokens.push((number, Token::Word(word.to_owned())));
                    after
                }
                _ => {
                    let ends = |c: char| c.is_whitespace() || "{}[]=;,\"'".contains(c);
                    let end = rest.find(ends).unwrap_or(rest.len());
                    // `name: value`, but also `file:///path`.
                    let word = rest[..end].strip_suffix(':').unwrap_or(&rest[..end]);
                    tokens.push((number, Token::Word(word.to_owned())));
                    &rest[word.len().max(1)..]
                }
            };
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_and_comments_are_read() {
        let text = "# c\na = \"x y\";\nb: true\n/* x\n */ domain {\n  e.org { path = /k; }\n}\n\
                    l [ { p = 1; }, two ]\nsection name { z = 1 }\n";
        let entries = parse(text).unwrap();
        let names: Vec<_> = entries.iter().map(|e| (e.line, e.name.as_str())).collect();
        assert_eq!(names, [(2, "a"), (3, "b"), (5, "domain"), (8, "l"), (9, "section")]);
        assert_eq!(entries[0].value, Value::Text("x y".into()));
        assert!(matches!(&entries[3].value, Value::List(list) if list.len() == 2));
    }

    #[test]
    fn what_does_not_end_is_told_by_its_line() {
        for text in ["a {", "a [ 1", "a = \"x", "a = }", "}", &"a {".repeat(100)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
