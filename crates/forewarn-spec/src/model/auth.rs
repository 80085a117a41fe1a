//! Who may use the server.

/// Whether users have to say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// All may do everything, without a name.
    #[default]
    Off,
    /// Users log in, and programs have tokens.
    Users,
}

/// Settings of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether users have to say who they are.
    pub mode: AuthMode,
    /// A login that is not used for so long ends, µs.
    pub session_idle_us: i64,
    /// A login ends after so long in any case, µs.
    pub session_us: i64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        const HOUR_US: i64 = 3_600_000_000;
        Self { mode: AuthMode::Off, session_idle_us: 8 * HOUR_US, session_us: 7 * 24 * HOUR_US }
    }
}
