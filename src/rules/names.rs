//! The names of the rules so far, in the order of files and rules.

use std::collections::HashMap;
use std::sync::Arc;

use super::rule::Origin;
use crate::config::error::Places;

/// Rules that name rules that name rules, and no further.
pub(super) const REFERENCES_MAX: usize = 16;

/// Each name and where its rule stands.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Named>);

#[derive(Debug)]
struct Named {
    origin: Arc<Origin>,
    at: usize,
    /// How many rules follow each other by name from here on.
    references: usize,
}

impl Names {
    /// Takes a name for the rule at a place, or says where it is taken.
    pub(super) fn claim(
        &mut self,
        name: &str,
        origin: &Arc<Origin>,
        at: usize,
    ) -> Result<(), String> {
        if let Some(Named { origin, at, .. }) = self.0.get(name) {
            return Err(format!(
                "{}:{}",
                origin.path.display(),
                Places::new(&origin.text).line(*at)
            ));
        }
        self.0.insert(name.to_owned(), Named { origin: origin.clone(), at, references: 0 });
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Notes which rules a rule names; how many follow each other then.
    pub(super) fn refer<'n>(&mut self, name: &str, to: impl Iterator<Item = &'n str>) -> usize {
        let references = to.filter_map(|to| self.0.get(to)).map(|to| to.references + 1).max();
        let references = references.unwrap_or(0);
        if let Some(named) = self.0.get_mut(name) {
            named.references = references;
        }
        references
    }
}
