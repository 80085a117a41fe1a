//! What can be wrong with a value of this crate.

/// Why a name, a time, a duration or an encoded record was refused. Each message says what was wrong and what
/// is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypesError {
    /// An asset path breaks a rule of [`crate::check_asset`].
    #[error("asset {name:?} {problem}; an asset is a path such as plant1/line3/pump7")]
    Asset {
        /// The offending path, cut to a printable length.
        name: String,
        /// Which rule it breaks.
        problem: &'static str,
    },
    /// A signal name breaks a rule of [`crate::check_signal`].
    #[error("signal {name:?} {problem}; a signal is a name such as vibration_rms")]
    Signal {
        /// The offending name, cut to a printable length.
        name: String,
        /// Which rule it breaks.
        problem: &'static str,
    },
    /// A text is no RFC 3339 time.
    #[error("{0:?} is not a time; write RFC 3339 such as 2026-01-31T08:30:00Z")]
    Time(String),
    /// A text is no duration.
    #[error("{0:?} is not a duration; write a number and a unit (us, ms, s, m, h, d) such as 30s, 5m or 24h")]
    Duration(String),
    /// The bound on the number of series is reached.
    #[error(
        "the limit of {0} series is reached; raise limits.max_series or check the sender for names that \
         never repeat"
    )]
    TooManySeries(usize),
    /// A record that could be written, but not read back.
    #[error("cannot encode a log record: {0}; numbers must be finite, and times lie in the years 0 to 9999")]
    Encode(String),
    /// Bytes that are no record of a known kind and version.
    #[error("cannot decode a log record: {0}")]
    Decode(String),
}
