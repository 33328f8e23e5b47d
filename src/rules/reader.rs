//! Walks the tables of a rule file and gathers what is wrong with them.

use std::sync::Arc;

use toml::de::DeTable;

use super::list::List;
use super::lists::Lists;
use super::names::Names;
use super::rule::Origin;
use crate::config::error::{Complaint, quoted};
use crate::config::nearest::nearest;
use crate::config::value::{Located, Read, Value, text, wrong_type};

/// One file while it is read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) origin: &'a Arc<Origin>,
    pub(super) faults: Vec<Located>,
    pub(super) names: &'a mut Names,
    pub(super) lists: &'a mut Lists,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, at: usize, complaint: Complaint) {
        self.faults.push(Located { at, complaint });
    }

    /// What a reader made of a value, its faults gathered.
    pub(super) fn keep<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// The value of a field, if it is there and right.
    pub(super) fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        field: &str,
        read: &impl Fn(&Value<'_>) -> Read<T>,
    ) -> Option<T> {
        let read = read(table.get(field)?).map_err(|mut faults| {
            for fault in &mut faults {
                fault.complaint.message = format!("{field}: {}", fault.complaint.message);
            }
            faults
        });
        self.keep(read)
    }

    /// The value of a field that has to be there; `at` is the place of the table.
    pub(super) fn required<T>(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        field: &str,
        read: &impl Fn(&Value<'_>) -> Read<T>,
    ) -> Option<T> {
        if table.get(field).is_none() {
            self.fault(at, Complaint::new(format!("\"{field}\" is missing")));
        }
        self.optional(table, field, read)
    }

    /// A string; `field` is its name.
    pub(super) fn text(&mut self, value: &Value<'_>, field: &str) -> Option<String> {
        let read = text(|text| Ok(text.to_owned()))(value).map_err(|mut faults| {
            for fault in &mut faults {
                fault.complaint.message = format!("{field}: {}", fault.complaint.message);
            }
            faults
        });
        self.keep(read)
    }

    /// The list in the file that a value names, from the directory of the rule file.
    pub(super) fn list_of(&mut self, value: &Value<'_>) -> Option<Arc<List>> {
        let name = self.text(value, "in_list")?;
        let path = self.origin.path.with_file_name("").join(&name);
        match self.lists.list(&path) {
            Ok(list) => Some(list),
            Err(complaint) => {
                self.fault(value.span().start, complaint);
                None
            }
        }
    }

    /// The table that a value is; `field` is its name.
    pub(super) fn table<'t>(
        &mut self,
        value: &'t Value<'_>,
        field: &str,
    ) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let mut fault = wrong_type::<()>(value, "a table").err().into_iter().flatten();
            self.faults.extend(fault.next().map(|mut fault| {
                fault.complaint.message = format!("{field}: {}", fault.complaint.message);
                fault
            }));
        }
        table
    }

    /// Whether all fields are known; the others are faults.
    pub(super) fn refuse_unknown_fields(
        &mut self,
        table: &DeTable<'_>,
        known: &[&str],
        place: &str,
    ) -> bool {
        let before = self.faults.len();
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let complaint = Complaint::new(format!("unknown field {} in {place}", quoted(name)));
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of: {}", known.join(", ")),
            };
            self.fault(key.span().start, complaint.hint(hint));
        }
        self.faults.len() == before
    }
}

/// A field that has to be there.
pub(super) fn missing(field: &str, hint: &str) -> Complaint {
    Complaint::new(format!("\"{field}\" is missing")).hint(hint)
}
