//! Decimal numbers, checked and converted in one pass.

/// A number at the front of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Its value; infinite if it is too large for a 64-bit float.
    pub value: f64,
    /// Bytes it takes.
    pub len: usize,
    /// Its value, where it is written without fraction and exponent and fits.
    pub integer: Option<i64>,
    /// It is written without fraction and exponent, in so many digits that a 64-bit float may not hold them.
    pub many_digits: bool,
}

/// Up to here a 64-bit float holds every whole number.
const EXACT_UP_TO: u64 = 1 << 53;

impl Number {
    /// Whether the value says all that `text`, from which it was read, does: a whole number of many digits
    /// may be none that a 64-bit float holds.
    #[must_use]
    #[inline]
    pub fn is_exact(&self, text: &str) -> bool {
        !self.many_digits || whole(text.get(..self.len).unwrap_or("")).is_some()
    }
}

/// The value of a whole number, a sign and digits; `None` if that is none that a 64-bit float holds. A float
/// that was written with as many digits as it has, and zeros after them, is one.
#[must_use]
pub fn whole(digits: &str) -> Option<f64> {
    if !is_plain(digits) {
        return None;
    }
    let value: f64 = digits.parse().ok().filter(|value: &f64| value.is_finite())?;
    if value.abs() <= EXACT_UP_TO as f64 - 1.0 {
        return Some(value);
    }
    let size = |text: &str| text.trim_start_matches(['-', '+']).trim_start_matches('0').to_owned();
    let same = digits.parse::<i128>().is_ok_and(|whole| format!("{value:.0}") == whole.to_string());
    (same || size(digits) == size(&value.to_string())).then_some(value)
}

/// Whether `text` is a sign and digits, and nothing else.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Powers of ten that a 64-bit float holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Reads the number (in JSON's grammar, but with leading zeros allowed as Influx does) at the front of
/// `text`.
///
/// Few digits are converted here: mantissa and power of ten are both exact floats then, so their quotient is
/// rounded correctly (W. D. Clinger, "How to read floating point numbers accurately", 1990). The standard
/// library does the rest.
#[must_use]
pub fn scan(text: &str) -> Option<Number> {
    let bytes = text.as_bytes();
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut mantissa: u64 = 0;
    let mut at = digits(bytes, start, &mut mantissa);
    if at == start {
        return None;
    }
    let mut count = at - start;
    let mut fraction = 0;
    let mut plain = true;
    if bytes.get(at) == Some(&b'.') {
        let end = digits(bytes, at + 1, &mut mantissa);
        fraction = end - at - 1;
        if fraction == 0 {
            return None;
        }
        count += fraction;
        plain = false;
        at = end;
    }
    let mut exponent = false;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(bytes, at + 1 + sign, &mut 0);
        if end == at + 1 + sign {
            return None;
        }
        exponent = true;
        plain = false;
        at = end;
    }
    let value = if !exponent && count <= 15 && fraction < EXACT_POWERS.len() {
        let size = mantissa as f64 / EXACT_POWERS[fraction];
        if negative { -size } else { size }
    } else {
        text.get(..at)?.parse().ok()?
    };
    let integer = if plain { text.get(..at)?.parse().ok() } else { None };
    Some(Number { value, len: at, integer, many_digits: plain && count > 15 })
}

/// Passes over digits from `at` and adds them to `mantissa`, which wraps beyond 19 of them (callers look at
/// their count).
fn digits(bytes: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}
