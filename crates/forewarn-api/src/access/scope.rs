//! The assets that a principal is bound to.

use forewarn_spec::AssetGlob;

/// Globs over assets: what one of them selects is visible, unless one with a `!` before it selects it, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetScope {
    any: Vec<AssetGlob>,
    none: Vec<AssetGlob>,
}

impl AssetScope {
    /// Reads globs; none of them means that there is no bound.
    ///
    /// # Errors
    /// A sentence that says which glob is wrong.
    pub fn parse(globs: &[String]) -> Result<Option<Self>, String> {
        if globs.is_empty() {
            return Ok(None);
        }
        let mut scope = Self { any: Vec::new(), none: Vec::new() };
        for text in globs {
            match text.strip_prefix('!') {
                Some(text) => scope.none.push(AssetGlob::parse(text)?),
                None => scope.any.push(AssetGlob::parse(text)?),
            }
        }
        Ok(Some(scope))
    }

    /// The scope in which nothing is visible.
    pub(crate) const fn nothing() -> Self {
        Self { any: Vec::new(), none: Vec::new() }
    }

    /// Whether `asset` is visible.
    #[must_use]
    pub fn admits(&self, asset: &str) -> bool {
        self.any.iter().any(|glob| glob.matches(asset)) && !self.none.iter().any(|glob| glob.matches(asset))
    }

    /// The globs, as people wrote them.
    pub(crate) fn describe(&self) -> String {
        let any = self.any.iter().map(|glob| glob.as_str().to_owned());
        let none = self.none.iter().map(|glob| format!("!{}", glob.as_str()));
        any.chain(none).collect::<Vec<_>>().join(", ")
    }
}
