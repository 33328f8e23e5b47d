//! The words of an address list (RFC 5322 §3.2.3, §3.4; RFC 6532 §3.2).

use crate::message::address::Malformed;
use crate::message::cfws;

/// What stands between comments and white space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token<'a> {
    /// A run of atext, octets above ASCII included.
    Atom(&'a [u8]),
    /// A quoted string, with its quotes.
    Quoted(&'a [u8]),
    /// One of the specials.
    Special(u8),
    /// The end of the field.
    End,
}

/// Reads a field's value token by token, each octet once.
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    /// Whether comments or white space stood before the token read last.
    pub(super) spaced: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { rest: value, spaced: false }
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, Malformed> {
        let blank = cfws::skip(self.rest)
            .map_err(|_| Malformed::Syntax("a comment does not end, or a fold is broken"))?;
        self.spaced = blank > 0;
        self.rest = &self.rest[blank..];
        let (token, length) = match self.rest {
            [] => (Token::End, 0),
            [b'"', ..] => {
                let (_, length) = cfws::quoted(self.rest)
                    .map_err(|_| Malformed::Syntax("a quoted string does not end"))?;
                (Token::Quoted(&self.rest[..length]), length)
            }
            [octet, ..] if is_atext(*octet) => self.atom(),
            [octet, ..] if octet.is_ascii_graphic() => (Token::Special(*octet), 1),
            _ => return Err(Malformed::Syntax("a control character")),
        };
        self.rest = &self.rest[length..];
        Ok(token)
    }

    fn atom(&self) -> (Token<'a>, usize) {
        let length = self.rest.iter().take_while(|octet| is_atext(**octet)).count();
        (Token::Atom(&self.rest[..length]), length)
    }
}

fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet) || !octet.is_ascii()
}
