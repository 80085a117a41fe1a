//! The kinds of texts that definitions hold, for the raw structs and for JSON Schema.
//!
//! Patterns keep to what all regular-expression engines understand alike, so that every editor can use them.
//! They refuse nothing that the loader takes, a `+` before a whole number aside, and leave to it what a
//! pattern cannot know: calendars, signals, overflows.

use forewarn_types::RecordKind;
use serde_json::{Value, json};

use super::field::Kind;

/// The name of a pipeline, rule, job or model.
pub(crate) enum Name {}

impl Kind for Name {
    const NAME: &'static str = "Name";
    const ABOUT: &'static str = "A name: letters, digits, `_` and `-`, beginning with a letter or `_`, at \
        most 128 bytes. Unique among all of its kind.";
    const EXAMPLES: &'static [&'static str] = &["bearing-hot"];
    const PATTERN: &'static str = r"^[^\s!-@\[-^`{-~][^\s!-,./:-@\[-^`{-~]*$";

    fn more() -> Vec<(&'static str, Value)> {
        vec![("maxLength", 128.into())]
    }
}

/// The name of a route or a contact.
pub(crate) enum Label {}

impl Kind for Label {
    const NAME: &'static str = "Label";
    const ABOUT: &'static str = "A name: letters, digits, `_` and `-`, beginning with a letter or `_`, at \
        most 128 bytes.";
    const EXAMPLES: &'static [&'static str] = &["on-call"];
    const PATTERN: &'static str = Name::PATTERN;
    const TYPES: &'static [&'static str] = &["string", "boolean"];

    fn more() -> Vec<(&'static str, Value)> {
        vec![("maxLength", 128.into())]
    }
}

/// The name of a signal.
pub(crate) enum SignalText {}

impl Kind for SignalText {
    const NAME: &'static str = "Signal";
    const ABOUT: &'static str = "The name of a signal: letters, digits, `_`, `-`, `.` and `:`, beginning \
        with a letter or `_`, at most 128 bytes.";
    const EXAMPLES: &'static [&'static str] = &["vibration_rms"];
    const PATTERN: &'static str = r"^[^\s!-@\[-^`{-~][^\s!-,/;-@\[-^`{-~]*$";

    fn more() -> Vec<(&'static str, Value)> {
        vec![("maxLength", 128.into())]
    }
}

/// A selector of assets.
pub(crate) enum Assets {}

impl Kind for Assets {
    const NAME: &'static str = "Assets";
    const ABOUT: &'static str = "Which assets: a path in which `**` stands for any number of levels (also \
        none), and `*` and `?` for characters within a level.";
    const EXAMPLES: &'static [&'static str] = &["**", "plant1/**", "plant1/**/pump*", "plant1/line3/pump7"];
    const PATTERN: &'static str = r"^(\*\*|\*|\*?[^*/]+(\*[^*/]+)*\*?)(/(\*\*|\*|\*?[^*/]+(\*[^*/]+)*\*?))*$";
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];

    fn more() -> Vec<(&'static str, Value)> {
        vec![("maxLength", 256.into())]
    }
}

/// A duration that may be zero.
pub(crate) enum Duration {}

impl Kind for Duration {
    const NAME: &'static str = "Duration";
    const ABOUT: &'static str = "A length of time: whole numbers with the units us, ms, s, m, h and d.";
    const EXAMPLES: &'static [&'static str] = &["30s", "5m", "24h", "7d", "250ms", "1h30m"];
    const PATTERN: &'static str = r"^\s*([0-9]+(us|ms|s|m|h|d))+\s*$";
}

/// A duration longer than zero.
pub(crate) enum PositiveDuration {}

impl Kind for PositiveDuration {
    const NAME: &'static str = "PositiveDuration";
    const ABOUT: &'static str =
        "A length of time above zero: whole numbers with the units us, ms, s, m, h and d.";
    const EXAMPLES: &'static [&'static str] = Duration::EXAMPLES;
    const PATTERN: &'static str =
        r"^\s*(0+(us|ms|s|m|h|d))*[0-9]*[1-9][0-9]*(us|ms|s|m|h|d)([0-9]+(us|ms|s|m|h|d))*\s*$";
}

/// A point in time.
pub(crate) enum TimeText {}

impl Kind for TimeText {
    const NAME: &'static str = "Time";
    const ABOUT: &'static str = "A day, or a point in time in RFC 3339; not before 1970.";
    const EXAMPLES: &'static [&'static str] = &["2000-01-01", "1995-06-30T12:00:00Z"];
    const PATTERN: &'static str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$";
}

/// The memory of a running statistic.
pub(crate) enum BaselineText {}

impl Kind for BaselineText {
    const NAME: &'static str = "Baseline";
    const ABOUT: &'static str =
        "How far back a statistic remembers: a duration, or a number of readings (at least 2).";
    const EXAMPLES: &'static [&'static str] = &["24h", "2000"];
    const PATTERN: &'static str = r"^(0*([2-9]|[1-9][0-9]+)|\s*(0+(us|ms|s|m|h|d))*[0-9]*[1-9][0-9]*(us|ms|s|m|h|d)([0-9]+(us|ms|s|m|h|d))*\s*)$";
    const TYPES: &'static [&'static str] = &["string", "integer"];

    fn more() -> Vec<(&'static str, Value)> {
        vec![("minimum", 2.into())]
    }
}

/// A number of bytes.
pub(crate) enum Size {}

impl Kind for Size {
    const NAME: &'static str = "Size";
    const ABOUT: &'static str =
        "A number of bytes above zero, alone or with one of the units B, KB, MB, GB, KiB, MiB and GiB.";
    const EXAMPLES: &'static [&'static str] = &["512MB", "10GB", "64 MiB"];
    const PATTERN: &'static str = r"^\s*[0-9]*[1-9][0-9]*\s*(B|KB|MB|GB|KiB|MiB|GiB)?\s*$";
    const TYPES: &'static [&'static str] = &["string", "integer"];

    fn more() -> Vec<(&'static str, Value)> {
        vec![("minimum", 1.into())]
    }
}

/// A schedule.
pub(crate) enum CronText {}

impl Kind for CronText {
    const NAME: &'static str = "Cron";
    const ABOUT: &'static str =
        "A schedule in cron's five fields: minute, hour, day of the month, month, day of the week.";
    const EXAMPLES: &'static [&'static str] = &["0 2 * * *", "*/15 * * * *", "0 3 * * 0"];
    const PATTERN: &'static str = r"^\s*\S+(\s+\S+){4}\s*$";
}

/// A time zone.
pub(crate) enum Zone {}

impl Kind for Zone {
    const NAME: &'static str = "TimeZone";
    const ABOUT: &'static str = "A time zone by its IANA name.";
    const EXAMPLES: &'static [&'static str] = &["UTC", "Europe/Oslo"];
}

/// An expression that is a number.
pub(crate) enum Formula {}

impl Kind for Formula {
    const NAME: &'static str = "Formula";
    const ABOUT: &'static str = "An expression over signals of the same asset whose value is a number. A \
        signal whose name has other characters than letters, digits, `_` and `.` stands in backticks.";
    const EXAMPLES: &'static [&'static str] = &["90.0 - temperature"];
    const TYPES: &'static [&'static str] = &["string", "number"];
}

/// An expression that is true or false.
pub(crate) enum Truth {}

impl Kind for Truth {
    const NAME: &'static str = "Condition";
    const ABOUT: &'static str = "An expression over signals of the same asset that is true or false. A \
        signal whose name has other characters than letters, digits, `_` and `.` stands in backticks.";
    const EXAMPLES: &'static [&'static str] = &["temperature > 90.0 && vibration_rms > 4.5"];
    const TYPES: &'static [&'static str] = &["string", "boolean"];
}

/// An expression that is a number, or true or false.
pub(crate) enum ColumnFormula {}

impl Kind for ColumnFormula {
    const NAME: &'static str = "ColumnFormula";
    const ABOUT: &'static str = "An expression over the signals of a frame and the numbers among the \
        columns before, whose value is a number, or true or false. A name with other characters than \
        letters, digits, `_` and `.` stands in backticks.";
    const EXAMPLES: &'static [&'static str] = &["90.0 - temperature", "flow < 1.0"];
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// The name of a table a job writes.
pub(crate) enum Table {}

impl Kind for Table {
    const NAME: &'static str = "Table";
    const ABOUT: &'static str =
        "The name of a table: lower-case letters, digits and `_`; not that of a built-in table.";
    const EXAMPLES: &'static [&'static str] = &["health_daily"];
    const PATTERN: &'static str = r"^[^\sA-Z!-@\[-^`{-~][^\sA-Z!-/:-@\[-^`{-~]*$";

    fn more() -> Vec<(&'static str, Value)> {
        vec![("maxLength", 128.into()), ("not", json!({ "enum": RecordKind::tables().collect::<Vec<_>>() }))]
    }
}

/// A path into a JSON document.
pub(crate) enum PathText {}

impl Kind for PathText {
    const NAME: &'static str = "JsonPath";
    const ABOUT: &'static str =
        "Where a value stands in a JSON document: `$` is the document, `$.key.inner` a key in a key.";
    const EXAMPLES: &'static [&'static str] = &["$.v", "$.reading.value", "$"];
    const PATTERN: &'static str = r"^\$(\.[^.]+)*$";
}

/// The address of a broker.
pub(crate) enum Broker {}

impl Kind for Broker {
    const NAME: &'static str = "Broker";
    const ABOUT: &'static str = "The URL of an MQTT broker, with optional port, user and password: `${NAME}` is an \
        environment variable, and `${file:PATH}` is what stands in a file.";
    const EXAMPLES: &'static [&'static str] =
        &["mqtt://broker:1883", "mqtts://user:${file:/run/secrets/mqtt}@broker:8883"];
    const PATTERN: &'static str = r"^(mqtts?://.|\$\{)";
}

/// A topic filter.
pub(crate) enum Topic {}

impl Kind for Topic {
    const NAME: &'static str = "Topic";
    const ABOUT: &'static str =
        "An MQTT topic filter: `+` stands for one whole level, `#` for all at the end.";
    const EXAMPLES: &'static [&'static str] = &["plant1/+/+/+"];
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// A template over the levels of a topic.
pub(crate) enum TopicTemplate {}

impl Kind for TopicTemplate {
    const NAME: &'static str = "TopicTemplate";
    const ABOUT: &'static str =
        "A text in which `{1}` is what the first wildcard of the topic took, `{2}` the second, and so on.";
    const EXAMPLES: &'static [&'static str] = &["plant1/{1}/{2}", "{3}"];
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// A query.
pub(crate) enum Sql {}

impl Kind for Sql {
    const NAME: &'static str = "Sql";
    const ABOUT: &'static str =
        "A SQL query over any table; `:from` and `:to` are the bounds of the run's data interval.";
    const EXAMPLES: &'static [&'static str] =
        &["SELECT asset, avg(value) AS mean FROM readings WHERE time >= :from AND time < :to GROUP BY asset"];
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// Words for people.
pub(crate) enum Words {}

impl Kind for Words {
    const NAME: &'static str = "Words";
    const ABOUT: &'static str = "Words for people.";
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// An identifier that only the other side understands.
pub(crate) enum Identifier {}

impl Kind for Identifier {
    const NAME: &'static str = "Identifier";
    const ABOUT: &'static str = "An identifier.";
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// An address to listen at.
pub(crate) enum Address {}

impl Kind for Address {
    const NAME: &'static str = "Address";
    const ABOUT: &'static str =
        "A host and a port. `${NAME}` and `${NAME:-default}` are environment variables.";
    const EXAMPLES: &'static [&'static str] = &["127.0.0.1:8080", "${HOST:-0.0.0.0}:8080"];
    const PATTERN: &'static str = r"\$\{|^.+:[0-9]{1,5}$";
}

/// A name of the server.
pub(crate) enum HostText {}

impl Kind for HostText {
    const NAME: &'static str = "Host";
    const ABOUT: &'static str = "A host name, alone or with a port. `${NAME}` and `${NAME:-default}` are \
        environment variables.";
    const EXAMPLES: &'static [&'static str] = &["forewarn.plant.example", "gateway:9443"];
    const PATTERN: &'static str = r"\$\{|^[A-Za-z0-9_.-]+(:[0-9]{1,5})?$";
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// A text of the server's settings.
pub(crate) enum Setting {}

impl Kind for Setting {
    const NAME: &'static str = "Setting";
    const ABOUT: &'static str = "A text. `${NAME}` and `${NAME:-default}` are environment variables, and \
        `${file:PATH}` is what stands in a file.";
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}
