//! The value of a Content-Type field, token by token, as Postfix reads it: leniently.

/// The tokens of a Content-Type value (RFC 2045 §5.1), comments and blanks left out.
pub(super) struct Tokens<'a> {
    pub(super) rest: &'a [u8],
}

impl Tokens<'_> {
    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.first() != Some(&b'(') {
                return;
            }
            let mut depth = 0_usize;
            let mut escaped = false;
            let end = self.rest.iter().position(|&octet| {
                match octet {
                    _ if escaped => {}
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                escaped = octet == b'\\' && !escaped;
                depth == 0
            });
            self.rest = end.and_then(|end| self.rest.get(end + 1..)).unwrap_or_default();
        }
    }

    pub(super) fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest.first().copied()
    }

    /// The token behind the special character that is next.
    pub(super) fn after_special(&mut self) -> Vec<u8> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.next_token()
    }

    /// A token or quoted string; nothing where neither is next.
    pub(super) fn next_token(&mut self) -> Vec<u8> {
        self.skip_blanks();
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        let ends = |octet: &u8| {
            octet.is_ascii_whitespace()
                || octet.is_ascii_control()
                || b"()<>@,;:\\\"/[]?=".contains(octet)
        };
        let len = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        token.to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut octets = self.rest.iter().enumerate().skip(1);
        let mut end = self.rest.len();
        while let Some((at, &octet)) = octets.next() {
            match octet {
                b'"' => {
                    end = at + 1;
                    break;
                }
                b'\\' => text.extend(octets.next().map(|(_, &octet)| octet)),
                b'\n' => {}
                octet => text.push(octet),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        text
    }

    /// Goes behind the next semicolon; `false` where there is none.
    pub(super) fn next_parameter(&mut self) -> bool {
        loop {
            match self.peek() {
                None => return false,
                Some(b';') => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    return true;
                }
                Some(b'"') => {
                    self.quoted();
                }
                Some(_) => self.rest = self.rest.get(1..).unwrap_or_default(),
            }
        }
    }
}
