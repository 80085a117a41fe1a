//! The engine's state as bytes, so that a restart need not replay the whole log.
//!
//! `FWEN`, one byte of version, then the outline of its definitions and the state as `MessagePack`, which
//! keeps every bit of every number. Compiled definitions are not stored: they are compiled again from their
//! texts. A rule that this program reads differently than the one that wrote the snapshot is treated as one
//! whose definition was changed.

use serde::{Deserialize, Serialize};

use crate::program::{Outline, Program};
use crate::{Engine, EngineError};

const MAGIC: &[u8; 4] = b"FWEN";
const VERSION: u8 = 4;
/// The oldest version that is read. What it holds in another way is read where it stands: see
/// [`State`](crate::state::State).
const OLDEST: u8 = 2;

#[derive(Serialize)]
struct Written<'a> {
    outline: Outline,
    engine: &'a Engine,
}

#[derive(Deserialize)]
struct Read {
    outline: Outline,
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
        rmp_serde::encode::write(&mut bytes, &Written { outline: self.program.outline(), engine: self })?;
        Ok(bytes)
    }

    /// An engine that goes on where the one that wrote the snapshot stood. Alerts of rules that this program
    /// reads differently or does not load end; the next step tells of them. [`Engine::refused`] says what
    /// does not load.
    ///
    /// # Errors
    /// [`EngineError`] if the bytes are no snapshot, or are of another version.
    pub fn restore(bytes: &[u8]) -> Result<Self, EngineError> {
        let broken = |what: &str| EngineError::NotASnapshot(what.to_owned());
        let body = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("they do not begin with FWEN"))?;
        let (version, body) = body.split_first().ok_or_else(|| broken("they end after FWEN"))?;
        if !(OLDEST..=VERSION).contains(version) {
            return Err(EngineError::UnknownVersion { found: *version, known: VERSION });
        }
        let Read { mut outline, mut engine } =
            rmp_serde::from_slice(body).map_err(|error| broken(&error.to_string()))?;
        engine.program = Program::load(&engine.files);
        for shard in &mut engine.shards {
            shard.rebuild_index(&engine.program);
            shard.rebuild_deadlines(&engine.program);
        }
        engine.rebuild_assets();
        engine.begin_running();
        let present = engine.program.outline();
        outline.complete(&present);
        if present != outline {
            engine.carry_over(&outline);
        }
        Ok(engine)
    }
}
