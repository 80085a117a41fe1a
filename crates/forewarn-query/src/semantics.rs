//! The places where DataFusion computes otherwise than PostgreSQL, settled on the plan.
//!
//! - Whole numbers do not wrap around: `+`, `-` and `*` of them fail where the result does not fit.
//! - A cast of a number with a fraction to a whole number rounds (half to even), it does not cut off.
//! - What counts rows, characters or elements is a signed number, so that `row_number() OVER () - 2` can be
//!   negative.
//! - `x > ALL (SELECT …)` and its kin follow SQL's rules for nulls and for no rows, and `IN` and `EXISTS` may
//!   stand wherever a value may.
//! - What `unnest` makes of a row has no key, though the row had one.
//! - A text that is compared with a time is read as people write times, or refused.

mod checked;
mod compare;
mod literals;
mod unnest;

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRewriter};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable as _, LogicalPlan, Operator, ScalarUDF, TryCast, binary_expr, lit,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::optimizer::{Analyzer, OptimizerRule};

use self::checked::{Checked, Op, Round};
use crate::rows::is_decimal;

/// Settles what types decide; it runs once the types of all expressions are known.
#[derive(Debug)]
struct Settle {
    add: Arc<ScalarUDF>,
    subtract: Arc<ScalarUDF>,
    multiply: Arc<ScalarUDF>,
    round: Arc<ScalarUDF>,
}

impl AnalyzerRule for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|step| self.settle(step)).map(|done| done.data)
    }
}

impl Settle {
    fn settle(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema
                .merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
        }
        let names = NamePreserver::new(&plan);
        let mut settling = Settling { settle: self, schema: &schema };
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.rewrite(&mut settling)?.update_data(|expr| name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    }
}

struct Settling<'a> {
    settle: &'a Settle,
    schema: &'a DFSchema,
}

impl TreeNodeRewriter for Settling<'_> {
    type Node = Expr;

    fn f_up(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        let whole = |expr: &Expr| -> Result<bool> { Ok(expr.get_type(self.schema)?.is_integer()) };
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let function = match Op::of(op) {
                    Some(Op::Add) => &self.settle.add,
                    Some(Op::Subtract) => &self.settle.subtract,
                    Some(Op::Multiply) => &self.settle.multiply,
                    None => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
                };
                if !(whole(&left)? && whole(&right)?) {
                    return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
                }
                let args = vec![self.signed(*left)?, self.signed(*right)?];
                Ok(Transformed::yes(call(function, args)))
            }
            Expr::Negative(inner) if whole(&inner)? => {
                let inner = self.signed(*inner)?;
                let zero = ScalarValue::new_zero(&inner.get_type(self.schema)?)?;
                Ok(Transformed::yes(call(&self.settle.subtract, vec![Expr::Literal(zero, None), inner])))
            }
            Expr::Cast(Cast { expr, field })
                if field.data_type().is_integer() && self.has_fraction(&expr)? =>
            {
                let expr = Box::new(call(&self.settle.round, vec![*expr]));
                Ok(Transformed::yes(Expr::Cast(Cast { expr, field })))
            }
            Expr::TryCast(TryCast { expr, field })
                if field.data_type().is_integer() && self.has_fraction(&expr)? =>
            {
                let expr = Box::new(call(&self.settle.round, vec![*expr]));
                Ok(Transformed::yes(Expr::TryCast(TryCast { expr, field })))
            }
            Expr::ScalarFunction(ref function) if function.func.name() == "date_part" => {
                match self.epoch(&function.args)? {
                    Some(seconds) => Ok(Transformed::yes(seconds)),
                    None => Ok(Transformed::no(expr)),
                }
            }
            Expr::ScalarFunction(_) if expr.get_type(self.schema)?.is_unsigned_integer() => {
                Ok(Transformed::yes(expr.cast_to(&DataType::Int64, self.schema)?))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

impl Settling<'_> {
    /// The seconds of a duration with their fraction, which DataFusion cuts off.
    fn epoch(&self, args: &[Expr]) -> Result<Option<Expr>> {
        let [Expr::Literal(unit, _), value] = args else { return Ok(None) };
        let DataType::Duration(step) = value.get_type(self.schema)? else { return Ok(None) };
        if !unit.try_as_str().flatten().is_some_and(|unit| unit.eq_ignore_ascii_case("epoch")) {
            return Ok(None);
        }
        let steps = match step {
            TimeUnit::Second => 1.0,
            TimeUnit::Millisecond => 1e3,
            TimeUnit::Microsecond => 1e6,
            TimeUnit::Nanosecond => 1e9,
        };
        let count =
            value.clone().cast_to(&DataType::Int64, self.schema)?.cast_to(&DataType::Float64, self.schema)?;
        Ok(Some(binary_expr(count, Operator::Divide, lit(steps))))
    }

    /// `expr` as a signed number if it has no sign.
    fn signed(&self, expr: Expr) -> Result<Expr> {
        if expr.get_type(self.schema)?.is_unsigned_integer() {
            return expr.cast_to(&DataType::Int64, self.schema);
        }
        Ok(expr)
    }

    fn has_fraction(&self, expr: &Expr) -> Result<bool> {
        let ty = expr.get_type(self.schema)?;
        Ok(ty.is_floating() || is_decimal(&ty))
    }
}

fn call(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args))
}

/// What has to be settled again before each rule of the optimiser.
pub(crate) fn before_each_rule() -> Arc<dyn OptimizerRule + Send + Sync> {
    Arc::new(unnest::UnnestHasNoKeys)
}

/// Puts the rules where they belong: comparisons with subqueries before types are settled, the rest after.
pub(crate) fn register(state: SessionStateBuilder) -> SessionStateBuilder {
    let udf = |op| Arc::new(ScalarUDF::from(Checked::new(op)));
    let settle = Settle {
        add: udf(Op::Add),
        subtract: udf(Op::Subtract),
        multiply: udf(Op::Multiply),
        round: Arc::new(ScalarUDF::from(Round::new())),
    };
    let before: [Arc<dyn AnalyzerRule + Send + Sync>; 2] =
        [Arc::new(compare::Compare), Arc::new(literals::Literals)];
    let after: Arc<dyn AnalyzerRule + Send + Sync> = Arc::new(settle);
    let rules = before.into_iter().chain(Analyzer::new().rules).chain(std::iter::once(after)).collect();
    state.with_analyzer_rules(rules)
}
