//! Rows as text in columns, for people.

use serde_json::Value;

const WIDEST: usize = 60;

/// `rows` below `columns`, each column as wide as its widest cell; numbers to the right.
pub(crate) fn render(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut widths: Vec<usize> = columns.iter().map(|name| name.chars().count()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    line(&mut text, &head, &widths, &[]);
    for (row, values) in cells.iter().zip(rows) {
        line(&mut text, row, &widths, values);
    }
    text
}

/// The fields `columns` of JSON objects, as a table. A dotted name reaches into an object.
pub(crate) fn of_objects(columns: &[(&str, &str)], objects: &Value) -> String {
    let empty = Vec::new();
    let rows: Vec<Vec<Value>> = objects
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|object| columns.iter().map(|(_, path)| path.split('.').fold(object, |at, key| &at[key]).clone()).collect())
        .collect();
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

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace(['\n', '\t'], " "),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => short(float),
            _ => number.to_string(),
        },
        other => other.to_string(),
    };
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST - 1).chain(['…']).collect() }
}

/// Six significant digits are enough to look at.
fn short(value: f64) -> String {
    if value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e15) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_texts_to_the_left() {
        let objects = json!([{"a": "pump", "b": {"c": 1.5}}, {"a": "p", "b": {"c": 22}}, {"a": null, "b": {}}]);
        assert_eq!(of_objects(&[("asset", "a"), ("value", "b.c")], &objects), "asset  value\npump     1.5\np         22\n-      -\n");
    }

    #[test]
    fn long_texts_are_cut() {
        let text = render(&["t"], &[vec![json!("x".repeat(100))]]);
        assert_eq!(text.lines().nth(1).unwrap().chars().count(), WIDEST);
    }
}
