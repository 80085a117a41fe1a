//! Selectors over asset paths: `plant1/**/pump*`.

use std::fmt;

/// Globs over asset paths: `**` stands for any number of levels (also none), `*` and `?` for characters
/// within a level. What one of them selects is selected, unless one of those to leave out selects it,
/// too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetGlob {
    /// All of them, those to leave out with a `!` before them.
    text: String,
    any: Vec<String>,
    none: Vec<String>,
}

const MAX_BYTES: usize = 256;

impl AssetGlob {
    /// Reads a selector.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the selector is empty; `**` selects every asset".to_owned());
        }
        if text.len() > MAX_BYTES {
            return Err(format!("the selector is longer than {MAX_BYTES} bytes"));
        }
        for level in text.split('/') {
            if level.is_empty() {
                return Err(format!("the selector {text:?} has an empty level"));
            }
            if level.contains("**") && level != "**" {
                return Err(format!(
                    "in the selector {text:?}, `**` must be a level of its own, as in `plant1/**/pump*`"
                ));
            }
        }
        Ok(Self { text: text.to_owned(), any: vec![text.to_owned()], none: Vec::new() })
    }

    /// Reads several selectors, of which those with a `!` before them leave out.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse_all<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        let mut selectors = Vec::new();
        for text in texts {
            let text = text.as_ref();
            let (leave_out, bare) = text.strip_prefix('!').map_or((false, text), |bare| (true, bare));
            selectors.push((Self::parse(bare)?, leave_out));
        }
        if selectors.iter().all(|(_, leave_out)| *leave_out) {
            return Err("no asset is selected: name what is to be selected, too".to_owned());
        }
        Ok(Self::of(selectors))
    }

    /// One for several selectors, each with whether it is to be left out.
    pub(crate) fn of(selectors: Vec<(Self, bool)>) -> Self {
        let (mut any, mut none, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (selector, leave_out) in selectors {
            texts.push(format!("{}{}", if leave_out { "!" } else { "" }, selector.text));
            if leave_out { &mut none } else { &mut any }.push(selector.text);
        }
        Self { text: texts.join(", "), any, none }
    }

    /// Whether it selects `asset`.
    #[must_use]
    pub fn matches(&self, asset: &str) -> bool {
        let levels: Vec<&str> = asset.split('/').collect();
        let selects = |text: &String| Self::selects(text, &levels);
        self.any.iter().any(selects) && !self.none.iter().any(selects)
    }

    fn selects(text: &str, levels: &[&str]) -> bool {
        let pattern: Vec<&str> = text.split('/').collect();
        // Dynamic programming over levels: reachable[i] says whether the pattern so far can end before level
        // i.
        let mut reachable = vec![false; levels.len() + 1];
        reachable[0] = true;
        for part in pattern {
            let mut next = vec![false; levels.len() + 1];
            for i in 0..=levels.len() {
                next[i] = if part == "**" {
                    reachable[i] || (i > 0 && next[i - 1])
                } else {
                    i > 0 && reachable[i - 1] && level_matches(part.as_bytes(), levels[i - 1].as_bytes())
                };
            }
            reachable = next;
        }
        reachable[levels.len()]
    }

    /// Whether some asset can be selected by both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let pairs = self.any.iter().flat_map(|one| other.any.iter().map(move |another| (one, another)));
        pairs.into_iter().any(|(one, another)| {
            // Where one of them is left out by the other as it stands, they do not meet.
            !other.none.contains(one) && !self.none.contains(another) && self.text_meets(one, other, another)
        })
    }

    fn text_meets(&self, one: &str, other: &Self, another: &str) -> bool {
        match (is_path(one), is_path(another)) {
            (true, true) => one == another,
            (true, false) => other.matches(one),
            (false, true) => self.matches(another),
            (false, false) => {
                let (a, b): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), another.split('/').collect());
                meet(
                    &a,
                    &b,
                    |level| *level == "**",
                    |a, b| {
                        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
                        meet(&a, &b, |c| *c == '*', |a, b| a == b || *a == '?' || *b == '?')
                    },
                )
            }
        }
    }

    /// Whether it has no wildcard: it is the path of one asset.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.none.is_empty() && self.any.len() == 1 && is_path(&self.text)
    }

    /// The text it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for AssetGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a selector has no wildcard.
fn is_path(text: &str) -> bool {
    !text.contains(['*', '?'])
}

/// Whether two patterns can stand for the same sequence: parts that are `any` stand for any number of parts,
/// others for one each, and two of those can be the same if they are `equal`.
fn meet<T>(a: &[T], b: &[T], any: impl Fn(&T) -> bool, equal: impl Fn(&T, &T) -> bool) -> bool {
    // Dynamic programming from the ends: row[j] says whether a[i..] and b[j..] meet, and below[j] whether a[i
    // + 1..] and b[j..] do.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            row[j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(part), _) if any(part) => below[j] || (j < b.len() && row[j + 1]),
                (_, Some(part)) if any(part) => row[j + 1] || (i < a.len() && below[j]),
                (Some(left), Some(right)) => equal(left, right) && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

/// Wildcards within one level, by backtracking to the last `*` only, so it takes no more than length × length
/// steps.
fn level_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
                while text.get(t).is_some_and(|byte| byte & 0xC0 == 0x80) {
                    t += 1;
                }
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = retry else { return false };
                p = star + 1;
                t = from + 1;
                retry = Some((star, t));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_select() {
        for (glob, asset, expected) in [
            ("plant1/**", "plant1/line3/pump7", true),
            ("plant1/**", "plant1", true),
            ("plant1/**/pump*", "plant1/pump7", true),
            ("plant1/**/pump*", "plant1/a/b/pump7", true),
            ("plant1/**/pump*", "plant1/a/fan7", false),
            ("plant1/*/pump7", "plant1/line3/pump7", true),
            ("plant1/*/pump7", "plant1/a/b/pump7", false),
            ("**", "anything/at/all", true),
            ("p?mp", "pump", true),
            ("p?mp", "pümp", true),
            ("*a*b", "xaybzb", true),
            ("*a*b", "xaybz", false),
            ("pump7", "plant1/pump7", false),
        ] {
            assert_eq!(AssetGlob::parse(glob).unwrap().matches(asset), expected, "{glob} on {asset}");
        }
    }

    #[test]
    fn selectors_meet_where_one_asset_is_selected_by_both() {
        for (a, b, expected) in [
            ("**", "**", true),
            ("plant1/**", "plant2/**", false),
            ("plant1/**", "plant1", true),
            ("plant1/**", "**/pump*", true),
            ("plant1/**/pump*", "plant1/**/fan*", false),
            ("plant1/**/pump*", "plant1/*/pump7", true),
            ("plant1/*", "plant1/*/*", false),
            ("*a", "b*", true),
            ("a*b", "a*c", false),
            ("p?mp", "pu*", true),
            ("p?mp", "pü*", true),
            ("p?mp", "p*mmmp", false),
            ("pump1", "pump1", true),
            ("pump1", "pump2", false),
        ] {
            let (a, b) = (AssetGlob::parse(a).unwrap(), AssetGlob::parse(b).unwrap());
            assert_eq!((a.meets(&b), b.meets(&a)), (expected, expected), "{a} and {b}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_selected() {
        let of = |texts: &[&str]| {
            let parse = |text: &&str| {
                let bare = text.trim_start_matches('!');
                (AssetGlob::parse(bare).unwrap(), bare != *text)
            };
            AssetGlob::of(texts.iter().map(parse).collect())
        };
        let glob = of(&["plant1/**/pump*", "plant2/**", "!plant1/test/**", "!plant2/*/fan?"]);
        for (asset, expected) in [
            ("plant1/line1/pump1", true),
            ("plant1/test/pump1", false),
            ("plant2/line1/pump1", true),
            ("plant2/line1/fan1", false),
            ("plant3/pump1", false),
        ] {
            assert_eq!(glob.matches(asset), expected, "{asset}");
        }
        assert_eq!(glob.to_string(), "plant1/**/pump*, plant2/**, !plant1/test/**, !plant2/*/fan?");
        let (all, test) = (of(&["**", "!test/**"]), of(&["test/**"]));
        assert!(!all.meets(&test) && !test.meets(&all) && all.meets(&of(&["**"])));
        assert!(of(&["a/b"]).is_path() && !of(&["a/b", "!c"]).is_path());
    }

    #[test]
    fn bad_selectors_are_refused() {
        for bad in ["", "a//b", "/a", "a**", "plant1/**x"] {
            assert!(AssetGlob::parse(bad).is_err(), "{bad:?}");
        }
    }
}
