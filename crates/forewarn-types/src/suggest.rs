//! "Did you mean …?": the nearest of the names that would have been right.

/// Longer names are compared by so many of their first letters, as the work grows with the square.
const MAX_LETTERS: usize = 128;

/// The candidate nearest to `wrong` by [`edit_distance`], if it is near enough to be a slip: at most a third
/// of the letters.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    let limit = (length / 3).max(1);
    // A distance is at least the difference in length.
    let near = candidates.into_iter().filter(|candidate| candidate.chars().count().abs_diff(length) <= limit);
    near.map(|candidate| (edit_distance(wrong, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, left out or changed to make `b` of `a`, where swapping two neighbours
/// counts once (optimal string alignment).
#[must_use]
pub fn edit_distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(beginning(a), beginning(b))
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(MAX_LETTERS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
