//! Conditions as they are written, in one form: what makes equal ones equal.

use std::collections::HashMap;
use std::path::Path;

use toml::{Table, Value};

use crate::rules::rule::Rule;

/// The condition of each rule; `None` where its file cannot be read again.
pub(super) fn conditions(rules: &[Rule]) -> Vec<Option<Value>> {
    let mut files: HashMap<&Path, std::vec::IntoIter<Value>> = HashMap::new();
    let mut conditions = Vec::new();
    for rule in rules {
        let path = rule.origin.path.as_path();
        if !files.contains_key(path) {
            let table: Option<Table> = toml::from_str(&rule.origin.text).ok();
            let array = table.and_then(|mut table| match table.remove("rule") {
                Some(Value::Array(array)) => Some(array),
                _ => None,
            });
            files.insert(path, array.unwrap_or_default().into_iter());
        }
        let value = files.get_mut(path).and_then(Iterator::next);
        conditions.push(value.and_then(|value| value.get("when").map(normal)));
    }
    conditions
}

/// The condition with what is joined in order, each part once.
fn normal(condition: &Value) -> Value {
    let Value::Table(table) = condition else { return condition.clone() };
    let part = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("all" | "any", Value::Array(parts)) => {
            let mut parts: Vec<Value> = parts.iter().map(normal).collect();
            parts.sort_by_key(ToString::to_string);
            parts.dedup();
            (key.clone(), Value::Array(parts))
        }
        ("not", value) => (key.clone(), normal(value)),
        (_, value) => (key.clone(), value.clone()),
    };
    let table: Table = table.iter().map(part).collect();
    match (table.len(), table.get("all").or(table.get("any"))) {
        (1, Some(Value::Array(parts))) if parts.len() == 1 => parts[0].clone(),
        _ => Value::Table(table),
    }
}

/// Whether something and its opposite are wanted at once.
pub(super) fn contradicts(condition: &Value) -> bool {
    let Value::Table(table) = condition else { return false };
    let Some(Value::Array(parts)) = table.get("all") else { return false };
    let opposite = |part: &Value| part.get("not").is_some_and(|part| parts.contains(part));
    parts.iter().any(|part| opposite(part) || contradicts(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        normal(&toml::from_str::<Table>(&format!("a = {text}")).unwrap()["a"])
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let one = "{ all = [{ body = 'a' }, { any = [{ body = 'b' }, { body = 'c' }] }] }";
        let other =
            "{ all = [{ any = [{ body = 'c' }, { body = 'b' }] }, { all = [{ body = 'a' }] }] }";
        assert_eq!(value(one), value(other));
        assert_ne!(value(one), value("{ body = 'a' }"));
    }

    #[test]
    fn opposites_contradict() {
        assert!(contradicts(&value("{ all = [{ body = 'a' }, { not = { body = 'a' } }] }")));
        assert!(!contradicts(&value("{ any = [{ body = 'a' }, { not = { body = 'a' } }] }")));
        assert!(!contradicts(&value("{ all = [{ body = 'a' }, { not = { body = 'b' } }] }")));
    }
}
