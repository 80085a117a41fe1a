//! Regression algorithms behind one interface, one file a kind.
//!
//! A definition names [`Algorithm`]s. Each stands for several [`Candidate`]s, the algorithm with its
//! settings, of which cross-validation chooses one. Fitted to [`TrainingRows`], a candidate becomes a
//! [`Regressor`], which an artefact stores. Validation, intervals, artefacts and explanations know these
//! types only.
//!
//! A new kind is a file with its settings, which implement [`settings::Settings`], and a line in the list
//! below. If it fits something that no other kind does, it has a form of [`Regressor`] as well.

mod elastic_net;
mod linear;
mod normal;
mod regression;
mod ridge;
mod rows;
mod settings;

#[cfg(test)]
mod tests;

use forewarn_spec::Algorithm;
use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use linear::Linear;
use regression::Regression;
pub(crate) use rows::TrainingRows;
use settings::Settings as _;

/// Makes [`Candidate`] of the list of kinds: their name, which is that of an [`Algorithm`], and settings.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident: $settings:ty,)+) => {
        /// An algorithm with its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "algorithm", rename_all = "snake_case")]
        pub enum Candidate {
            $($(#[$about])* $kind($settings),)+
        }

        impl Candidate {
            /// The candidates of `algorithm`.
            pub(crate) fn of(algorithm: Algorithm) -> Vec<Self> {
                match algorithm {
                    $(Algorithm::$kind => <$settings>::candidates().into_iter().map(Self::$kind).collect(),)+
                }
            }

            /// The algorithm.
            #[must_use]
            pub const fn algorithm(&self) -> Algorithm {
                match self {
                    $(Self::$kind(_) => Algorithm::$kind,)+
                }
            }

            /// Fits to `rows`.
            ///
            /// # Errors
            /// What is wrong with the numbers.
            pub(crate) fn fit(&self, rows: &TrainingRows) -> Result<Regressor, String> {
                match self {
                    $(Self::$kind(settings) => settings.fit(rows).map(Regressor::from),)+
                }
                .map_err(|problem| format!("{}: {problem}", self.algorithm().as_str()))
            }
        }
    };
}

kinds! {
    /// Ridge regression in closed form.
    Ridge: ridge::Ridge,
    /// linfa's elastic net.
    ElasticNet: elastic_net::ElasticNet,
}

/// What has been fitted, as an artefact stores it: under the name of its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Regressor {
    /// A weight for each column.
    Linear(Linear),
}

impl From<Linear> for Regressor {
    fn from(linear: Linear) -> Self {
        Self::Linear(linear)
    }
}

impl Regressor {
    fn regression(&self) -> &dyn Regression {
        match self {
            Self::Linear(linear) => linear,
        }
    }

    /// The predictions for standardised `rows`.
    pub(crate) fn predict(&self, rows: ArrayView2<'_, f64>) -> Vec<f64> {
        self.regression().predict(rows)
    }

    /// How far each of `groups` groups of columns moves the prediction for the standardised `row`, where
    /// `group_of` names the group of each column.
    pub(crate) fn contributions(
        &self,
        row: ArrayView1<'_, f64>,
        group_of: &[usize],
        groups: usize,
    ) -> Vec<f64> {
        self.regression().contributions(row, group_of, groups)
    }
}
