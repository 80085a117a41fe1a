//! The name in a client's certificate.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::http::peer::ClientName;

/// DER's tags of what a name is made of.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// The object identifier 2.5.4.3: a common name.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// The texts that are bytes of UTF-8 or ASCII: `UTF8String`, `PrintableString`, `IA5String`.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The name of whom `certificate` was issued to: the common name, or else the first alternative name.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<ClientName> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let alternative = || parsed.valid_dns_names().chain(parsed.valid_uri_names()).next().map(str::to_owned);
    common_name(parsed.subject()).or_else(alternative).map(ClientName)
}

/// The common name in a subject: a sequence of sets of pairs of an identifier and a text.
fn common_name(mut subject: &[u8]) -> Option<String> {
    while let Some((SET, mut set, rest)) = element(subject) {
        subject = rest;
        while let Some((SEQUENCE, pair, rest)) = element(set) {
            set = rest;
            if let Some((OBJECT_ID, COMMON_NAME, value)) = element(pair)
                && let Some((kind, text, _)) = element(value)
                && TEXTS.contains(&kind)
            {
                return std::str::from_utf8(text).ok().map(str::to_owned);
            }
        }
    }
    None
}

/// The first element of `der`: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let ([high, low], rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: &[u8], kind: u8, text: &str) -> Vec<u8> {
        let size = |bytes: usize| u8::try_from(bytes).unwrap();
        let mut inner = vec![OBJECT_ID, size(id.len())];
        inner.extend_from_slice(id);
        inner.extend_from_slice(&[kind, size(text.len())]);
        inner.extend_from_slice(text.as_bytes());
        let mut all = vec![SET, size(inner.len() + 2), SEQUENCE, size(inner.len())];
        all.extend(inner);
        all
    }

    #[test]
    fn the_common_name_is_found_among_others() {
        let organisation: &[u8] = &[0x55, 0x04, 0x0a];
        let subject = [pair(organisation, 0x0c, "Plant 1"), pair(COMMON_NAME, 0x13, "gateway-7")].concat();
        assert_eq!(common_name(&subject).as_deref(), Some("gateway-7"));
        assert_eq!(common_name(&pair(organisation, 0x0c, "Plant 1")), None);
        // What is cut off or of another form names nobody, and harms nothing.
        for length in 0..subject.len() {
            assert_eq!(common_name(&subject[..length]), None, "{length}");
        }
        assert_eq!(common_name(&pair(COMMON_NAME, 0x1e, "ab")), None);
    }
}
