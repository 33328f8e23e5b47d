//! The commented sample config, made from the list of fields.
//!
//! Keys are commented out with `#` alone and comments with `# `, as `sshd_config` has it: what an
//! operator does not set follows the defaults of later versions, and taking away each `#` that no
//! space follows gives the defaults themselves.

use std::fmt::Write as _;

use super::fields::{Default, Field, SECTIONS, Section};

const HEAD: &str = "\
# mailseal.toml: the configuration of mailseal, with all keys and their defaults.
#
# A key is set by taking away the # before it. Check the file with
#     mailseal config check mailseal.toml
# and see what is in force with
#     mailseal config show --config mailseal.toml
";

/// The sample.
pub fn sample() -> String {
    SECTIONS.iter().fold(HEAD.to_owned(), |mut text, section| {
        write_section(&mut text, section);
        text
    })
}

fn write_section(text: &mut String, section: &Section) {
    text.push('\n');
    let name = section.name;
    if section.repeated {
        comment(text, section.doc);
        let _ = writeln!(text, "# [[{name}]]");
    } else {
        let _ = writeln!(text, "[{name}]");
        comment(text, section.doc);
    }
    for field in section.fields {
        write_field(text, section, field);
    }
}

fn write_field(text: &mut String, section: &Section, field: &Field) {
    if section.repeated {
        let (Default::Toml(value) | Default::Unset(value)) = field.default;
        let _ = writeln!(text, "# {} = {value}   # {}", field.name, field.doc);
        return;
    }
    text.push('\n');
    comment(text, field.doc);
    let _ = match field.default {
        Default::Toml(value) => writeln!(text, "#{} = {}", field.name, value.replace('\n', "\n#")),
        Default::Unset(value) => writeln!(text, "# For example: {} = {value}", field.name),
    };
}

fn comment(text: &mut String, doc: &str) {
    for line in doc.lines() {
        let _ = writeln!(text, "# {line}");
    }
}
