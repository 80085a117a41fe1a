//! What is known of one module.

use std::collections::{BTreeMap, BTreeSet};

/// One module.
pub struct Module {
    /// The names on the way from the crate's root; empty for the root itself.
    pub path: Vec<String>,
    /// The module whose file it stands in: itself, unless it is written inside another one's file.
    pub owner: usize,
    /// What holds it.
    pub parent: Option<usize>,
    /// The modules it declares.
    pub children: BTreeMap<String, usize>,
    /// The names of the items it defines.
    pub items: BTreeSet<String>,
    /// Its `use` declarations, one for each name.
    pub imports: Vec<Import>,
    /// The paths in its code, such as `table::open`, with their lines.
    pub mentions: Vec<(Vec<String>, usize)>,
    /// Every word of its code outside `use` declarations.
    pub words: BTreeSet<String>,
}

/// One name that a `use` declaration brings.
pub struct Import {
    /// The path as it is written.
    pub path: Vec<String>,
    /// The name it has here; `*` for all of a module.
    pub name: String,
    /// Whether others can take it from here.
    pub public: bool,
    /// The line of the declaration.
    pub line: usize,
}
