//! YAML with all scalars as text: an address or a version must not become a number.

use yaml_rust2::parser::{Event, EventReceiver, Parser};

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// The documents of a stream.
pub fn documents(text: &str) -> Vec<Yaml> {
    let mut builder = Builder::default();
    Parser::new_from_str(text).load(&mut builder, true).unwrap();
    builder.documents
}

impl Yaml {
    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A map's keys and values, in their order.
    pub fn entries(&self) -> &[(String, Yaml)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A list's items; one item where it is no list.
    pub fn items(&self) -> &[Yaml] {
        match self {
            Self::List(items) => items,
            item => std::slice::from_ref(item),
        }
    }

    /// The text; empty where it is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

#[derive(Default)]
struct Builder {
    documents: Vec<Yaml>,
    /// The open lists and maps, a map's pending key with each.
    open: Vec<(Yaml, Option<String>)>,
}

impl Builder {
    fn put(&mut self, value: Yaml) {
        match self.open.last_mut() {
            None => self.documents.push(value),
            Some((Yaml::List(items), _)) => items.push(value),
            Some((Yaml::Map(entries), key)) => match key.take() {
                Some(key) => entries.push((key, value)),
                None => *key = Some(value.text().to_owned()),
            },
            Some((Yaml::Text(_), _)) => unreachable!("text is never open"),
        }
    }
}

impl EventReceiver for Builder {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(text, ..) => self.put(Yaml::Text(text)),
            Event::SequenceStart(..) => self.open.push((Yaml::List(Vec::new()), None)),
            Event::MappingStart(..) => self.open.push((Yaml::Map(Vec::new()), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let (value, _) = self.open.pop().unwrap();
                self.put(value);
            }
            _ => {}
        }
    }
}
