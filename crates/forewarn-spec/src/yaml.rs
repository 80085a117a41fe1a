//! Definition files as texts: from YAML to raw structs of texts with their places, what kinds of texts there
//! are, and what each stands for. What a pipeline, a model or the settings mean is not known here.

pub(crate) mod field;
mod form;
pub(crate) mod free;
pub(crate) mod hours;
pub(crate) mod kinds;
pub(crate) mod many;
pub(crate) mod read;
pub(crate) mod references;
mod tree;
pub(crate) mod values;
