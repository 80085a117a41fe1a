//! The engine's state as bytes, so that a restart need not replay the whole log.
//!
//! `FWEN`, one byte of version, then the state and the fingerprints of its rules as `MessagePack`, which keeps every bit of every number.
//! Compiled definitions are not stored: they are compiled again from their texts, and must come out the same.

use serde::{Deserialize, Serialize};

use crate::engine::load;
use crate::{Engine, EngineError};

const MAGIC: &[u8; 4] = b"FWEN";
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Written<'a> {
    rules: Vec<&'a str>,
    engine: &'a Engine,
}

#[derive(Deserialize)]
struct Read {
    rules: Vec<String>,
    engine: Engine,
}

impl Engine {
    /// The whole state.
    ///
    /// # Errors
    /// [`EngineError::Write`] if it cannot be encoded.
    pub fn snapshot(&self) -> Result<Vec<u8>, EngineError> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        let rules = self.program.rules.iter().map(|rule| rule.key.as_str()).collect();
        rmp_serde::encode::write(&mut bytes, &Written { rules, engine: self })?;
        Ok(bytes)
    }

    /// An engine that goes on where the one that wrote the snapshot stood.
    ///
    /// # Errors
    /// [`EngineError`] if the bytes are no snapshot, are of another version, or hold definitions this program reads differently.
    pub fn restore(bytes: &[u8]) -> Result<Self, EngineError> {
        let broken = |what: &str| EngineError::NotASnapshot(what.to_owned());
        let body = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("they do not begin with FWEN"))?;
        let (version, body) = body.split_first().ok_or_else(|| broken("they end after FWEN"))?;
        if *version != VERSION {
            return Err(EngineError::UnknownVersion { found: *version, known: VERSION });
        }
        let Read { rules, mut engine } = rmp_serde::from_slice(body).map_err(|error| broken(&error.to_string()))?;
        let program = if engine.files.is_empty() {
            crate::program::Program::default()
        } else {
            load(&engine.files).map_err(EngineError::Definitions)?
        };
        if !program.rules.iter().map(|rule| rule.key.as_str()).eq(rules.iter().map(String::as_str)) {
            return Err(EngineError::Definitions("the fingerprints of its rules differ".to_owned()));
        }
        engine.program = program;
        for shard in &mut engine.shards {
            shard.rebuild_deadlines(&engine.program);
        }
        Ok(engine)
    }
}
