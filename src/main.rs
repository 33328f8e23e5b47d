//! The `mailseal` command.

fn main() {}
