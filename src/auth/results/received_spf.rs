//! The Received-SPF header field (RFC 7208 §9.1), one an identity.

use super::fold;
use super::pvalue;
use crate::auth::spf::Spf;
use crate::message::envelope::Envelope;
use crate::result::AuthResult;

/// What stands before the value on its first line.
const NAME: &str = "Received-SPF: ";

/// The value of the field, without the leading space; folds are CRLF and a tab.
pub fn received_spf(receiver: &str, envelope: &Envelope, spf: &Spf) -> String {
    let client = envelope.client.addr.map(|addr| addr.to_canonical().to_string());
    let is_error = matches!(spf.result, AuthResult::Temperror | AuthResult::Permerror);
    let pairs = [
        ("identity", Some(spf.identity.as_str())),
        ("client-ip", client.as_deref()),
        ("envelope-from", Some(envelope.mail_from.as_str())),
        ("helo", envelope.helo.as_deref()),
        ("receiver", Some(receiver)),
        ("mechanism", spf.mechanism.as_deref()),
        ("problem", spf.reason.as_deref().filter(|_| is_error)),
    ];
    let mut pairs: Vec<String> = pairs
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", pvalue::dotted(value?)?)))
        .collect();
    if let Some((_, followed)) = pairs.split_last_mut() {
        for pair in followed {
            pair.push(';');
        }
    }
    pairs.insert(0, spf.result.to_string());
    fold::fill(NAME, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::spf::Identity;
    use crate::message::envelope::Client;

    fn field(mail_from: &str, helo: &str, result: AuthResult, text: &str) -> String {
        let addr = Some("2001:db8::1".parse().unwrap());
        let envelope = Envelope {
            client: Client { addr, name: None },
            helo: Some(helo.to_owned()),
            mail_from: mail_from.to_owned(),
            ..Envelope::default()
        };
        let spf = Spf {
            result,
            identity: Identity::MailFrom,
            domain: "example.net".to_owned(),
            value: mail_from.to_owned(),
            reason: Some(text.to_owned()),
            mechanism: Some(text.to_owned()),
            any_client: false,
            explanation: None,
        };
        received_spf("mx.example.org", &envelope, &spf)
    }

    #[test]
    fn the_fields_form() {
        assert_eq!(
            field("joe@example.net", "client.example.net", AuthResult::Pass, "a:b.example"),
            "pass identity=mailfrom; client-ip=\"2001:db8::1\";\r\n\
             \tenvelope-from=\"joe@example.net\"; helo=client.example.net;\r\n\
             \treceiver=mx.example.org; mechanism=\"a:b.example\""
        );
    }

    /// What the client says stays within its quotes.
    #[test]
    fn values_cannot_inject() {
        let hostile = "a\"; receiver=x (\r\nX: y\0\\";
        let value = field(hostile, hostile, AuthResult::Permerror, hostile);
        let shown = r#""a\"; receiver=x (??X: y?\\""#;
        for key in ["envelope-from", "helo", "mechanism", "problem"] {
            assert!(value.contains(&format!("{key}={shown}")), "{value}");
        }
        assert_eq!(value.matches("\r\n").count(), value.matches("\r\n\t").count());
    }

    #[test]
    fn long_values_are_left_out() {
        let long = "a".repeat(100_000);
        let value = field(&long, &long, AuthResult::Temperror, &long);
        assert!(value.len() < 200, "{value}");
        assert_eq!(field("", "", AuthResult::None, "x").matches("=\"\"").count(), 2);
    }
}
