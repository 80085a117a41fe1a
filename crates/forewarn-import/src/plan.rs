//! A mapping fitted to the columns of one file: what to do with each row.

use std::borrow::Cow;
use std::fmt::Write as _;

use forewarn_ingest::RawBatch;
use forewarn_ingest::decode::{shorten, signal_name};
use forewarn_types::{Quality, check_signal};

use crate::cell::{Cell, ColumnInfo};
use crate::columns;
use crate::lives::LifeSpans;
use crate::mapping::ImportMapping;
use crate::row::RowRef;
use crate::time::TimeRule;

/// What to do with each row.
pub(super) struct Plan {
    asset: Vec<Part>,
    time: (usize, TimeRule),
    signals: Signals,
    quality: Option<usize>,
    /// The columns' names, for messages.
    names: Vec<String>,
    used: Vec<bool>,
}

/// What adds up over the rows of a file.
pub(super) struct Tally {
    pub(super) lives: LifeSpans,
    /// Cells of signals that held no value.
    pub(super) skipped: u64,
    /// The asset of the current row; kept for its memory.
    asset: String,
}

enum Part {
    Text(String),
    Column(usize),
}

enum Signals {
    /// Column and name of each.
    Wide(Vec<(usize, String)>),
    Long {
        signal: usize,
        value: usize,
    },
}

impl Tally {
    pub(super) fn new(lives: LifeSpans) -> Self {
        Self { lives, skipped: 0, asset: String::new() }
    }
}

impl Plan {
    pub(super) fn new(mapping: &ImportMapping, columns: &[ColumnInfo]) -> Result<Self, String> {
        let asset = template(&mapping.asset, columns)?;
        if mapping.time.is_empty() {
            return Err(format!("no time column is given; set time to one of {}", list(columns)));
        }
        let time = (find(&mapping.time, columns)?, TimeRule::new(mapping)?);
        let quality = mapping.quality.as_ref().map(|name| find(name, columns)).transpose()?;
        let mut used = vec![false; columns.len()];
        let asset_columns = asset
            .iter()
            .filter_map(|part| if let Part::Column(column) = part { Some(*column) } else { None });
        for column in asset_columns.chain([time.0]).chain(quality) {
            used[column] = true;
        }
        let signals = match (&mapping.signal, &mapping.value) {
            (Some(signal), Some(value)) if mapping.signals.is_empty() => {
                Signals::Long { signal: find(signal, columns)?, value: find(value, columns)? }
            }
            (Some(_), Some(_)) => {
                return Err("signals stands beside signal and value; a file is either wide or long".into());
            }
            (None, None) => Signals::Wide(wide(mapping, columns, &used)?),
            _ => {
                return Err(
                    "signal and value belong together: the column that names the signal and the one \
                            that holds its value"
                        .into(),
                );
            }
        };
        match &signals {
            Signals::Wide(signals) => signals.iter().for_each(|(column, _)| used[*column] = true),
            Signals::Long { signal, value } => {
                for column in [*signal, *value] {
                    used[column] = true;
                }
            }
        }
        Ok(Self {
            asset,
            time,
            signals,
            quality,
            names: columns.iter().map(|column| column.name.clone()).collect(),
            used,
        })
    }

    pub(super) fn step_us(&self) -> Option<i64> {
        self.time.1.step_us()
    }

    /// Which columns are looked at.
    pub(super) fn used(&self) -> &[bool] {
        &self.used
    }

    pub(super) fn readings_a_row(&self) -> usize {
        if let Signals::Wide(signals) = &self.signals { signals.len() } else { 1 }
    }

    /// Adds the readings of a row; an error refuses all of it.
    pub(super) fn row(
        &self,
        row: RowRef<'_>,
        line: u64,
        batch: &mut RawBatch,
        tally: &mut Tally,
    ) -> Result<(), String> {
        self.asset(row, &mut tally.asset)?;
        let time = self
            .time
            .1
            .read(&row.cell(self.time.0))
            .map_err(|problem| format!("time column {:?} {problem}", self.names[self.time.0]))?;
        let quality = self.quality(row)?;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let Tally { lives, skipped, asset } = tally;
        let mut add = |column: usize, signal: &str| match number(&row.cell(column)) {
            Ok(Some(value)) => batch.push(asset, signal, time, value, quality, line),
            Ok(None) => *skipped += 1,
            Err(problem) => batch.reject(line as usize, format!("column {:?} {problem}", self.names[column])),
        };
        match &self.signals {
            Signals::Wide(signals) => signals.iter().for_each(|(column, signal)| add(*column, signal)),
            Signals::Long { signal, value } => match row.cell(*signal) {
                Cell::Text(name) => add(*value, &valid_signal(name)),
                _ => return Err(format!("column {:?} names no signal", self.names[*signal])),
            },
        }
        lives.add(asset, time);
        Ok(())
    }

    fn asset(&self, row: RowRef<'_>, asset: &mut String) -> Result<(), String> {
        asset.clear();
        for part in &self.asset {
            let column = match part {
                Part::Text(text) => {
                    asset.push_str(text);
                    continue;
                }
                Part::Column(column) => *column,
            };
            // Writing to a string cannot fail.
            let _ = match row.cell(column) {
                Cell::Text(text) => write!(asset, "{text}"),
                Cell::Whole(whole) => write!(asset, "{whole}"),
                Cell::Number(value) => write!(asset, "{value}"),
                Cell::Missing | Cell::Time { .. } | Cell::Unusable => {
                    return Err(format!(
                        "column {:?}, which the asset needs, is empty or neither text nor a number",
                        self.names[column]
                    ));
                }
            };
        }
        Ok(())
    }

    fn quality(&self, row: RowRef<'_>) -> Result<Quality, String> {
        let Some(column) = self.quality else { return Ok(Quality::Good) };
        match row.cell(column) {
            Cell::Missing => Ok(Quality::Good),
            Cell::Text(text) => Quality::parse(&text.to_ascii_lowercase()).ok_or_else(|| {
                format!(
                    "quality column {:?} is {:?}; known are good, uncertain and bad",
                    self.names[column],
                    shorten(text)
                )
            }),
            _ => Err(format!(
                "quality column {:?} holds no text; known are good, uncertain and bad",
                self.names[column]
            )),
        }
    }
}

/// The value in a cell; `None` if there is none.
fn number(cell: &Cell<'_>) -> Result<Option<f64>, String> {
    let value = match cell {
        Cell::Missing => return Ok(None),
        Cell::Whole(whole) => *whole as f64,
        Cell::Number(value) => *value,
        Cell::Text(text) => match text.parse::<f64>() {
            Ok(value) if value.is_nan() => return Ok(None),
            Ok(value) => value,
            Err(_) if text.eq_ignore_ascii_case("true") => 1.0,
            Err(_) if text.eq_ignore_ascii_case("false") => 0.0,
            Err(_) => return Err(format!("is {:?}, not a number", shorten(text))),
        },
        Cell::Time { .. } | Cell::Unusable => return Err("holds no numbers".into()),
    };
    if value.is_finite() {
        Ok(Some(value))
    } else {
        Err("is infinite or too large for a 64-bit float".into())
    }
}

/// The signals of a wide file: those the mapping lists, or every numeric column that is not used yet.
fn wide(
    mapping: &ImportMapping,
    columns: &[ColumnInfo],
    used: &[bool],
) -> Result<Vec<(usize, String)>, String> {
    let mut signals = Vec::new();
    for item in columns::expand(&mapping.signals)? {
        match item.split_once('=') {
            Some((column, name)) => {
                let name = name.trim();
                check_signal(name).map_err(|error| error.to_string())?;
                signals.push((find(column.trim(), columns)?, name.to_owned()));
            }
            None => signals.push((find(&item, columns)?, valid_signal(&item).into_owned())),
        }
    }
    if mapping.signals.is_empty() {
        let free =
            columns.iter().zip(used).enumerate().filter(|(_, (column, used))| column.numeric && !**used);
        signals.extend(free.map(|(index, (column, _))| (index, valid_signal(&column.name).into_owned())));
    }
    if signals.is_empty() {
        return Err(format!("no column is a signal; set signals to some of {}", list(columns)));
    }
    let mut names: Vec<&str> = signals.iter().map(|(_, name)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!(
            "two columns become the signal {:?}; rename one with signals: column=signal",
            pair[0]
        )),
        None => Ok(signals),
    }
}

/// A column's name as a signal's: `Volume Flow` becomes `Volume_Flow`.
fn valid_signal(name: &str) -> Cow<'_, str> {
    if check_signal(name).is_ok() { Cow::Borrowed(name) } else { Cow::Owned(signal_name(name)) }
}

fn template(template: &str, columns: &[ColumnInfo]) -> Result<Vec<Part>, String> {
    if template.is_empty() {
        return Err(
            "no asset is given; set asset to a path, with columns in braces where it differs by row: \
                    plant1/unit{unit}"
                .into(),
        );
    }
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("asset {template:?} has a {{ without }}"))?;
        parts.extend([Part::Text(text.to_owned()), Part::Column(find(name, columns)?)]);
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn find(name: &str, columns: &[ColumnInfo]) -> Result<usize, String> {
    let found = columns.iter().position(|column| column.name == name);
    found.ok_or_else(|| format!("there is no column {name:?}; the columns are {}", list(columns)))
}

fn list(columns: &[ColumnInfo]) -> String {
    const MOST: usize = 40;
    let names: Vec<&str> = columns.iter().take(MOST).map(|column| column.name.as_str()).collect();
    let more = if columns.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
