//! Named places at which a test lets the program die.
//!
//! Each stands just before or behind a step that a crash must not half undo, and says nothing but that it is
//! passed. The program itself, in a build for tests, installs a listener for it. A build
//! without debug assertions, which is what is released, has no trace of this.

use std::sync::OnceLock;

type Listener = Box<dyn Fn(&'static str) + Send + Sync>;

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Passes the place `name`.
#[inline]
pub fn crash_point(name: &'static str) {
    if cfg!(debug_assertions)
        && let Some(listener) = LISTENER.get()
    {
        listener(name);
    }
}

/// Whether anyone listens: only then is it worth taking a step in two parts with a crash point between.
#[inline]
pub fn crash_points_matter() -> bool {
    cfg!(debug_assertions) && LISTENER.get().is_some()
}

/// From now on `listener` hears of every place that is passed. Only the first one that is installed counts.
pub fn on_crash_point(listener: impl Fn(&'static str) + Send + Sync + 'static) {
    // A second listener would have to share the places with the first one; no program needs two.
    let _first = LISTENER.set(Box::new(listener));
}
