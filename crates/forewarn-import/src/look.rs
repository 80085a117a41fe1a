//! The first look at a text file: all of it is read once, so that nothing depends on which rows come first.
//! What it sees and nobody said is proposed, and done, and told.

use std::path::Path;

use forewarn_ingest::TimeUnit as Unit;
use forewarn_ingest::decode::time::unit_of;

use crate::cell::{Cell, ColumnInfo, Step};
use crate::decimal;
use crate::form::Form;
use crate::mapping::{ImportMapping, TimeUnit};
use crate::text::TextRows;
use crate::wall::{self, First, NoTime};

/// What a file shows.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) columns: Vec<ColumnInfo>,
    /// The fraction of a number stands behind a comma.
    pub(super) comma: bool,
    /// The unit of times that are numbers.
    pub(super) unit: Option<TimeUnit>,
    /// What comes first in a date such as `03/04/2026`.
    pub(super) first: Option<First>,
    /// Rows go from new to old.
    pub(super) descending: bool,
    /// A line below the header that holds units, and no row.
    pub(super) units: Option<u64>,
    /// What was seen and not said.
    pub(super) notes: Vec<String>,
}

/// What the cells of a column are.
#[derive(Default, Clone, Copy)]
struct Count {
    /// Numbers with a decimal point, and with a decimal comma.
    point: u64,
    comma: u64,
    texts: u64,
}

/// What the times are.
#[derive(Default)]
struct Times {
    /// Whether a time was a number, and the unit in which all of those are times of this century.
    numbers: bool,
    unit: Option<Unit>,
    day_first: u64,
    month_first: u64,
    last: Option<i64>,
    up: u64,
    down: u64,
    text: String,
}

impl Look {
    /// Reads the file at `path`.
    pub(super) fn at(path: &Path, form: &Form, mapping: &ImportMapping) -> Result<Self, String> {
        let (mut rows, names) = TextRows::open(path, form, None, mapping)?;
        let mut look = Self::default();
        let mut counts = vec![Count::default(); names.len()];
        let mut times = Times::default();
        let of_time: Vec<usize> = time_columns(mapping).filter_map(|name| position(&names, name)).collect();
        let (mut commas, mut points, mut thousands) = (0_u64, 0_u64, 0_u64);
        let mut is_first = true;
        loop {
            let line = match rows.advance()? {
                Step::End => break,
                Step::Bad(..) => continue,
                Step::Row(line) => line,
            };
            times.join(rows.row(), &of_time);
            if std::mem::take(&mut is_first) && mapping.columns.is_empty() && is_units(&rows, &times, mapping)
            {
                look.units = Some(line);
                look.notes.push(format!("line {line} holds no time and no number and is passed over"));
                continue;
            }
            times.add();
            for (index, text) in rows.row().iter().enumerate() {
                let Cell::Text(text) = Cell::of_text(text) else { continue };
                let Some(count) = counts.get_mut(index) else { continue };
                let (point, comma) = (decimal::parse(text, false), decimal::parse(text, true));
                count.point += u64::from(point.is_some());
                count.comma += u64::from(comma.is_some());
                count.texts += 1;
                if of_time.contains(&index) {
                    continue;
                }
                points += u64::from(point.is_some() && text.contains('.'));
                commas += u64::from(point.is_none() && comma.is_some());
                thousands += u64::from(point.is_none() && decimal::may_be_thousands(text));
            }
        }
        look.settle_decimals(mapping, form, [commas, points, thousands]);
        look.settle_times(mapping, &times);
        if rows.headers_again > 0 {
            let again = rows.headers_again;
            look.notes.push(format!(
                "the header stands {again} more times among the rows and is passed over there"
            ));
        }
        look.columns =
            names.into_iter().zip(counts).map(|(name, count)| count.info(name, look.comma)).collect();
        Ok(look)
    }

    /// What the columns of a file that says what they hold show, with the whole numbers in each.
    pub(super) fn of_columns(
        columns: Vec<ColumnInfo>,
        spans: &[Option<(i64, i64)>],
        mapping: &ImportMapping,
    ) -> Self {
        let mut look = Self { columns, ..Self::default() };
        let is_time = |column: &ColumnInfo| column.numeric && column.name == mapping.time;
        let span = look.columns.iter().position(is_time).and_then(|index| *spans.get(index)?);
        if let Some((low, high)) = span {
            let [low, high] = [low, high].map(|number| unit_of(&number.to_string()));
            let times = Times { numbers: true, unit: low.filter(|_| low == high), ..Times::default() };
            look.settle_times(mapping, &times);
        }
        look
    }

    fn settle_decimals(
        &mut self,
        mapping: &ImportMapping,
        form: &Form,
        [commas, points, thousands]: [u64; 3],
    ) {
        self.comma = match mapping.decimal {
            Some(sign) => sign == ',',
            None => commas > thousands && points == 0,
        };
        if mapping.decimal.is_some() || commas == 0 {
            return;
        }
        self.notes.push(if self.comma {
            format!("{} and decimal commas: reading it so; say --decimal . if not", form.words())
        } else {
            format!(
                "{commas} cells have commas in numbers, which may be decimal commas or part thousands; say \
                 --decimal , for decimal commas"
            )
        });
    }

    fn settle_times(&mut self, mapping: &ImportMapping, times: &Times) {
        self.descending = times.down > times.up;
        let said = mapping.time_format.is_some();
        if let (Some(unit), None, None) = (times.unit, mapping.time_unit, &mapping.time_start)
            && !said
        {
            let (unit, option) = match unit {
                Unit::Seconds => (TimeUnit::S, "s"),
                Unit::Milliseconds => (TimeUnit::Ms, "ms"),
                Unit::Microseconds => (TimeUnit::Us, "us"),
                Unit::Nanoseconds => (TimeUnit::Ns, "ns"),
            };
            self.unit = Some(unit);
            self.notes.push(format!(
                "the times are numbers that are times of this century in the unit {option}: reading \
                 them so; say --time-unit if not"
            ));
        }
        let (day, month) = (times.day_first, times.month_first);
        self.first = match (day > 0, month > 0) {
            (true, false) => Some(First::Day),
            (false, true) => Some(First::Month),
            _ => None,
        };
        if let (Some(first), false) = (self.first, said) {
            let (order, format) = match first {
                First::Day => ("the day", "%m/%d/%Y %H:%M"),
                First::Month => ("the month", "%d/%m/%Y %H:%M"),
            };
            self.notes.push(format!(
                "dates begin with {order}: reading them so; say --time-format '{format}' if not"
            ));
        }
    }
}

impl Count {
    fn info(self, name: String, comma: bool) -> ColumnInfo {
        let numbers = if comma { self.comma } else { self.point };
        let others = self.texts - numbers;
        ColumnInfo { name, numeric: numbers > others || others == 0, numbers, others }
    }
}

impl Times {
    /// Takes the time of a row.
    fn join(&mut self, row: &csv::StringRecord, columns: &[usize]) {
        self.text.clear();
        for column in columns {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(row.get(*column).unwrap_or("").trim());
        }
    }

    /// Counts in what the time shows.
    fn add(&mut self) {
        if self.text.parse::<f64>().is_ok() {
            let unit = unit_of(&self.text);
            self.unit = if self.numbers && self.unit != unit { None } else { unit };
            self.numbers = true;
            return;
        }
        match wall::shows_first(&self.text) {
            Some(First::Day) => self.day_first += 1,
            Some(First::Month) => self.month_first += 1,
            None => {}
        }
        if let Ok(shown) = wall::read(&self.text, None) {
            match self.last {
                Some(last) if shown.us > last => self.up += 1,
                Some(last) if shown.us < last => self.down += 1,
                _ => {}
            }
            self.last = Some(shown.us);
        }
    }
}

/// Whether the first row below the header tells the columns' units: it has no time and no number.
fn is_units(rows: &TextRows, times: &Times, mapping: &ImportMapping) -> bool {
    let is_number = |text: &str| [false, true].iter().any(|comma| decimal::parse(text, *comma).is_some());
    let texts: Vec<&str> = rows.row().iter().map(str::trim).filter(|text| !text.is_empty()).collect();
    mapping.time_format.is_none()
        && texts.len() > 1
        && !texts.iter().any(|text| is_number(text) || !matches!(Cell::of_text(text), Cell::Text(_)))
        && wall::read(&times.text, None) == Err(NoTime::Unknown)
        && forewarn_ingest::decode::parse_time(&times.text).is_err()
}

/// The columns that hold the time.
pub(super) fn time_columns(mapping: &ImportMapping) -> impl Iterator<Item = &str> {
    let one = Some(mapping.time.as_str()).filter(|name| !name.is_empty());
    one.into_iter().chain(mapping.time_columns.iter().map(String::as_str))
}

fn position(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|known| known == name)
}
