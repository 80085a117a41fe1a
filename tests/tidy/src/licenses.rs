//! Under which licences other people's crates may be, and where they may come from. `cargo deny` checks the
//! same by the same list, `deny.toml`, and more; it takes longer to build than all else, so CI has this.

/// The licences that `deny.toml` allows.
pub fn allowed(deny: &str) -> Vec<String> {
    let section = deny.split_once("[licenses]").map_or("", |(_, rest)| rest);
    let list = section.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']'));
    let items = list.map_or("", |(list, _)| list).split(',');
    items.map(|item| item.trim().trim_matches('"').to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The faults of `listed`, lines of `crate|licence` as `cargo tree` gives them.
pub fn license_faults(listed: &str, allowed: &[String]) -> Vec<String> {
    let lines = listed.lines().map(|line| line.trim_end_matches(" (*)"));
    let mut faults: Vec<String> = lines
        .filter_map(|line| line.split_once('|'))
        .filter(|(_, license)| !is_allowed(license, allowed))
        .map(|(name, license)| format!("{name} is under '{license}', which deny.toml does not allow"))
        .collect();
    faults.sort();
    faults.dedup();
    faults
}

/// The crates of a `Cargo.lock` that come from elsewhere than crates.io.
pub fn source_faults(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let elsewhere = sources.filter(|source| !source.contains("github.com/rust-lang/crates.io-index"));
    elsewhere.map(|source| format!("Cargo.lock has a crate from {source}; use those of crates.io")).collect()
}

/// Whether a licence expression can be met by the licences of `allowed`: of an `OR` one side must be, of an
/// `AND` both. A `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed);
    met && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed);
    }
    met
}

fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = either(words, at, allowed);
        *at += 1;
        return met && words.get(*at - 1) == Some(&")");
    }
    let mut name = (*word).to_owned();
    if let [with @ "WITH", exception, ..] = words[*at..] {
        *at += 2;
        name = format!("{name} {with} {exception}");
    }
    allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        let allowed = allowed(
            "x = 1\n[licenses]\nallow = [\"MIT\", \"Apache-2.0 WITH LLVM-exception\", \"ISC\"]\n[bans]",
        );
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND ISC", true),
            ("(MIT OR GPL-3.0", false),
            ("GPL-3.0 OR MIT AND GPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
        let faults = license_faults("a v1|MIT (*)\nb v2|GPL-3.0\nb v2|GPL-3.0 (*)\n\n", &allowed);
        assert_eq!(faults, ["b v2 is under 'GPL-3.0', which deny.toml does not allow"]);
        let index = "registry+https://github.com/rust-lang/crates.io-index";
        let lock = format!("source = \"{index}\"\nsource = \"git+https://x/y\"\n");
        assert_eq!(source_faults(&lock).len(), 1);
    }
}
