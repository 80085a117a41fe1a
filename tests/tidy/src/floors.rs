//! No arrow runs from a lower floor of a crate to a higher one.

#[cfg(test)]
mod tests;

use crate::modules::Modules;
use crate::tree::Package;

/// Crates whose top-level modules are floors, from the lowest on. A module that is not named is ground: it
/// lies below all floors. The crate's root lies above all.
pub const FLOORS: [(&str, &[&str]); 1] =
    [("forewarn-lake", &["store", "table", "tail", "read", "write", "upkeep", "lake"])];

/// A fault for each arrow upwards in a crate with these floors, and for each floor that is not there.
pub fn faults(package: &Package, floors: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for modules in Modules::of(package) {
        let missing = floors.iter().filter(|floor| !modules.all[0].children.contains_key(**floor));
        faults.extend(missing.map(|floor| format!("{}: there is no floor {floor}", package.name)));
        for edge in modules.edges() {
            let height = |module: usize| match modules.all[module].path.first() {
                None => floors.len() + 1,
                Some(top) => floors.iter().position(|floor| floor == top).map_or(0, |place| place + 1),
            };
            if height(edge.from) < height(edge.to) {
                let (from, to) = (modules.name(edge.from), modules.name(edge.to));
                faults.push(format!(
                    "{}: {from} must not use {to}, which lies above it ({} in line {})",
                    package.name, edge.path, edge.line
                ));
            }
        }
    }
    faults
}
