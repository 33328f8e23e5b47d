//! The mailboxes of a From field (RFC 5322 §3.4, RFC 6854).

use super::lexer::{Lexer, Token};
use super::{Mailbox, Malformed};
use crate::message::cfws;
use crate::message::domain::normalize;

/// More mailboxes than this are no list that a person wrote.
const MAILBOXES_MAX: usize = 1000;

/// The one domain of all mailboxes in the field's value.
pub(super) fn domain(value: &[u8]) -> Result<String, Malformed> {
    let mut list = List::new(value, Wanted::OneDomain);
    while list.element()? {}
    list.found.pop().map(|mailbox| mailbox.domain).ok_or(Malformed::NoMailbox)
}

/// All mailboxes in the value of a field, those in groups among them.
pub(super) fn all(value: &[u8]) -> Result<Vec<Mailbox>, Malformed> {
    let mut list = List::new(value, Wanted::All);
    while list.element()? {}
    if list.found.is_empty() { Err(Malformed::NoMailbox) } else { Ok(list.found) }
}

/// What a list is read for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Wanted {
    /// The domain of all mailboxes; the first of them is kept.
    OneDomain,
    /// The mailboxes.
    All,
}

/// A list that is being read.
struct List<'a> {
    lexer: Lexer<'a>,
    wanted: Wanted,
    found: Vec<Mailbox>,
    in_group: bool,
}

/// Words and dots before the special that tells what they are: a display name, a local part or a
/// group's name.
#[derive(Default)]
struct Phrase {
    /// How many words and dots.
    count: usize,
    /// The words and dots, without the quotes of quoted strings.
    text: Vec<u8>,
    /// Words with single dots between them and nothing else between those.
    broken_local_part: bool,
    ends_with_dot: bool,
}

impl Phrase {
    fn push(&mut self, token: Token<'_>, spaced: bool) {
        let dot = token == Token::Special(b'.');
        let first = self.count == 0;
        // Two words or two dots in a row, a dot first, or blanks in between: no local part.
        if (first && dot) || (!first && (dot == self.ends_with_dot || spaced)) {
            self.broken_local_part = true;
        }
        // RFC 2047 §5 (3): no encoded word stands in an address. Some readers decode it there and
        // show what it says instead.
        if let Token::Atom(word) | Token::Quoted(word) = token
            && word.windows(2).any(|pair| pair == b"=?")
        {
            self.broken_local_part = true;
        }
        match token {
            Token::Atom(word) => self.text.extend_from_slice(word),
            // The lexer has read it once: it is whole.
            Token::Quoted(word) => {
                self.text
                    .extend(cfws::quoted(word).map(|(content, _)| content).unwrap_or_default());
            }
            _ => self.text.push(b'.'),
        }
        self.ends_with_dot = dot;
        self.count += 1;
    }

    fn is_local_part(&self) -> bool {
        self.count > 0 && !self.broken_local_part && !self.ends_with_dot
    }
}

impl<'a> List<'a> {
    fn new(value: &'a [u8], wanted: Wanted) -> Self {
        Self { lexer: Lexer::new(value), wanted, found: Vec::new(), in_group: false }
    }

    /// Reads one element and its delimiter; `false` at the end of the field.
    fn element(&mut self) -> Result<bool, Malformed> {
        let (phrase, delimiter) = self.phrase()?;
        match delimiter {
            Token::Special(b'@') => {
                let mut end = self.addr_spec(phrase)?;
                if end == Token::Special(b'<') {
                    // An address for a name, without the quotes that it takes: whichever of the two a
                    // reader shows, both count.
                    self.angle_addr()?;
                    end = self.lexer.next()?;
                }
                self.delimiter(end)
            }
            Token::Special(b'<') => {
                self.angle_addr()?;
                let end = self.lexer.next()?;
                self.delimiter(end)
            }
            // RFC 5322 §3.4: a group has a name, and groups do not nest.
            Token::Special(b':') if phrase.count > 0 && !self.in_group => {
                self.in_group = true;
                Ok(true)
            }
            // RFC 5322 §4.4: an element of a list may be empty.
            end if phrase.count == 0 => self.delimiter(end),
            Token::Special(b',' | b';') | Token::End => Err(Malformed::NoDomain),
            _ => Err(Malformed::Syntax("a special character outside quotes")),
        }
    }

    /// What may stand after a mailbox.
    fn delimiter(&mut self, token: Token<'_>) -> Result<bool, Malformed> {
        match token {
            Token::Special(b',') => Ok(true),
            Token::Special(b';') if self.in_group => {
                self.in_group = false;
                let next = self.lexer.next()?;
                self.delimiter(next)
            }
            Token::End if !self.in_group => Ok(false),
            Token::End => Err(Malformed::Syntax("a group does not end")),
            _ => Err(Malformed::Syntax("text after an address")),
        }
    }

    fn phrase(&mut self) -> Result<(Phrase, Token<'a>), Malformed> {
        let mut phrase = Phrase::default();
        loop {
            match self.lexer.next()? {
                token @ (Token::Atom(_) | Token::Quoted(_) | Token::Special(b'.')) => {
                    phrase.push(token, self.lexer.spaced);
                }
                delimiter => return Ok((phrase, delimiter)),
            }
        }
    }

    fn angle_addr(&mut self) -> Result<(), Malformed> {
        let (local_part, next) = self.phrase()?;
        match next {
            Token::Special(b'@') if local_part.count == 0 => {
                Err(Malformed::Syntax("a source route"))
            }
            Token::Special(b'@') => match self.addr_spec(local_part)? {
                Token::Special(b'>') => Ok(()),
                _ => Err(Malformed::Syntax("an angle bracket does not close")),
            },
            Token::Special(b'>') => Err(Malformed::NoDomain),
            _ => Err(Malformed::Syntax("an angle bracket does not close")),
        }
    }

    /// Reads the domain after the `@` and notes it; returns the token that ended it.
    fn addr_spec(&mut self, local_part: Phrase) -> Result<Token<'a>, Malformed> {
        if !local_part.is_local_part() {
            return Err(Malformed::Syntax("an unquoted @ in a name, or a broken local part"));
        }
        let mut name = match self.lexer.next()? {
            Token::Atom(atom) => atom.to_vec(),
            Token::Special(b'[') => return Err(Malformed::NoDomain),
            _ => return Err(Malformed::Syntax("no domain after the @")),
        };
        let end = loop {
            match self.lexer.next()? {
                Token::Special(b'.') if !self.lexer.spaced => name.push(b'.'),
                end => break end,
            }
            match self.lexer.next()? {
                Token::Atom(atom) if !self.lexer.spaced => name.extend_from_slice(atom),
                _ => return Err(Malformed::Syntax("a dot at the end of a domain")),
            }
        };
        self.note(local_part.text, &name)?;
        Ok(end)
    }

    /// RFC 9989 §5.3.1: several mailboxes of one domain are one author domain.
    fn note(&mut self, local_part: Vec<u8>, name: &[u8]) -> Result<(), Malformed> {
        let name = std::str::from_utf8(name).map_err(|_| Malformed::NoDomain)?;
        let domain = normalize(name).ok_or(Malformed::NoDomain)?;
        match (self.wanted, self.found.first()) {
            (Wanted::OneDomain, Some(first)) if first.domain == domain => return Ok(()),
            (Wanted::OneDomain, Some(_)) => return Err(Malformed::SeveralDomains),
            (Wanted::All, _) if self.found.len() == MAILBOXES_MAX => {
                return Err(Malformed::Syntax("too many mailboxes"));
            }
            _ => self.found.push(Mailbox { local_part, domain }),
        }
        Ok(())
    }
}
