//! Literals that stand for a value of another type: a text where a time is meant, as in
//! `time > '2026-01-31 08:30'`, and 0 or 1 where true or false is meant, as in `late = 1`.
//!
//! DataFusion reads times only with seconds, and says little about a text that is none.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRewriter};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable as _, LogicalPlan, Operator};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::error::QueryError;

/// Puts such texts into a form that is read, or says that they are no times.
#[derive(Debug)]
pub(super) struct Literals;

impl AnalyzerRule for Literals {
    fn name(&self) -> &'static str {
        "time_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|step| {
            let mut schema = merge_schema(&step.inputs());
            if let LogicalPlan::TableScan(scan) = &step {
                schema.merge(&DFSchema::try_from_qualified_schema(
                    scan.table_name.clone(),
                    &scan.source.schema(),
                )?);
            }
            let names = NamePreserver::new(&step);
            step.map_expressions(|expr| {
                let name = names.save(&expr);
                let done = expr.rewrite(&mut Spelling { schema: &schema })?;
                Ok(done.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|done| done.data)
    }
}

struct Spelling<'a> {
    schema: &'a DFSchema,
}

impl Spelling<'_> {
    fn is_time(&self, expr: &Expr) -> bool {
        // What has no type yet is none of a table's columns.
        matches!(expr.get_type(self.schema), Ok(DataType::Timestamp(..)))
    }

    /// Spells `other` if `expr` is a time. 0 and 1 beside a truth value become one. An interval beside a
    /// duration becomes one, as DataFusion compares intervals by their months, days and hours apart.
    fn beside(&self, expr: &Expr, other: &mut Expr) -> Result<bool> {
        if matches!(expr.get_type(self.schema), Ok(DataType::Duration(_)))
            && let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) = other
        {
            if interval.months != 0 {
                return Err(refused("a month has no length in hours; compare with days".to_owned()));
            }
            let nanoseconds = i64::from(interval.days)
                .checked_mul(86_400_000_000_000)
                .and_then(|days| days.checked_add(interval.nanoseconds));
            let micros = nanoseconds.map(|nanoseconds| nanoseconds / 1_000);
            *other = Expr::Literal(ScalarValue::DurationMicrosecond(micros), None);
            return Ok(true);
        }
        if matches!(expr.get_type(self.schema), Ok(DataType::Boolean))
            && let Expr::Literal(ScalarValue::Int64(Some(number @ (0 | 1))), _) = other
        {
            *other = Expr::Literal(ScalarValue::Boolean(Some(*number == 1)), None);
            return Ok(true);
        }
        if !self.is_time(expr) {
            return Ok(false);
        }
        spell(other)
    }
}

impl TreeNodeRewriter for Spelling<'_> {
    type Node = Expr;

    fn f_up(&mut self, mut expr: Expr) -> Result<Transformed<Expr>> {
        let changed = match &mut expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
                let interval = |expr: &Expr| matches!(expr.get_type(self.schema), Ok(DataType::Interval(_)));
                if is_order(*op) && interval(left) && interval(right) {
                    return Err(refused(
                        "intervals cannot be ordered; take the difference of two times, or seconds"
                            .to_owned(),
                    ));
                }
                self.beside(left, right)? || self.beside(right, left)?
            }
            Expr::Between(Between { expr, low, high, .. }) => {
                self.beside(expr, low)? | self.beside(expr, high)?
            }
            Expr::InList(InList { expr, list, .. }) => {
                let mut changed = false;
                for item in list {
                    changed |= self.beside(expr, item)?;
                }
                changed
            }
            Expr::Cast(Cast { expr, field }) if matches!(field.data_type(), DataType::Timestamp(..)) => {
                spell(expr)?
            }
            _ => false,
        };
        Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
    }
}

const fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

const fn is_order(op: Operator) -> bool {
    matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

fn refused(text: String) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::Query(text)))
}

/// Puts a text in the form that is read; whether it was one in another form.
fn spell(expr: &mut Expr) -> Result<bool> {
    let Expr::Literal(
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)),
        _,
    ) = expr
    else {
        return Ok(false);
    };
    let Some(spelled) = in_full(text) else {
        let problem = format!(
            "{text:?} is not a time; write '2026-01-31', '2026-01-31 08:30' or '2026-01-31T08:30:00Z'"
        );
        return Err(refused(problem));
    };
    let changed = spelled != *text;
    *text = spelled;
    Ok(changed)
}

/// A time with seconds; nothing if the text does not look like one.
fn in_full(text: &str) -> Option<String> {
    let text = text.trim();
    let day = text.get(..10)?;
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
    };
    if !digits(day, "0000-00-00") {
        // Years of another length, and words such as `now`, are left to DataFusion.
        return text
            .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
            .then(|| text.to_owned());
    }
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(text.to_owned());
    }
    let clock = rest.strip_prefix([' ', 'T', 't'])?;
    let minutes = clock.get(..5)?;
    if !digits(minutes, "00:00") {
        return None;
    }
    let behind = &clock[5..];
    let seconds = if behind.starts_with(':') { "" } else { ":00" };
    // A zone of hours only, as PostgreSQL prints it.
    let zone = behind.rfind(['+', '-']).map_or("", |at| &behind[at..]);
    let minutes_of_zone = if digits(zone.get(1..).unwrap_or(""), "00") { ":00" } else { "" };
    Some(format!("{day}T{minutes}{seconds}{behind}{minutes_of_zone}"))
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn times_are_spelled_with_seconds() {
        let table = [
            ("2026-01-31", Some("2026-01-31")),
            ("2026-01-31 08:30", Some("2026-01-31T08:30:00")),
            ("2026-01-31T08:30Z", Some("2026-01-31T08:30:00Z")),
            ("2026-01-31 08:30+02", Some("2026-01-31T08:30:00+02:00")),
            ("2026-01-31 08:30:15.25+02:00", Some("2026-01-31T08:30:15.25+02:00")),
            ("2026-01-31 8:30", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(in_full(text).as_deref(), expected, "{text}");
        }
    }
}
