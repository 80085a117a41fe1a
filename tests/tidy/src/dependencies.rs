//! Which crate may use which, and that a crate declares no dependency that its code does not name.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::modules::Modules;
use crate::tokens::{Kind, Token, tokens};
use crate::tree::Package;

/// Which crates a crate may use. Arrows go down only.
pub const ARROWS: [(&str, &[&str]); 15] = [
    ("forewarn-types", &[]),
    ("forewarn-spec", &["types"]),
    ("forewarn-log", &["types"]),
    ("forewarn-ingest", &["types", "spec", "log"]),
    ("forewarn-import", &["types", "ingest"]),
    ("forewarn-sources", &["types", "spec", "log", "ingest"]),
    ("forewarn-engine", &["types", "spec"]),
    ("forewarn-lake", &["types", "log"]),
    ("forewarn-query", &["types", "lake"]),
    ("forewarn-state", &["types", "spec", "log", "ingest", "engine", "lake"]),
    ("forewarn-batch", &["types", "spec", "engine", "lake", "query"]),
    ("forewarn-models", &["types", "spec", "lake", "query"]),
    ("forewarn-notify", &["types", "spec", "log", "state"]),
    (
        "forewarn-api",
        &[
            "types", "spec", "log", "ingest", "sources", "engine", "lake", "query", "state", "batch",
            "models", "notify",
        ],
    ),
    (
        "forewarn",
        &[
            "types", "spec", "log", "ingest", "import", "sources", "engine", "lake", "query", "state",
            "batch", "models", "notify", "api",
        ],
    ),
];

/// The names in a section of a manifest.
pub fn declared(manifest: &str, section: &str) -> BTreeSet<String> {
    let section = manifest.split(&format!("[{section}]\n")).nth(1).unwrap_or("");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .map(str::to_owned)
        .collect()
}

/// A fault if the package uses a crate of ours that does not lie below it.
pub fn arrow_faults(package: &Package, arrows: &[(&str, &[&str])]) -> Vec<String> {
    let Some((_, allowed)) = arrows.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{} is not in the table of crates in {}", package.name, file!())];
    };
    declared(&package.manifest, "dependencies")
        .iter()
        .filter_map(|used| used.strip_prefix("forewarn-"))
        .filter(|used| !allowed.contains(used))
        .map(|used| {
            format!(
                "{} must not use forewarn-{used}: arrows go down only (see ARCHITECTURE.md)",
                package.name
            )
        })
        .collect()
}

/// A fault for each declared dependency that no code of the package names.
pub fn unused_faults(package: &Package) -> Vec<String> {
    let named = named_by_code(package);
    let anywhere = named_anywhere(package);
    let mut faults = Vec::new();
    for dependency in declared(&package.manifest, "dependencies") {
        let name = dependency.replace('-', "_");
        if named.contains(&name) {
            continue;
        }
        let advice = if anywhere.contains(&name) {
            "is named by tests only: move it to [dev-dependencies]"
        } else {
            "is named nowhere in the code: remove it"
        };
        faults.push(format!("{}: the dependency {dependency} {advice}", package.name));
    }
    for dependency in declared(&package.manifest, "dev-dependencies") {
        if !anywhere.contains(&dependency.replace('-', "_")) {
            faults.push(format!(
                "{}: the dev-dependency {dependency} is named nowhere in the code: remove it",
                package.name
            ));
        }
    }
    faults
}

/// A fault for each dependency of the workspace's table that no package takes.
/// The name of the dependency stands before the fault.
pub fn untaken_faults<'a>(
    workspace: &str,
    packages: impl Iterator<Item = &'a Package>,
) -> Vec<(String, String)> {
    let mut untaken = declared(workspace, "workspace.dependencies");
    for package in packages {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for taken in declared(&package.manifest, section) {
                untaken.remove(&taken);
            }
        }
    }
    let fault = |name: &String| format!("Cargo.toml: no package takes {name} from [workspace.dependencies]");
    untaken.into_iter().map(|name| (name.clone(), fault(&name))).collect()
}

/// The crates that the code of the package names, without its tests.
fn named_by_code(package: &Package) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for modules in Modules::of(package) {
        for (place, module) in modules.all.iter().enumerate() {
            let imports = module.imports.iter().map(|import| &import.path);
            let paths = imports.chain(module.mentions.iter().map(|(path, _)| path));
            let firsts = paths.filter_map(|path| path.first());
            named.extend(firsts.filter(|first| modules.is_outside(place, first)).cloned());
        }
    }
    named
}

/// The words that stand where a crate's name can stand, anywhere in the package's files.
fn named_anywhere(package: &Package) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for text in package.files.values() {
        let tokens = tokens(text);
        for (place, token) in tokens.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| &tokens[before]);
            let inside = before.is_some_and(|before| before.kind == Kind::PathSeparator);
            let used = before.is_some_and(|before| before.is_word("use"));
            let opens = tokens.get(place + 1).is_some_and(|next| next.kind == Kind::PathSeparator);
            if let Some(word) = Token::word(token).filter(|_| !inside && (opens || used)) {
                named.insert(word.to_owned());
            }
        }
    }
    named
}
