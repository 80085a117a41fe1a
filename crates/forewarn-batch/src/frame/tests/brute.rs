//! The rows of a frame by its definition: for each step and each signal, all readings are looked at.

use std::collections::BTreeSet;

use forewarn_spec::{Aggregate, Expr, Fill, Frame, Inputs, Type};
use forewarn_types::Quality;

use super::{Reading, Row};

/// The rows of the steps that end after `from` and not after `to`.
pub(super) fn rows(frame: &Frame, readings: &[Reading], (from, to): (i64, i64)) -> Vec<Row> {
    let every = frame.every_us;
    let assets: BTreeSet<&str> = readings.iter().map(|reading| reading.asset).collect();
    let mut rows = Vec::new();
    for asset in assets.into_iter().filter(|asset| frame.assets.matches(asset)) {
        let first = from.div_euclid(every) - 1;
        let steps = (first..).take_while(|step| (step + 1) * every <= to);
        for step in steps.filter(|step| (step + 1) * every > from) {
            let here: Vec<Vec<f64>> = frame
                .signals
                .iter()
                .map(|signal| in_step(readings, asset, &signal.name, every, step))
                .collect();
            if here.iter().all(Vec::is_empty) {
                continue;
            }
            let values = frame.signals.iter().map(|signal| {
                let value = |step: i64| {
                    let values = in_step(readings, asset, &signal.name, every, step);
                    aggregate(&values, signal.aggregate)
                };
                filled(frame.fill, every, step, value)
            });
            rows.extend(row(frame, values.collect()).map(|values| (asset.to_owned(), step * every, values)));
        }
    }
    rows
}

/// The values of one signal in one step, by time.
fn in_step(readings: &[Reading], asset: &str, signal: &str, every: i64, step: i64) -> Vec<f64> {
    let mut here: Vec<&Reading> = readings
        .iter()
        .filter(|reading| (reading.asset, reading.signal) == (asset, signal))
        .filter(|reading| step * every <= reading.time && reading.time < (step + 1) * every)
        .filter(|reading| reading.quality != Quality::Bad && reading.value.is_finite())
        .collect();
    here.sort_by_key(|reading| (reading.time, reading.offset));
    let is_repetition = |place: usize| {
        let same = |other: &&Reading| {
            (other.time, other.quality, other.value.to_bits())
                == (here[place].time, here[place].quality, here[place].value.to_bits())
        };
        here[..place].iter().any(same)
    };
    let new: Vec<&Reading> =
        (0..here.len()).filter(|place| !is_repetition(*place)).map(|place| here[place]).collect();
    let holds = |place: &usize| new.get(place + 1).is_none_or(|next| next.time != new[*place].time);
    (0..new.len()).filter(holds).map(|place| new[place].value).collect()
}

fn aggregate(values: &[f64], how: Aggregate) -> Option<f64> {
    let (first, last) = (*values.first()?, *values.last()?);
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / count;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let value = match how {
        Aggregate::Mean => mean,
        Aggregate::Min => sorted[0],
        Aggregate::Max => sorted[sorted.len() - 1],
        Aggregate::Sum => sum,
        Aggregate::Count => count,
        Aggregate::First => first,
        Aggregate::Last => last,
        Aggregate::Std => (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
        Aggregate::Median => f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]),
    };
    value.is_finite().then_some(value)
}

fn filled(fill: Fill, every: i64, step: i64, value: impl Fn(i64) -> Option<f64>) -> Option<f64> {
    let here = value(step);
    match fill {
        Fill::None => here,
        Fill::Previous(most) => (0..=most / every).find_map(|age| value(step - age)),
        Fill::Linear(most) => here.or_else(|| {
            let (before, low) = (1..=most / every).find_map(|age| Some((age, value(step - age)?)))?;
            let (after, high) = (1..=most / every).find_map(|ahead| Some((ahead, value(step + ahead)?)))?;
            let on_line = low + (high - low) * before as f64 / (before + after) as f64;
            ((before + after) * every <= most).then_some(on_line)
        }),
    }
}

/// The row with its columns; none if it is filtered out.
fn row(frame: &Frame, mut values: Vec<Option<f64>>) -> Option<Vec<Option<f64>>> {
    let mut names: Vec<&str> = frame.signals.iter().map(|signal| &*signal.name).collect();
    for column in &frame.columns {
        let value = evaluate(&column.expr, &names, &values);
        names.push(&column.name);
        values.push(value);
    }
    let stays = frame.filter.as_ref().is_none_or(|filter| evaluate(filter, &names, &values) == Some(1.0));
    stays.then_some(values)
}

fn evaluate(expr: &Expr, names: &[&str], values: &[Option<f64>]) -> Option<f64> {
    let of = |name: &str| values[names.iter().position(|other| *other == name).unwrap()];
    let inputs: Vec<Option<f64>> = expr.signals().iter().map(|name| of(name)).collect();
    let known = inputs.iter().enumerate().fold(0, |bits, (place, x)| bits | u64::from(x.is_some()) << place);
    let inputs: Vec<f64> = inputs.into_iter().map(Option::unwrap_or_default).collect();
    let inputs = Inputs { values: &inputs, known };
    match expr.ty() {
        Type::Bool => expr.compile().eval_bool(&inputs).map(|x| f64::from(u8::from(x))),
        _ => expr.compile().eval_number(&inputs).filter(|x| x.is_finite()),
    }
}
