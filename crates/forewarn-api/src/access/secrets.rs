//! Secrets: how they are made, hashed and compared.
//!
//! Passwords are hashed by argon2id, which is slow on purpose. API tokens and logins are 256 random bits, so
//! one pass of SHA-256 is enough for them. Comparisons take the same time wherever two secrets differ.

use std::fmt::Write as _;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use forewarn_types::SecretHash;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Fills bytes with random ones; false if there are none to be had.
pub type Random = Arc<dyn Fn(&mut [u8]) -> bool + Send + Sync>;

/// How all API tokens begin, so that people and scanners of secrets know them.
pub(crate) const TOKEN_PREFIX: &str = "fwt_";
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// What OWASP advises: 19 MiB, two passes, one lane.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// The letters of codes that people type: none looks like another.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Random bytes.
///
/// # Errors
/// If the system has none.
pub(crate) fn random<const N: usize>(source: &Random) -> Result<[u8; N], &'static str> {
    let mut bytes = [0; N];
    if source(&mut bytes) { Ok(bytes) } else { Err("the system gives no random numbers") }
}

/// A secret of 256 bits as a text.
pub(crate) fn secret(source: &Random) -> Result<String, &'static str> {
    random::<32>(source).map(|bytes| hex(&bytes))
}

/// A code that a person types once: 100 bits, in groups of five letters.
pub(crate) fn code(source: &Random) -> Result<String, &'static str> {
    let bytes = random::<20>(source)?;
    let letters: Vec<u8> = bytes.iter().map(|byte| LETTERS[usize::from(byte & 31)]).collect();
    let groups: Vec<String> =
        letters.chunks(5).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    Ok(groups.join("-"))
}

/// SHA-256 of a random secret, in hexadecimal digits.
pub(crate) fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The hash of a password. It takes long; call it where it holds nothing up.
///
/// # Errors
/// If the system has no random numbers, or no memory.
pub(crate) fn hash_password(password: &str, source: &Random) -> Result<SecretHash, String> {
    let salt = random::<SALT_BYTES>(source)?;
    let hash = argon(password, &salt, COST).ok_or("the password cannot be hashed")?;
    let (memory, passes, lanes) = COST;
    Ok(SecretHash::new(format!("argon2id${memory}${passes}${lanes}${}${}", hex(&salt), hex(&hash))))
}

/// Whether `password` is the one of the hash. Without a hash as much is computed as with one, so that the time
/// does not tell which users there are.
pub(crate) fn is_password(password: &str, hash: Option<&SecretHash>) -> bool {
    let read = hash.and_then(|hash| parse(hash.expose()));
    let (cost, salt, expected) = read.unwrap_or_else(|| (COST, vec![0; SALT_BYTES], Vec::new()));
    argon(password, &salt, cost).is_some_and(|found| found.ct_eq(&expected).into())
}

type Parsed = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn parse(text: &str) -> Option<Parsed> {
    let mut parts = text.split('$');
    if parts.next()? != "argon2id" {
        return None;
    }
    let mut number = || parts.next()?.parse::<u32>().ok();
    let cost = (number()?, number()?, number()?);
    let (salt, hash) = (unhex(parts.next()?)?, unhex(parts.next()?)?);
    (hash.len() == HASH_BYTES).then_some((cost, salt, hash))
}

fn argon(password: &str, salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> Option<[u8; HASH_BYTES]> {
    let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut hash = [0; HASH_BYTES];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(password.as_bytes(), salt, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> Random {
        Arc::new(|bytes| {
            bytes.iter_mut().zip(7..).for_each(|(byte, count)| *byte = count);
            true
        })
    }

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hash = hash_password("correct horse", &counting()).unwrap();
        assert!(hash.expose().starts_with("argon2id$19456$2$1$0708"), "{}", hash.expose());
        assert!(is_password("correct horse", Some(&hash)));
        for (password, hash) in [("correct hors", Some(&hash)), ("", Some(&hash)), ("correct horse", None)] {
            assert!(!is_password(password, hash), "{password}");
        }
        let torn = SecretHash::new(hash.expose()[..70].to_owned());
        assert!(!is_password("correct horse", Some(&torn)));
        assert!(!is_password("", Some(&SecretHash::new("argon2id$19456$2$1$00$".into()))));
    }

    #[test]
    fn without_random_numbers_there_are_no_secrets() {
        let none: Random = Arc::new(|_| false);
        assert!(secret(&none).is_err() && code(&none).is_err() && hash_password("x", &none).is_err());
        assert_eq!(secret(&counting()).unwrap().len(), 64);
        assert_eq!(code(&counting()).unwrap(), "HJKLM-NPQRS-TUVWX-YZ234");
        assert!(same("a", "a") && !same("a", "b") && !same("a", "aa"));
    }
}
