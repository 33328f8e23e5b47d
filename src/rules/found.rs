//! What a rule found, for `check`, the log and JSON.

use std::fmt;

use serde::Serialize;

use super::part::View;

/// What made a rule match: the first of its conditions that found something.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Found {
    /// Where: a field's name, `body`, `link`, `mail-from`, `spf` and so on; printable ASCII.
    pub part: String,
    /// How that was read; `None` where it is no text of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// The octet of the view at which it begins: of the field's value without the white space
    /// before it, or of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// What was found, escaped and cut to 60 characters.
    pub text: String,
}

/// Such as `subject folded at 3: viagra`.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.part)?;
        if let Some(view) = self.view.filter(|view| *view != View::Raw) {
            write!(f, " {view}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at {offset}")?;
        }
        write!(f, ": {}", self.text)
    }
}
