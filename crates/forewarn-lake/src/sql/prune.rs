//! What a query's conditions say about the columns of a table: which files and which rows of the tail it can
//! need at all.
//!
//! Only conditions that stand at the top of a WHERE, joined by AND, are taken: no row that breaks one can be
//! in the answer, whatever joins and windows follow. A table that is read in several places needs what any of
//! them needs. Whatever is not understood says nothing, so that at worst too much is read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    TableFactor, TableWithJoins, UnaryOperator, Value, ValueWithSpan, Visit as _, Visitor,
};

use super::rewrite::{Relations, name_of};
use super::time::{literal_value, parse_naive};
use crate::read::View;
use crate::table::{Bounds, ColumnType, DATE, DAY_US, Limit, MAX_TEXTS, TableSchema};

/// What `select`, which reads nothing but `table` as `alias`, says about it, if that is all it says.
pub(super) fn whole_condition(
    select: &Select,
    table: &str,
    schema: &TableSchema,
    alias: &str,
) -> Option<Bounds> {
    let finder = Finder { table, schema, places: 0, understood: 0, found: None };
    let mut bounds = Bounds::default();
    let all =
        select.selection.as_ref().is_none_or(|condition| finder.read(condition, alias, true, &mut bounds));
    all.then_some(bounds)
}

/// What the (rewritten) `query` says about `table`.
pub(super) fn bounds(query: &Query, table: &str, view: &View) -> Bounds {
    let Some(entry) = view.tables.get(table) else { return Bounds::default() };
    let mut names = Relations::default();
    let _ = query.visit(&mut names);
    if names.defined.contains(table) {
        return Bounds::default();
    }
    let mut finder = Finder { table, schema: &entry.schema, places: 0, understood: 0, found: None };
    let _ = query.visit(&mut finder);
    // A place that no SELECT accounts for could need any row.
    if finder.places == finder.understood { finder.found.unwrap_or_default() } else { Bounds::default() }
}

struct Finder<'a> {
    table: &'a str,
    schema: &'a TableSchema,
    /// How often the table is named.
    places: usize,
    /// How often it is named where its conditions were looked at.
    understood: usize,
    found: Option<Bounds>,
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.places += usize::from(name_of(relation) == self.table);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let factors: Vec<&TableFactor> = select.from.iter().flat_map(factors).collect();
        for factor in &factors {
            let TableFactor::Table { name, alias, .. } = factor else { continue };
            if name_of(name) != self.table {
                continue;
            }
            self.understood += 1;
            let alias = alias.as_ref().map_or(self.table, |alias| alias.name.value.as_str());
            let mut bounds = Bounds::default();
            if let Some(condition) = &select.selection {
                self.read(condition, alias, factors.len() == 1, &mut bounds);
            }
            self.found = Some(match self.found.take() {
                Some(before) => before.or(&bounds),
                None => bounds,
            });
        }
        ControlFlow::Continue(())
    }
}

fn factors(tables: &TableWithJoins) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&tables.relation).chain(tables.joins.iter().map(|join| &join.relation))
}

impl Finder<'_> {
    /// Takes in what `condition` demands of the table that is called `alias`; `alone` if it is the only one
    /// in its FROM. Whether the bounds say all of it comes back.
    fn read(&self, condition: &Expr, alias: &str, alone: bool, bounds: &mut Bounds) -> bool {
        match condition {
            Expr::Nested(inner) => self.read(inner, alias, alone, bounds),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                let left = self.read(left, alias, alone, bounds);
                self.read(right, alias, alone, bounds) && left
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                let (mut first, mut second) = (Bounds::default(), Bounds::default());
                self.read(left, alias, alone, &mut first);
                self.read(right, alias, alone, &mut second);
                for (column, limit) in first.or(&second).columns {
                    bounds.and(&column, limit);
                }
                // What lies between two ranges is within the bounds of both together.
                false
            }
            Expr::BinaryOp { left, op, right } => {
                if let Some(column) = self.column(left, alias, alone) {
                    self.compare(column, op, right, bounds)
                } else if let (Some(column), Some(op)) = (self.column(right, alias, alone), mirrored(op)) {
                    self.compare(column, &op, left, bounds)
                } else {
                    false
                }
            }
            Expr::Between { expr, negated: false, low, high } => {
                self.column(expr, alias, alone).is_some_and(|column| {
                    let low = self.compare(column, &BinaryOperator::GtEq, low, bounds);
                    self.compare(column, &BinaryOperator::LtEq, high, bounds) && low
                })
            }
            Expr::InList { expr, list, negated: false } => {
                self.column(expr, alias, alone).is_some_and(|column| self.one_of(column, list, bounds))
            }
            _ => false,
        }
    }

    fn one_of(&self, column: &str, list: &[Expr], bounds: &mut Bounds) -> bool {
        match self.schema.column(column).map(|column| column.ty) {
            Some(ColumnType::Text) if list.len() <= MAX_TEXTS => {
                let texts = list
                    .iter()
                    .map(|item| text(item).map(str::to_owned))
                    .collect::<Option<BTreeSet<String>>>();
                texts.map(|texts| bounds.and(column, Limit::Text(texts))).is_some()
            }
            Some(ColumnType::Int) => {
                let numbers: Option<Vec<i64>> = list.iter().map(int).collect();
                if let Some((low, high)) =
                    numbers.and_then(|numbers| Some((*numbers.iter().min()?, *numbers.iter().max()?)))
                {
                    bounds.and(column, Limit::Int(low, high));
                }
                false
            }
            _ => false,
        }
    }

    /// The name of the table's column that `expr` is.
    fn column<'e>(&self, expr: &'e Expr, alias: &str, alone: bool) -> Option<&'e str> {
        let name = match expr {
            Expr::Identifier(ident) if alone => ident.value.as_str(),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if table.value == alias => column.value.as_str(),
                _ => return None,
            },
            Expr::Nested(inner) => return self.column(inner, alias, alone),
            _ => return None,
        };
        self.schema.sql_names().any(|known| known == name).then_some(name)
    }

    /// Takes in one comparison; says whether the bounds say all of it.
    fn compare(&self, column: &str, op: &BinaryOperator, value: &Expr, bounds: &mut Bounds) -> bool {
        if column == DATE && self.schema.by_date {
            // A day is compared as a whole: its first and last µs.
            let days = day(value).map(|day| (day, day.saturating_add(DAY_US - 1)));
            return days
                .and_then(|days| range(op, days))
                .map(|(low, high)| bounds.and("time", Limit::Time(low, high)))
                .is_some();
        }
        let limit = match self.schema.column(column).map(|column| column.ty) {
            Some(ColumnType::Time) => literal_value(value)
                .and_then(|time| range(op, (time.0, time.0)))
                .map(|(low, high)| Limit::Time(low, high)),
            Some(ColumnType::Int) => int(value)
                .and_then(|number| range(op, (number, number)))
                .map(|(low, high)| Limit::Int(low, high)),
            Some(ColumnType::Text) if *op == BinaryOperator::Eq => {
                text(value).map(|text| Limit::Text(BTreeSet::from([text.to_owned()])))
            }
            _ => None,
        };
        limit.map(|limit| bounds.and(column, limit)).is_some()
    }
}

/// The values that compare by `op` as wanted with what extends from `first` to `last`.
fn range(op: &BinaryOperator, (first, last): (i64, i64)) -> Option<(i64, i64)> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq};
    Some(match op {
        Eq => (first, last),
        GtEq => (first, i64::MAX),
        Gt => (last.saturating_add(1), i64::MAX),
        LtEq => (i64::MIN, last),
        Lt => (i64::MIN, first.saturating_sub(1)),
        _ => return None,
    })
}

fn int(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => text.parse().ok(),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => int(expr)?.checked_neg(),
        Expr::Nested(inner) => int(inner),
        _ => None,
    }
}

fn mirrored(op: &BinaryOperator) -> Option<BinaryOperator> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq};
    Some(match op {
        Eq => Eq,
        Gt => Lt,
        GtEq => LtEq,
        Lt => Gt,
        LtEq => GtEq,
        _ => return None,
    })
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => text(inner),
        _ => None,
    }
}

/// The start of the day a literal names, if it names a whole day.
fn day(expr: &Expr) -> Option<i64> {
    let literal = match expr {
        Expr::TypedString(typed) if typed.data_type == sqlparser::ast::DataType::Date => {
            match &typed.value.value {
                Value::SingleQuotedString(text) => text,
                _ => return None,
            }
        }
        other => text(other)?,
    };
    parse_naive(literal).map(|time| time.0).filter(|time| time.rem_euclid(DAY_US) == 0)
}

/// The column names that occur in `query`; `None` if it may mean every column.
pub(super) fn names(query: &Query) -> Option<BTreeSet<String>> {
    let mut names = Names::default();
    match query.visit(&mut names) {
        ControlFlow::Continue(()) => Some(names.found),
        ControlFlow::Break(()) => None,
    }
}

#[derive(Default)]
struct Names {
    found: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let wild =
            |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        if select.projection.iter().any(wild) {
            return ControlFlow::Break(());
        }
        if select.from.iter().flat_map(factors).any(|factor| matches!(factor, TableFactor::NestedJoin { .. }))
        {
            return ControlFlow::Break(());
        }
        for join in select.from.iter().flat_map(|tables| &tables.joins) {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(_) | JoinConstraint::None) => {}
                Some(JoinConstraint::Using(columns)) => self.found.extend(columns.iter().map(name_of)),
                Some(JoinConstraint::Natural) | None => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                self.found.insert(ident.value.clone());
            }
            Expr::CompoundIdentifier(parts) => {
                self.found.extend(parts.last().map(|ident| ident.value.clone()));
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => return ControlFlow::Break(()),
            Expr::Function(Function { name, .. }) if name_of(name).eq_ignore_ascii_case("columns") => {
                return ControlFlow::Break(());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The constraint of a join of a common kind; `None` for the others.
fn constraint(join: &JoinOperator) -> Option<&JoinConstraint> {
    match join {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c)
        | JoinOperator::CrossJoin(c)
        | JoinOperator::Semi(c)
        | JoinOperator::LeftSemi(c)
        | JoinOperator::RightSemi(c)
        | JoinOperator::Anti(c)
        | JoinOperator::LeftAnti(c)
        | JoinOperator::RightAnti(c) => Some(c),
        _ => None,
    }
}
