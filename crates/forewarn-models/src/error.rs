//! What can go wrong with a model, and what to do about it.

use forewarn_types::JournalError;

/// Why a model could not be trained, stored or asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No definition of that name.
    #[error("there is no model {name:?}; the models folder defines {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No version of that name.
    #[error(
        "model {model} has no version {version:?}; GET /v1/models/{model}/versions lists those there are"
    )]
    UnknownVersion {
        /// The model.
        model: String,
        /// The version asked for.
        version: String,
    },
    /// Nothing to predict with.
    #[error(
        "model {0} has no version in force; train it, \
         and promote a version if its definition says `promote: manually`"
    )]
    NotTrained(String),
    /// The version in force was trained for another definition.
    #[error(
        "version {version} of model {model} was trained for another definition \
         (assets, signals, features, target or interval have changed since); train the model again"
    )]
    DefinitionChanged {
        /// The model.
        model: String,
        /// The version that no longer fits.
        version: String,
    },
    /// The history does not hold enough to learn from.
    #[error("model {model}: {problem}")]
    NotEnoughData {
        /// The model.
        model: String,
        /// What is missing, and how to supply it.
        problem: String,
    },
    /// The numbers do not permit a fit.
    #[error("model {model}: the fit failed: {problem}")]
    Numeric {
        /// The model.
        model: String,
        /// What went wrong.
        problem: String,
    },
    /// A stored version cannot be used.
    #[error("{path} in the lake {problem}; restore it from a backup, or train the model again")]
    Artefact {
        /// Path of the object in the lake.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The lake did not answer.
    #[error("the lake did not answer the query of a model: {0}; try again")]
    Lake(String),
    /// An answer of the lake would not fit into memory.
    #[error("an answer of the lake is too large for memory: {0}")]
    TooLarge(String),
    /// The log did not take a prediction.
    #[error("a prediction could not be stored: {0}")]
    Journal(#[from] JournalError),
    /// A computation was interrupted because the server shuts down.
    #[error("the computation was interrupted: {0}; run it again")]
    Interrupted(String),
}
