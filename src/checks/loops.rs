//! Mail that would be bounced after we took it: a `Delivered-To` field that names its own recipient
//! says that it has been there, and Postfix's delivery agents then bounce it as looping. Spammers
//! write the field on purpose, so that the bounce hits whom they like.

use std::collections::HashSet;

use crate::message::header::HeaderBlock;

/// What a header says of a message's own recipients.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Looping<'a> {
    /// The first recipient that it names.
    pub recipient: &'a str,
    /// Whether it names all of them, so that nobody would get the message.
    pub is_of_all: bool,
}

/// Which recipients a message could not be delivered to; those that are exempt could.
pub(crate) fn looping<'a>(
    headers: &HeaderBlock,
    recipients: &'a [String],
    is_exempt: impl Fn(&str) -> bool,
) -> Option<Looping<'a>> {
    let delivered: HashSet<String> =
        headers.named("Delivered-To").filter_map(|field| address(field.value)).collect();
    if delivered.is_empty() {
        return None;
    }
    let loops =
        |recipient: &&String| delivered.contains(&folded(recipient)) && !is_exempt(recipient);
    let recipient = recipients.iter().find(loops)?;
    Some(Looping { recipient, is_of_all: recipients.iter().all(|recipient| loops(&recipient)) })
}

fn address(value: &[u8]) -> Option<String> {
    let value = str::from_utf8(value).ok()?.trim();
    let bare = value.strip_prefix('<').and_then(|value| value.strip_suffix('>'));
    Some(folded(bare.unwrap_or(value)))
}

/// Postfix, too, compares them without case.
fn folded(address: &str) -> String {
    address.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str], recipients: &[&str]) -> Option<(String, bool)> {
        let mut headers = HeaderBlock::default();
        for value in fields {
            headers.push(b"Delivered-To", value.as_bytes());
        }
        let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        let found = looping(&headers, &recipients, |recipient| recipient.starts_with("list@"));
        found.map(|found| (found.recipient.to_owned(), found.is_of_all))
    }

    #[test]
    fn the_field_names_some_or_all_recipients() {
        let ann = |is_of_all| Some(("ann@example.org".to_owned(), is_of_all));
        assert_eq!(of(&[" Ann@Example.org"], &["ann@example.org"]), ann(true));
        assert_eq!(of(&["\r\n <ann@example.org> "], &["ann@example.org"]), ann(true));
        assert_eq!(of(&["x", "ann@example.org"], &["b@c.example", "ann@example.org"]), ann(false));
        assert_eq!(
            of(&["ann@example.org", "b@c.example"], &["ann@example.org", "b@c.example"]),
            ann(true)
        );
        assert_eq!(of(&["ann@example.org", "list@c.example"], &["list@c.example"]), None);
        assert_eq!(
            of(&["ann@example.org", "list@c.example"], &["list@c.example", "ann@example.org"]),
            ann(false)
        );
        assert_eq!(of(&["ann@example.net"], &["ann@example.org"]), None);
        assert_eq!(of(&[], &["ann@example.org"]), None);
        assert_eq!(of(&["ann@example.org"], &[]), None);
    }
}
