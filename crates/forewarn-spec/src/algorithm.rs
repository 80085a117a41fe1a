//! The regression algorithms that a definition of a model may name: this list is the source of the schema.

/// A regression algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ridge regression in closed form.
    Ridge,
    /// linfa's elastic net.
    ElasticNet,
}

impl Algorithm {
    /// All of them with the names that definitions and metrics use.
    pub const NAMED: &'static [(&'static str, Self)] =
        &[(Self::Ridge.as_str(), Self::Ridge), (Self::ElasticNet.as_str(), Self::ElasticNet)];
    /// The names of those that are not supported yet.
    pub(crate) const RESERVED: &'static [&'static str] = &["random_fourier_ridge", "svr"];
    /// Those that are tried where a definition names none.
    pub(crate) const DEFAULT: &'static [Self] = &[Self::Ridge, Self::ElasticNet];

    /// The name used in definitions and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ridge => "ridge",
            Self::ElasticNet => "elastic_net",
        }
    }
}
