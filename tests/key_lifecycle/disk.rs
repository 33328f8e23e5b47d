//! A directory in memory that takes the store's own steps, and that a crash can hit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mailseal::keys::steps::Step;

use crate::chance::Chance;

/// What ends a process in the middle of its steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Crash {
    /// The kernel goes on: what was done is done.
    Killed,
    /// The power fails: names that were not synced may be the old ones.
    PowerLoss,
}

type Names = BTreeMap<PathBuf, usize>;

/// The files of one domain.
#[derive(Default)]
pub(crate) struct Disk {
    names: Names,
    contents: Vec<String>,
    /// The names after each change since the last sync; the first are the ones on disk.
    unsynced: Vec<Names>,
}

impl Disk {
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.names.keys().map(name).collect()
    }

    pub(crate) fn read(&self, path: &Path) -> Option<String> {
        self.names.get(path).map(|inode| self.contents[*inode].clone())
    }

    /// Whether any file has that content.
    pub(crate) fn holds(&self, content: &str) -> bool {
        self.names.values().any(|inode| self.contents[*inode] == content)
    }

    /// Takes all steps, or some where there is to be a crash. Returns whether it crashed.
    pub(crate) fn run(
        &mut self,
        steps: &[Step],
        crash: Option<Crash>,
        chance: &mut Chance,
    ) -> bool {
        let Some(crash) = crash.filter(|_| !steps.is_empty()) else {
            for step in steps {
                self.take(step);
            }
            return false;
        };
        let whole = chance.below(steps.len() as u64) as usize;
        for step in &steps[..whole] {
            self.take(step);
        }
        if chance.one_in(2) {
            self.take_part_of(&steps[whole], chance);
        }
        if crash == Crash::PowerLoss {
            self.lose_power(chance);
        }
        self.unsynced = vec![self.names.clone()];
        true
    }

    /// Each name is what it was at some moment since the last sync, whatever became of the others:
    /// nothing but a sync puts names in order.
    fn lose_power(&mut self, chance: &mut Chance) {
        self.unsynced.push(self.names.clone());
        let paths: BTreeSet<PathBuf> =
            self.unsynced.iter().flat_map(BTreeMap::keys).cloned().collect();
        let mut left = Names::new();
        for path in paths {
            let moment = chance.below(self.unsynced.len() as u64) as usize;
            left.extend(self.unsynced[moment].get(&path).map(|inode| (path.clone(), *inode)));
        }
        self.names = left;
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(path, text) => {
                let was = self.names.insert(path.clone(), self.contents.len());
                assert!(was.is_none(), "{step:?}: exists");
                self.contents.push(text.clone());
            }
            Step::Link(from, to) => {
                let was = self.names.insert(to.clone(), self.names[from]);
                assert!(was.is_none(), "{step:?}: exists");
            }
            Step::Rename(from, to) => {
                let inode = self.names.remove(from).expect("it is there");
                self.names.insert(to.clone(), inode);
            }
            Step::Unlink(path) => {
                self.names.remove(path);
            }
            Step::Erase(path) => {
                if let Some(inode) = self.names.get(path) {
                    self.contents[*inode] = "\0".repeat(self.contents[*inode].len());
                }
            }
            Step::Sync(_) => {
                self.unsynced = vec![self.names.clone()];
                return;
            }
        }
        self.unsynced.push(self.names.clone());
    }

    /// Only these two steps take more than an instant.
    fn take_part_of(&mut self, step: &Step, chance: &mut Chance) {
        match step {
            Step::Write(path, text) => {
                let part = chance.below(text.len() as u64 + 1) as usize;
                self.take(&Step::Write(path.clone(), text[..part].to_owned()));
            }
            Step::Erase(path) => {
                if let Some(inode) = self.names.get(path) {
                    let content = &mut self.contents[*inode];
                    let part = chance.below(content.len() as u64 + 1) as usize;
                    *content = "\0".repeat(part) + &content[part..];
                }
            }
            _ => {}
        }
    }
}
