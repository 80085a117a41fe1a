//! New series. The record stands before the first batch that uses them.

use crate::body::JsonBody;
use crate::series::SeriesDef;

impl JsonBody for Vec<SeriesDef> {
    const NAME: &'static str = "series";
    const TABLE: Option<&'static str> = None;
}
