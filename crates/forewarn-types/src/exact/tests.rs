//! Every finite number comes back as it was, and what is no number does not.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Numbers {
    #[serde(deserialize_with = "super::number")]
    one: f64,
    #[serde(deserialize_with = "super::optional")]
    other: Option<f64>,
}

fn read(text: &str) -> Result<Numbers, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn a_number_that_the_library_reads_one_bit_off_comes_back() {
    let numbers = Numbers { one: 9.774_999_999_999_999, other: None };
    assert_eq!(read(&serde_json::to_string(&numbers).unwrap()).unwrap(), numbers);
    assert_ne!(numbers.one, 9.775);
}

#[test]
fn what_is_no_number_is_refused() {
    for text in ["null", "\"1\"", "\"nan\"", "[1]", "true"] {
        assert!(read(&format!("{{\"one\":{text},\"other\":null}}")).is_err(), "{text}");
    }
    assert!(read("{\"one\":1,\"other\":\"inf\"}").is_err());
}

proptest! {
    #[test]
    fn every_number_comes_back(one in proptest::num::f64::NORMAL, other in any::<i64>()) {
        let numbers = Numbers { one, other: Some(other as f64) };
        let text = serde_json::to_string(&numbers).unwrap();
        prop_assert_eq!(read(&text).unwrap(), numbers);
    }
}
