//! The value of a signature field, folded as it grows (RFC 6376 §2.8, RFC 5322 §2.2.3).

/// Where lines are folded, in octets: MTAs leave lines of 78 and fewer as they are.
const LINE_OCTETS_MAX: usize = 76;
/// How much of `b=` the line it begins on should hold.
const B_ROOM_OCTETS: usize = 24;

/// A field value that is folded as it grows.
pub(crate) struct Folded {
    pub(crate) text: String,
    column: usize,
}

impl Folded {
    /// The first words of the field of that name.
    pub(crate) fn new(field_name: &str, start: &str) -> Self {
        Self { text: start.to_owned(), column: field_name.len() + 2 + start.len() }
    }

    /// Starts a new line where this one has no room for so many octets.
    fn room(&mut self, octets: usize) {
        if self.column + octets > LINE_OCTETS_MAX {
            self.column = LINE_OCTETS_MAX;
        }
    }

    /// Adds a word after white space.
    pub(crate) fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > LINE_OCTETS_MAX {
            self.fold();
        } else {
            self.push(" ");
        }
        self.push(word);
    }

    /// Adds a colon-separated list; it is folded after colons.
    pub(crate) fn list(&mut self, tag: &str, names: &[String]) {
        let last = names.len().saturating_sub(1);
        for (index, name) in names.iter().enumerate() {
            let end = if index == last { ';' } else { ':' };
            if index == 0 {
                self.word(&format!("{tag}{name}{end}"));
                continue;
            }
            if self.column + name.len() + 1 > LINE_OCTETS_MAX {
                self.fold();
            }
            self.push(name);
            self.push(if end == ';' { ";" } else { ":" });
        }
    }

    /// Adds text that may be folded anywhere (§3.5 `b=`).
    pub(crate) fn breakable(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let room = LINE_OCTETS_MAX.saturating_sub(self.column);
            let (line, tail) = rest.split_at(room.min(rest.len()));
            self.push(line);
            rest = tail;
            if !rest.is_empty() {
                self.fold();
            }
        }
    }

    /// Adds `b=` without its value, where a good part of that has room.
    pub(crate) fn signature_tag(&mut self) {
        self.room(B_ROOM_OCTETS);
        self.word("b=");
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.column = 1;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}
