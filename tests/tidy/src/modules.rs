//! What the modules of a crate define, import and mention, and which module a path leads to.
//!
//! The modules are found as the compiler finds them: from `lib.rs` or `main.rs` on by their `mod`
//! declarations. What is compiled for tests only is left out. Macros are not expanded; the paths in their
//! arguments are seen as any others.
//!
//! A path through a facade means what it leads to: if `a.rs` says `pub use b::Thing`, then `crate::a::Thing`
//! leads to `a/b.rs`. Re-exporting a name is not using it, unless the name stands in the facade's own code.

mod module;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use module::{Import, Module};

use crate::tree::Package;

/// How often a path may lead through re-exports. More than that is a circle of re-exports.
const MAX_STEPS: usize = 16;

/// One module needs another: `from` and `to` are files' modules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// What needs.
    pub from: usize,
    /// What is needed.
    pub to: usize,
    /// The path by which it says so.
    pub path: String,
    /// The line where it says so.
    pub line: usize,
}

/// The modules of one crate; the first one is its root.
pub struct Modules {
    /// All of them.
    pub all: Vec<Module>,
}

impl Modules {
    /// The modules of each crate of a package: its library, its programs, or both.
    ///
    /// # Panics
    /// If a declared module has no file.
    pub fn of(package: &Package) -> Vec<Self> {
        let bins = package.manifest.split("[[bin]]").skip(1);
        let paths = bins.filter_map(|part| part.split("path = \"").nth(1)?.split('"').next());
        let mut roots: BTreeSet<&str> = paths.collect();
        roots.extend(["src/lib.rs", "src/main.rs"]);
        roots
            .into_iter()
            .filter(|path| package.files.contains_key(*path))
            .map(|root| Self { all: read::read(package, root) })
            .collect()
    }

    /// A module's path as one writes it.
    pub fn name(&self, module: usize) -> String {
        let path = &self.all[module].path;
        if path.is_empty() { "the crate's root".to_owned() } else { path.join("::") }
    }

    /// Whether a path that begins like this leads out of the crate, to a dependency of this name.
    pub fn is_outside(&self, module: usize, first: &str) -> bool {
        let module = &self.all[module];
        let own = module
            .imports
            .iter()
            .any(|import| import.name == first && import.path.first().is_some_and(|word| word != first));
        !own && !module.children.contains_key(first)
    }

    /// Which file needs which, once for each pair.
    pub fn edges(&self) -> Vec<Edge> {
        let mut found = BTreeMap::new();
        for (from, module) in self.all.iter().enumerate() {
            for (path, line) in needs(module) {
                for to in self.targets(from, path) {
                    let (from, to) = (module.owner, self.all[to].owner);
                    if from != to {
                        found.entry((from, to)).or_insert(Edge { from, to, path: path.join("::"), line });
                    }
                }
            }
        }
        found.into_values().collect()
    }

    /// The modules that define what a path names: one, or several if it names all of a facade.
    fn targets(&self, from: usize, path: &[String]) -> Vec<usize> {
        let all = path.last().is_some_and(|last| last == "*");
        let path = if all { &path[..path.len() - 1] } else { path };
        let Some(target) = self.resolve(from, path, MAX_STEPS) else { return Vec::new() };
        let mut targets = vec![target];
        if all {
            let passed_on = self.all[target].imports.iter().filter(|import| import.public);
            targets.extend(passed_on.filter_map(|import| self.resolve(target, &import.path, MAX_STEPS)));
        }
        targets
    }

    /// The module that defines what `path`, written in the module `from`, names; none if that lies outside
    /// of the crate.
    fn resolve(&self, from: usize, path: &[String], steps: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let module = &self.all[from];
        match first.as_str() {
            _ if steps == 0 => None,
            "crate" => Some(self.descend(0, rest, steps)),
            "self" => Some(self.descend(from, rest, steps)),
            "super" => self.descend_from_parent(from, rest, steps),
            _ if module.children.contains_key(first) => Some(self.descend(from, path, steps)),
            _ => {
                let import = module.imports.iter().find(|import| import.name == *first)?;
                if import.path.len() == 1 && import.path[0] == *first {
                    return None;
                }
                let whole: Vec<String> = import.path.iter().chain(rest).cloned().collect();
                self.resolve(from, &whole, steps - 1)
            }
        }
    }

    fn descend_from_parent(&self, from: usize, rest: &[String], steps: usize) -> Option<usize> {
        let parent = self.all[from].parent?;
        match rest.split_first() {
            Some((next, rest)) if next == "super" => self.descend_from_parent(parent, rest, steps),
            _ => Some(self.descend(parent, rest, steps)),
        }
    }

    /// Follows a path that begins in the module `at`: through its children, then to what defines the name.
    fn descend(&self, mut at: usize, path: &[String], steps: usize) -> usize {
        for (place, name) in path.iter().enumerate() {
            let module = &self.all[at];
            if let Some(child) = module.children.get(name) {
                at = *child;
                continue;
            }
            if module.items.contains(name) {
                return at;
            }
            return self.passed_on(at, &path[place..], steps).unwrap_or(at);
        }
        at
    }

    /// What a name that the module `at` only re-exports leads to.
    fn passed_on(&self, at: usize, path: &[String], steps: usize) -> Option<usize> {
        let module = &self.all[at];
        let steps = steps.checked_sub(1)?;
        if let Some(import) = module.imports.iter().find(|import| import.name == path[0]) {
            let whole: Vec<String> = import.path.iter().chain(&path[1..]).cloned().collect();
            return self.resolve(at, &whole, steps);
        }
        let mut globs = module.imports.iter().filter(|import| import.name == "*");
        globs.find_map(|import| {
            let source = self.resolve(at, &import.path[..import.path.len() - 1], steps)?;
            let names = &self.all[source];
            let known = names.items.contains(&path[0]) || names.children.contains_key(&path[0]);
            if known { Some(self.descend(source, path, steps)) } else { self.passed_on(source, path, steps) }
        })
    }
}

/// The paths by which a module needs others.
fn needs(module: &Module) -> impl Iterator<Item = (&[String], usize)> {
    let begins = |name: &str| module.mentions.iter().any(|(path, _)| path[0] == name);
    let imports = module.imports.iter().filter(move |import| {
        let passed_on = import.public && !module.words.contains(&import.name);
        // A module that is imported to name things in it is as good as the paths that name them.
        !passed_on && !begins(&import.name)
    });
    let mentions = module.mentions.iter().map(|(path, line)| (path.as_slice(), *line));
    imports.map(|import| (import.path.as_slice(), import.line)).chain(mentions)
}
