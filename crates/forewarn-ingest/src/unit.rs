//! Units of times that are numbers. A sender who means another one than is read is told so: the number says
//! it.

use forewarn_types::Timestamp;

/// The unit of a time that is a number since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    #[default]
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl TimeUnit {
    /// All units, from the smallest on.
    pub const ALL: [Self; 4] = [Self::Nanoseconds, Self::Microseconds, Self::Milliseconds, Self::Seconds];

    /// How it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Microseconds => "microseconds",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
        }
    }

    /// How many nanoseconds it has.
    const fn ns(self) -> i128 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }

    /// In which unit a number, that was taken as `time_us` in this one, is a time between `from` and `to`:
    /// the unit and about what time.
    #[must_use]
    pub fn meant(self, time_us: i64, from: Timestamp, to: Timestamp) -> Option<(Self, Timestamp)> {
        Self::ALL.into_iter().filter(|unit| *unit != self).find_map(|unit| {
            // Of a number in a small unit the digits below a microsecond are gone.
            let unit_us = i128::from(time_us) * unit.ns() / self.ns();
            let time = Timestamp(i64::try_from(unit_us).ok()?);
            (time >= from && time <= to).then_some((unit, time))
        })
    }
}
