//! No circle of imports stands inside a crate: of two modules at most one needs the other, on whatever way.

#[cfg(test)]
mod tests;

use crate::modules::{Edge, Modules};
use crate::tree::Package;

/// A fault for each group of modules that need each other.
pub fn faults(package: &Package) -> Vec<String> {
    Modules::of(package).iter().flat_map(|modules| faults_of(&package.name, modules)).collect()
}

fn faults_of(name: &str, modules: &Modules) -> Vec<String> {
    let edges = modules.edges();
    let reach = reach(modules.all.len(), &edges);
    let mut faults = Vec::new();
    for (first, onward) in reach.iter().enumerate() {
        let group: Vec<usize> =
            (0..reach.len()).filter(|other| onward[*other] && reach[*other][first]).collect();
        if group.len() > 1 && group[0] == first {
            faults.push(describe(name, modules, &edges, &group));
        }
    }
    faults
}

/// Which module needs which, directly or through others.
fn reach(count: usize, edges: &[Edge]) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; count]; count];
    for edge in edges {
        reach[edge.from][edge.to] = true;
    }
    for through in 0..count {
        let onward = reach[through].clone();
        for row in reach.iter_mut().filter(|row| row[through]) {
            row.iter_mut().zip(&onward).for_each(|(cell, also)| *cell |= also);
        }
    }
    reach
}

fn describe(name: &str, modules: &Modules, edges: &[Edge], group: &[usize]) -> String {
    let names: Vec<String> = group.iter().map(|module| modules.name(*module)).collect();
    let mut lines = vec![format!("{name}: {} modules need each other: {}", group.len(), names.join(", "))];
    for edge in edges.iter().filter(|edge| group.contains(&edge.from) && group.contains(&edge.to)) {
        let (from, to) = (modules.name(edge.from), modules.name(edge.to));
        lines.push(format!("    {from} -> {to} by {} in line {}", edge.path, edge.line));
    }
    lines.push("  move what both need into a module of its own, below them".to_owned());
    lines.join("\n")
}
