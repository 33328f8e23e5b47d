//! What the groups of a pattern matched.

use regex_automata::meta::Regex;

/// The groups of the patterns of a condition.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The highest number of one.
    pub(super) count: usize,
    /// Their names.
    pub(super) names: Vec<String>,
}

impl Groups {
    pub(super) fn add(&mut self, regex: &Regex) {
        self.count = self.count.max(regex.captures_len().saturating_sub(1));
        let names = regex.group_info().all_names().filter_map(|(_, _, name)| name);
        self.names.extend(names.map(str::to_owned));
    }
}

/// What each group matched; none of them where nothing was captured.
#[derive(Debug, Default)]
pub(super) struct Captures {
    pub(super) groups: Vec<Option<Vec<u8>>>,
    pub(super) names: Vec<Option<String>>,
}

impl Captures {
    pub(super) fn of(regex: &Regex, octets: &[u8]) -> Self {
        let mut captures = regex.create_captures();
        regex.captures(octets, &mut captures);
        let group = |index| captures.get_group(index).and_then(|span| octets.get(span.range()));
        let groups = (0..captures.group_len()).map(|index| group(index).map(<[u8]>::to_vec));
        let names = regex.group_info().pattern_names(regex_automata::PatternID::ZERO);
        Self {
            groups: groups.collect(),
            names: names.map(|name| name.map(str::to_owned)).collect(),
        }
    }
}
