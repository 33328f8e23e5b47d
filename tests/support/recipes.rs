//! The recipes of `docs/tags.md`, which the tests run as they stand there.

use std::fs;
use std::path::Path;

/// The text of a recipe: the code block behind `<!-- recipe: NAME -->`.
///
/// # Panics
/// Where there is no such recipe.
pub fn recipe(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tags.md");
    let page = fs::read_to_string(path).unwrap();
    let mark = format!("<!-- recipe: {name} -->\n```\n");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no recipe {name}"));
    rest.split_once("```\n").unwrap().0.to_owned()
}
