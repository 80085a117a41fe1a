//! A mapping fitted to the columns of one file: what to do with each row.

use std::borrow::Cow;
use std::fmt::Write as _;

use forewarn_ingest::RawBatch;
use forewarn_ingest::decode::{number as decimal, shorten, signal_name};
use forewarn_types::{Quality, check_signal, fingerprint_64};
use hashbrown::HashMap;

use crate::cell::{Cell, ColumnInfo};
use crate::columns;
use crate::lives::LifeSpans;
use crate::look::{Look, time_columns};
use crate::mapping::ImportMapping;
use crate::repeats::Repeats;
use crate::row::RowRef;
use crate::time::{Moment, TimeRule};

/// What to do with each row.
pub(super) struct Plan {
    asset: Vec<Part>,
    time: (Vec<usize>, TimeRule),
    /// Numbers have a decimal comma.
    comma: bool,
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
    time: String,
    repeats: Repeats,
    /// What cells call the signals, by signal.
    called: HashMap<String, String>,
    made: Made,
}

/// Of which cells the paths of assets are made, as fingerprints: `a/b` and `c` make the same path as `a` and
/// `b/c`.
#[derive(Default)]
struct Made {
    by_asset: HashMap<String, u64>,
    /// The asset of the last row, which often is that of the next one.
    last: (String, u64),
    cells: String,
}

impl Made {
    /// Whether `asset` is made of the same cells as before.
    fn is_one(&mut self, asset: &str) -> bool {
        let cells = fingerprint_64(self.cells.bytes());
        if self.last.1 == cells && self.last.0 == asset {
            return true;
        }
        let known = *self.by_asset.entry_ref(asset).or_insert(cells);
        asset.clone_into(&mut self.last.0);
        self.last.1 = known;
        known == cells
    }
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
    pub(super) fn new(lives: LifeSpans, repeats: Repeats) -> Self {
        let (asset, time) = (String::new(), String::new());
        Self { lives, skipped: 0, asset, time, repeats, called: HashMap::new(), made: Made::default() }
    }
}

impl Plan {
    pub(super) fn new(mapping: &ImportMapping, look: &Look) -> Result<Self, String> {
        let columns = &look.columns;
        let asset = template(&mapping.asset, columns)?;
        let of_time = time_columns(mapping).map(|name| find(name, columns)).collect::<Result<Vec<_>, _>>()?;
        if of_time.is_empty() {
            return Err(format!("no time column is given; set time to one of {}", list(columns)));
        }
        let time = (of_time, TimeRule::new(mapping, look.unit, look.first)?);
        let quality = mapping.quality.as_ref().map(|name| find(name, columns)).transpose()?;
        let mut used = vec![false; columns.len()];
        let asset_columns = asset
            .iter()
            .filter_map(|part| if let Part::Column(column) = part { Some(*column) } else { None });
        for column in asset_columns.chain(time.0.iter().copied()).chain(quality) {
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
            comma: look.comma,
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
        self.asset(row, &mut tally.asset, &mut tally.made)?;
        let moment = self.moment(row, &mut tally.time)?;
        let quality = self.quality(row)?;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let named = self.named_signal(row, &mut tally.called)?;
        let Tally { lives, skipped, asset, repeats, .. } = tally;
        let time = match moment.later {
            Some(later) => repeats.choose(asset, named.as_deref(), moment.us, later),
            None => moment.us,
        };
        let mut add = |column: usize, signal: &str| match number(&row.cell(column), self.comma) {
            Ok(Some(value)) => batch.push(asset, signal, time, value, quality, line),
            Ok(None) => *skipped += 1,
            Err(problem) => batch.reject(line as usize, format!("column {:?} {problem}", self.names[column])),
        };
        match (&self.signals, &named) {
            (Signals::Wide(signals), _) => signals.iter().for_each(|(column, signal)| add(*column, signal)),
            (Signals::Long { value, .. }, Some(signal)) => add(*value, signal),
            (Signals::Long { .. }, None) => {}
        }
        lives.add(asset, time);
        Ok(())
    }

    /// The time of a row.
    fn moment(&self, row: RowRef<'_>, text: &mut String) -> Result<Moment, String> {
        let (columns, rule) = &self.time;
        let told = |problem: String| {
            let names: Vec<&str> = columns.iter().map(|column| self.names[*column].as_str()).collect();
            format!("time column {:?} {problem}", names.join(" "))
        };
        if let [column] = columns.as_slice() {
            return rule.read(&row.cell(*column)).map_err(told);
        }
        text.clear();
        for column in columns {
            match row.cell(*column) {
                Cell::Text(part) => text.extend([if text.is_empty() { "" } else { " " }, part]),
                Cell::Missing => return Err(told(format!("is empty in {:?}", self.names[*column]))),
                _ => return Err(told("holds no text, which times in several columns must".into())),
            }
        }
        rule.read(&Cell::Text(text)).map_err(told)
    }

    /// The signal that a row of the long form names. Two that are called differently never become one.
    fn named_signal(
        &self,
        row: RowRef<'_>,
        called: &mut HashMap<String, String>,
    ) -> Result<Option<String>, String> {
        let Signals::Long { signal, .. } = &self.signals else { return Ok(None) };
        let Cell::Text(name) = row.cell(*signal) else {
            return Err(format!("column {:?} names no signal", self.names[*signal]));
        };
        let valid = valid_signal(name);
        match called.get(&*valid) {
            Some(known) if known == name => {}
            Some(known) => {
                return Err(format!(
                    "the signals {known:?} and {name:?} would both be {valid:?}; rename one in the file"
                ));
            }
            None => {
                called.insert(valid.clone().into_owned(), name.to_owned());
            }
        }
        Ok(Some(valid.into_owned()))
    }

    /// Columns that were left out though they hold something: what to say, and how many numbers they hold.
    pub(super) fn left_out(&self, mapping: &ImportMapping, columns: &[ColumnInfo]) -> (Vec<String>, u64) {
        let is_wide = matches!(self.signals, Signals::Wide(_)) && mapping.signals.is_empty();
        let left =
            columns.iter().zip(&self.used).filter(|(column, used)| is_wide && !**used && !column.numeric);
        let (mut notes, mut numbers) = (Vec::new(), 0);
        for (column, _) in left {
            numbers += column.numbers;
            let (name, cells) = (&column.name, column.numbers + column.others);
            notes.push(match column.numbers {
                0 => format!("column {name:?} holds no numbers and is left out"),
                count => format!(
                    "column {name:?} holds numbers in {count} of {cells} cells and is left out; say \
                     --signal for each column that is a signal"
                ),
            });
        }
        (notes, numbers)
    }

    fn asset(&self, row: RowRef<'_>, asset: &mut String, made: &mut Made) -> Result<(), String> {
        asset.clear();
        made.cells.clear();
        let columns = self.asset.iter().filter(|part| matches!(part, Part::Column(_))).count();
        for part in &self.asset {
            let column = match part {
                Part::Text(text) => {
                    asset.push_str(text);
                    continue;
                }
                Part::Column(column) => *column,
            };
            let before = asset.len();
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
            made.cells.extend([asset.get(before..).unwrap_or(""), "\0"]);
        }
        if columns > 1 && !made.is_one(asset) {
            return Err(format!(
                "the asset {asset:?} is made of other cells in rows before; part them in another way, \
                 such as {{a}}_{{b}}"
            ));
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
fn number(cell: &Cell<'_>, comma: bool) -> Result<Option<f64>, String> {
    const INEXACT: &str = "has more digits than a 64-bit float holds (whole numbers are exact up to 2^53)";
    let value = match cell {
        Cell::Missing => return Ok(None),
        Cell::Whole(whole) => {
            return decimal::whole(&whole.to_string())
                .map(Some)
                .ok_or_else(|| format!("is {whole}, which {INEXACT}"));
        }
        Cell::Number(value) => *value,
        Cell::Text(text) => match crate::decimal::parse(text, comma) {
            Some(value) if value.is_nan() => return Ok(None),
            Some(_)
                if decimal::scan(text).is_some_and(|read| read.len == text.len() && !read.is_exact(text)) =>
            {
                return Err(format!("is {}, which {INEXACT}", shorten(text)));
            }
            Some(value) => value,
            None if comma => {
                return Err(format!("is {:?}, not a number with a decimal comma", shorten(text)));
            }
            None => {
                let hint = if crate::decimal::parse(text, true).is_some() {
                    "; say decimal , for commas"
                } else {
                    ""
                };
                return Err(format!("is {:?}, not a number{hint}", shorten(text)));
            }
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
    for (column, name) in columns::resolve(&mapping.signals, columns)? {
        let index = find(&column, columns)?;
        if let Some(name) = &name {
            check_signal(name).map_err(|error| error.to_string())?;
        }
        signals.push((index, name.unwrap_or_else(|| valid_signal(&column).into_owned())));
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
    let mut found = columns.iter().enumerate().filter(|(_, column)| column.name == name);
    let (index, _) = found
        .next()
        .ok_or_else(|| format!("there is no column {name:?}; the columns are {}", list(columns)))?;
    if found.next().is_some() {
        return Err(format!(
            "there are two columns {name:?}; name all with columns, and pass over the header with skip"
        ));
    }
    Ok(index)
}

fn list(columns: &[ColumnInfo]) -> String {
    const MOST: usize = 40;
    let names: Vec<&str> = columns.iter().take(MOST).map(|column| column.name.as_str()).collect();
    let more = if columns.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
