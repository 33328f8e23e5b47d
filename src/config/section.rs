//! One section of a config file while it is read: values by name, faults and unknown keys kept.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::error::{Complaint, quoted};
use super::fields::{self, Default, Field};
use super::nearest::nearest;
use super::value::{Located, Read, Value};

/// What is gathered while a file is read.
#[derive(Default)]
pub(super) struct Gathered {
    /// The faults, in the order in which they were met.
    pub(super) faults: Vec<Located>,
    /// The resolved values, as TOML.
    pub(super) shown: String,
}

impl Gathered {
    pub(super) fn fault(&mut self, at: usize, complaint: Complaint) {
        self.faults.push(Located { at, complaint });
    }

    fn show(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.shown, "{key} = {value}");
    }
}

/// One section, and what was gathered of it.
pub(super) struct Section<'a, 'g> {
    fields: &'static fields::Section,
    table: Option<&'a DeTable<'a>>,
    gathered: &'g mut Gathered,
}

impl<'a, 'g> Section<'a, 'g> {
    /// The section of that name; `table` is none where the file does not have it.
    pub(super) fn new(
        name: &str,
        table: Option<&'a DeTable<'a>>,
        gathered: &'g mut Gathered,
    ) -> Self {
        let fields = fields::SECTIONS.iter().find(|section| section.name == name);
        let fields = fields.expect("resolve asks only for sections of the list");
        let (open, close) = if fields.repeated { ("[[", "]]") } else { ("[", "]") };
        let line_end = if gathered.shown.is_empty() { "" } else { "\n" };
        let _ = writeln!(gathered.shown, "{line_end}{open}{name}{close}");
        let mut section = Self { fields, table, gathered };
        section.refuse_unknown_keys();
        section
    }

    /// The value of a key, or its default.
    pub(super) fn take<T>(&mut self, key: &str, read: impl Fn(&Value<'_>) -> Read<T>) -> T {
        self.take_shown(key, read, |_, value| shown(value))
    }

    /// Like `take`; `show` says what `config show` prints.
    pub(super) fn take_shown<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Value<'_>) -> Read<T>,
        show: impl Fn(&T, &DeValue<'_>) -> String,
    ) -> T {
        let default = match self.field(key).default {
            Default::Toml(text) => DeValue::parse(text).expect("defaults are TOML: tested"),
            Default::Unset(_) => unreachable!("resolve reads {key} as optional"),
        };
        if let Some((value, typed)) = self.written(key, &read) {
            self.gathered.show(key, &show(&typed, value.get_ref()));
            return typed;
        }
        let typed = read(&default).expect("defaults are valid: tested");
        self.gathered.show(key, &show(&typed, default.get_ref()));
        typed
    }

    /// Whether the file sets a key.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(self.field(key).name))
    }

    /// The value of a key that has no default.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Value<'_>) -> Read<T>,
    ) -> Option<T> {
        self.optional_shown(key, read, |_, value| shown(value))
    }

    /// Like `optional`; `show` says what `config show` prints.
    pub(super) fn optional_shown<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Value<'_>) -> Read<T>,
        show: impl Fn(&T, &DeValue<'_>) -> String,
    ) -> Option<T> {
        let (value, typed) = self.written(key, &read)?;
        self.gathered.show(key, &show(&typed, value.get_ref()));
        Some(typed)
    }

    /// A text whose default is only known at run time.
    pub(super) fn computed(
        &mut self,
        key: &str,
        read: impl Fn(&Value<'_>) -> Read<String>,
        default: impl Fn() -> String,
    ) -> String {
        self.optional(key, read).unwrap_or_else(|| {
            let text = default();
            self.gathered.show(key, &shown_text(&text));
            text
        })
    }

    fn field(&self, key: &str) -> &'static Field {
        let found = self.fields.fields.iter().find(|field| field.name == key);
        found.expect("resolve asks only for keys of the list")
    }

    /// The file's value of a key, where there is one and it is right.
    fn written<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Value<'_>) -> Read<T>,
    ) -> Option<(&'a Value<'a>, T)> {
        let field = self.field(key);
        let value = self.table?.get(field.name)?;
        match read(value) {
            Ok(typed) => Some((value, typed)),
            Err(faults) => {
                for Located { at, mut complaint } in faults {
                    complaint.message =
                        format!("{}.{key}: {}", self.fields.name, complaint.message);
                    self.gathered.fault(at, complaint);
                }
                None
            }
        }
    }

    fn refuse_unknown_keys(&mut self) {
        for key in self.table.into_iter().flat_map(|table| table.keys()) {
            let name = key.get_ref();
            let known = self.fields.fields.iter().any(|field| field.name == name);
            if !known && !is_section(&format!("{}.{name}", self.fields.name)) {
                let complaint = unknown_key(self.fields, name);
                self.gathered.fault(key.span().start, complaint);
            }
        }
    }
}

fn is_section(name: &str) -> bool {
    fields::SECTIONS.iter().any(|section| section.name == name)
}

fn unknown_key(section: &fields::Section, name: &str) -> Complaint {
    let complaint = Complaint::new(format!("unknown key {} in [{}]", quoted(name), section.name));
    if let Some(near) = nearest(name, section.fields.iter().map(|field| field.name)) {
        return complaint.hint(format!("did you mean \"{near}\"?"));
    }
    match home_of(name) {
        Some(home) => complaint.hint(format!("it belongs in [{}]", home.name)),
        None => complaint.hint("mailseal config default lists all keys"),
    }
}

/// The first section that has a key of that name.
pub(super) fn home_of(name: &str) -> Option<&'static fields::Section> {
    let has = |section: &&fields::Section| section.fields.iter().any(|field| field.name == name);
    fields::SECTIONS.iter().find(has)
}

/// A value as TOML.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shown_text(text),
        DeValue::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| shown(entry.get_ref())).collect();
            format!("[{}]", entries.join(", "))
        }
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            unreachable!("no key takes such a value")
        }
    }
}

/// A string as TOML.
pub(super) fn shown_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}
