//! Rows as text in columns, for people.

use serde_json::Value;

/// Longer texts are cut, but not in the last column, where they put nothing out of line.
const WIDEST: usize = 60;
/// Decimals that are enough to look at.
const MOST_DECIMALS: usize = 4;

/// `rows` below `columns`, each column as wide as its widest cell; numbers to the right, with their points
/// below each other.
pub(crate) fn render(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let decimals: Vec<usize> = (0..columns.len()).map(|index| decimals(rows, index)).collect();
    let widest = |index: usize| if index + 1 == columns.len() { usize::MAX } else { WIDEST };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(&decimals)
                .enumerate()
                .map(|(index, (value, decimals))| cell(value, *decimals, widest(index)))
                .collect()
        })
        .collect();
    let mut widths: Vec<usize> = columns.iter().map(|name| name.chars().count()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    // A name stands where its column's values stand.
    let samples: Vec<Value> = (0..columns.len())
        .map(|index| {
            rows.iter()
                .filter_map(|row| row.get(index))
                .find(|value| !value.is_null())
                .cloned()
                .unwrap_or_default()
        })
        .collect();
    line(&mut text, &head, &widths, &samples);
    for (row, values) in cells.iter().zip(rows) {
        line(&mut text, row, &widths, values);
    }
    text
}

/// The fields `columns` of JSON objects, as a table. A dotted name reaches into an object. Times are shown to
/// the second. Without objects there is no table, but the word `none`.
pub(crate) fn of_objects(columns: &[(&str, &str)], objects: &Value) -> String {
    let field = |object: &Value, path: &str| to_the_second(path.split('.').fold(object, |at, key| &at[key]));
    let objects = objects.as_array().map_or(&[][..], Vec::as_slice);
    if objects.is_empty() {
        return "none\n".to_owned();
    }
    let rows: Vec<Vec<Value>> =
        objects.iter().map(|object| columns.iter().map(|(_, path)| field(object, path)).collect()).collect();
    render(&columns.iter().map(|(title, _)| *title).collect::<Vec<_>>(), &rows)
}

fn line(text: &mut String, cells: &[String], widths: &[usize], values: &[Value]) {
    let mut row = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let pad = " ".repeat(width - cell.chars().count());
        let right = values.get(index).is_some_and(Value::is_number);
        if index > 0 {
            row.push_str("  ");
        }
        let (before, behind) = if right { (pad.as_str(), "") } else { ("", pad.as_str()) };
        row.extend([before, cell.as_str(), behind]);
    }
    text.push_str(row.trim_end());
    text.push('\n');
}

fn cell(value: &Value, decimals: usize, widest: usize) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace(['\n', '\t'], " "),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => short(float, decimals),
            _ => number.to_string(),
        },
        other => other.to_string(),
    };
    if text.chars().count() <= widest { text } else { text.chars().take(widest - 1).chain(['…']).collect() }
}

/// How many decimals the numbers of a column are shown with: as many as one of them needs.
fn decimals(rows: &[Vec<Value>], column: usize) -> usize {
    let floats = rows
        .iter()
        .filter_map(|row| row.get(column))
        .filter(|value| value.is_f64())
        .filter_map(Value::as_f64);
    let needed = floats.filter(|value| !is_extreme(*value)).map(|value| {
        let text = format!("{value:.MOST_DECIMALS$}");
        text.trim_end_matches('0').rsplit_once('.').map_or(0, |(_, decimals)| decimals.len())
    });
    needed.max().unwrap_or(0)
}

fn is_extreme(value: f64) -> bool {
    value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e15)
}

fn short(value: f64, decimals: usize) -> String {
    if is_extreme(value) { format!("{value:.5e}") } else { format!("{value:.decimals$}") }
}

/// A time without its fraction of a second; anything else as it is.
fn to_the_second(value: &Value) -> Value {
    let Some((whole, fraction)) = value.as_str().and_then(|text| text.split_once('.')) else {
        return value.clone();
    };
    let is_time = whole.len() == "2026-01-31T08:30:00".len()
        && whole.as_bytes()[10] == b'T'
        && fraction.strip_suffix('Z').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if is_time { format!("{whole}Z").into() } else { value.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_texts_to_the_left() {
        let objects =
            json!([{"a": "pump", "b": {"c": 1.5}}, {"a": "p", "b": {"c": 22}}, {"a": null, "b": {}}]);
        assert_eq!(
            of_objects(&[("asset", "a"), ("value", "b.c")], &objects),
            "asset  value\npump     1.5\np         22\n-      -\n"
        );
        assert_eq!(of_objects(&[("asset", "a")], &json!([])), "none\n");
    }

    #[test]
    fn the_points_of_a_column_stand_below_each_other() {
        let rows = [json!(17.96), json!(118.883_638), json!(-2.0), json!(1e-9)].map(|value| vec![value]);
        assert_eq!(render(&["value"], &rows), "     value\n   17.9600\n  118.8836\n   -2.0000\n1.00000e-9\n");
        assert_eq!(render(&["value"], &[vec![json!(2.0)], vec![json!(3.0)]]), "value\n    2\n    3\n");
    }

    #[test]
    fn times_of_objects_are_shown_to_the_second() {
        let objects = json!([{ "t": "2026-01-31T08:30:00.531536Z" }, { "t": "2026-01-31T08:30:00Z" }, { "t": "a sentence. And more" }]);
        assert_eq!(
            of_objects(&[("t", "t")], &objects),
            "t\n2026-01-31T08:30:00Z\n2026-01-31T08:30:00Z\na sentence. And more\n"
        );
    }

    #[test]
    fn long_texts_are_cut_unless_they_come_last() {
        let long = json!("x".repeat(100));
        let text = render(&["t", "u"], &[vec![long.clone(), long]]);
        assert_eq!(text.lines().nth(1).unwrap().chars().count(), WIDEST + 2 + 100);
    }
}
