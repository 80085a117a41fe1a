//! The definitions in force, as texts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;

/// The pipeline files in force, as texts: what the engine compiles and what an alert's evidence refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// The files, by path.
    pub files: Vec<DefinitionFile>,
}

/// One definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionFile {
    /// Path relative to the pipelines folder, for messages.
    pub path: String,
    /// The YAML text.
    pub text: Arc<str>,
}

impl JsonBody for Definitions {
    const NAME: &'static str = "definitions";
    const TABLE: Option<&'static str> = None;
}
