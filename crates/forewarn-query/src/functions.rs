//! The functions that a query may call: an allow list out of DataFusion's, and those that users of
//! time-series databases know and DataFusion lacks.

mod args;
mod bounded;
mod bucket;
mod moments;
mod ordered;
mod percentile;
mod sum;
mod trunc;
mod zone;

use std::sync::Arc;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Functions of one row that only compute.
const SCALAR: &[&str] = &[
    // Numbers.
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // Conditions.
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "nvl",
    "nvl2",
    // Texts.
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "left",
    "levenshtein",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "overlay",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "to_hex",
    "translate",
    "upper",
    // Times.
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "make_time",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    // Lists.
    "array_any_value",
    "array_append",
    "array_concat",
    "array_distinct",
    "array_element",
    "array_except",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_intersect",
    "array_length",
    "array_max",
    "array_min",
    "array_ndims",
    "array_pop_back",
    "array_pop_front",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_repeat",
    "array_replace",
    "array_replace_all",
    "array_replace_n",
    "array_resize",
    "array_reverse",
    "array_slice",
    "array_sort",
    "array_to_string",
    "array_union",
    "cardinality",
    "empty",
    "flatten",
    "generate_series",
    "get_field",
    "make_array",
    "named_struct",
    "range",
    "string_to_array",
    "struct",
    // Types.
    "arrow_typeof",
    "version",
];

/// Functions of many rows.
const AGGREGATE: &[&str] = &[
    "any_value",
    "approx_median",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "median",
    "min",
    "nth_value",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "string_agg",
    "var",
    "var_pop",
];

/// Functions over a window of rows.
const WINDOW: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// Functions that stand where a table does.
const TABLE: &[&str] = &["generate_series", "range"];

/// Puts the allowed functions, and no others, into a session.
pub(crate) fn register(mut state: SessionStateBuilder) -> SessionStateBuilder {
    if let Some(functions) = state.scalar_functions() {
        functions.retain(|function| SCALAR.contains(&function.name()));
        for function in functions.iter_mut() {
            *function = bounded::bound(Arc::clone(function));
            if function.name() == "date_trunc" {
                *function = Arc::new(ScalarUDF::from(trunc::UtcTrunc::new(Arc::clone(function))));
            }
        }
        functions.extend(own_scalar());
    }
    if let Some(functions) = state.aggregate_functions() {
        functions.retain(|function| AGGREGATE.contains(&function.name()));
        functions.extend(own_aggregate());
    }
    if let Some(functions) = state.window_functions() {
        functions.retain(|function| WINDOW.contains(&function.name()));
    }
    if let Some(functions) = state.table_functions() {
        functions.retain(|name, _| TABLE.contains(&name.as_str()));
    }
    if let Some(functions) = state.higher_order_functions() {
        functions.clear();
    }
    state
}

fn own_scalar() -> impl Iterator<Item = Arc<ScalarUDF>> {
    [
        ScalarUDF::from(bucket::TimeBucket::new()),
        ScalarUDF::from(bucket::BucketStarts::new()),
        ScalarUDF::from(trunc::ZonedTrunc::new()),
        ScalarUDF::from(moments::Timezone::new()),
        ScalarUDF::from(moments::DateDiff::new()),
    ]
    .map(Arc::new)
    .into_iter()
}

fn own_aggregate() -> impl Iterator<Item = Arc<AggregateUDF>> {
    [
        AggregateUDF::from(sum::Sum::new()),
        AggregateUDF::from(ordered::Mode::new()),
        AggregateUDF::from(ordered::Percentile::new(false)),
        AggregateUDF::from(ordered::Percentile::new(true)),
    ]
    .map(Arc::new)
    .into_iter()
}
