//! Lists of columns as people write them: `unit,cycle,setting1..3,s1..s21`.

use serde::{Deserialize, Deserializer};

use crate::cell::ColumnInfo;

/// Most columns a range may stand for.
const MOST: u32 = 10_000;

/// Takes lists apart at commas and writes ranges out. `s1..s3` and `s1..3` both mean `s1`, `s2`, `s3`.
pub(super) fn expand(lists: &[String]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for item in lists.iter().flat_map(|list| list.split(',')).map(str::trim) {
        if item.is_empty() {
            return Err("a list of columns has an empty name; write name,name,…".into());
        }
        match item.split_once("..") {
            None => names.push(item.to_owned()),
            Some((from, to)) => range(item, from, to, &mut names)?,
        }
    }
    Ok(names)
}

/// The columns that lists name, each with the name after `=` where there is one. What a column is called in
/// full comes first, so that names may hold commas, equals signs and dots.
pub(super) fn resolve(
    lists: &[String],
    columns: &[ColumnInfo],
) -> Result<Vec<(String, Option<String>)>, String> {
    let is_column = |name: &str| columns.iter().any(|column| column.name == name);
    let whole = |item: &str| {
        if is_column(item) {
            return Some((item.to_owned(), None));
        }
        let (column, name) = item
            .rmatch_indices('=')
            .map(|(at, _)| (&item[..at], &item[at + 1..]))
            .find(|(column, _)| is_column(column.trim()))?;
        Some((column.trim().to_owned(), Some(name.trim().to_owned())))
    };
    let mut found = Vec::new();
    for list in lists {
        if let Some(item) =
            whole(list.trim()).filter(|(_, name)| !name.as_ref().is_some_and(|name| name.contains(',')))
        {
            found.push(item);
            continue;
        }
        for item in list.split(',').map(str::trim) {
            match (whole(item), item.split_once('=')) {
                (Some(item), _) => found.push(item),
                (None, Some((column, name))) => {
                    found.push((column.trim().to_owned(), Some(name.trim().to_owned())));
                }
                (None, None) => {
                    found.extend(expand(&[item.to_owned()])?.into_iter().map(|column| (column, None)));
                }
            }
        }
    }
    Ok(found)
}

fn range(item: &str, from: &str, to: &str, names: &mut Vec<String>) -> Result<(), String> {
    let error = || format!("{item:?} is not a range of columns; write it such as s1..s21 or s1..21");
    let prefix = from.trim_end_matches(|c: char| c.is_ascii_digit());
    let first: u32 = from[prefix.len()..].parse().map_err(|_| error())?;
    let last: u32 = to.strip_prefix(prefix).unwrap_or(to).parse().map_err(|_| error())?;
    if first > last || last - first > MOST {
        return Err(error());
    }
    names.extend((first..=last).map(|number| format!("{prefix}{number}")));
    Ok(())
}

/// Reads one text or a list of texts.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}
