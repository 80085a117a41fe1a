//! From the SQL people write to the SQL polars runs.
//!
//! polars' SQL has no `date_trunc`, no `time_bucket` and no `now()`, knows no literal with a zone, and
//! compares a time only with a time. All times are naive UTC here, so every literal, parameter and `now()`
//! becomes a naive literal, and truncation becomes integer arithmetic on µs, which polars runs as fast as any
//! other column arithmetic.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use forewarn_types::{Timestamp, TypesError};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectName, Query, Select, SetExpr, Statement, TableFactor, TypedString, Value, ValueWithSpan,
    Visit as _, VisitMut as _, Visitor, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::time::{interval_us, literal, literal_value, parse_any, parse_naive, parse_zoned, unit_us};
use super::{aggregates, distance, joins, limits, names, nearest};
use crate::error::LakeError;
use crate::read::View;
use crate::table::ColumnType;

/// Queries longer than this are refused before they are parsed.
const MAX_QUERY_BYTES: usize = 64 * 1024;
/// Mondays: 1970-01-05 is one. Weeks, and buckets of any length, are counted from it.
const MONDAY_US: i64 = 4 * 86_400_000_000;

/// One reading statement, or why it is none.
pub(super) fn parse(text: &str) -> Result<Query, LakeError> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(LakeError::Query(format!(
            "the query has {} bytes; at most {MAX_QUERY_BYTES} are allowed",
            text.len()
        )));
    }
    let wrong = |problem: String| {
        LakeError::Query(format!(
            "the query is not SQL: {}",
            problem.trim_start_matches("sql parser error: ")
        ))
    };
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| wrong(error.to_string()))?;
    limits::check(&tokens)?;
    let mut parser = Parser::new(&GenericDialect).with_tokens_with_locations(offsets_quoted(tokens));
    let statements = parser.parse_statements().map_err(|error| wrong(error.to_string()))?;
    let mut statements = statements.into_iter();
    let (first, more) = (statements.next(), statements.next());
    if more.is_some() {
        return Err(LakeError::Query("there is more than one statement; send one SELECT at a time".into()));
    }
    let query = match first {
        None => return Err(LakeError::Query("the query is empty; write SELECT … FROM readings …".into())),
        Some(Statement::Query(query)) => *query,
        Some(other) => {
            let word = other.to_string().split_whitespace().next().unwrap_or_default().to_uppercase();
            return Err(LakeError::Query(format!(
                "{word} is not allowed; the lake is read with SELECT only"
            )));
        }
    };
    match query.visit(&mut ReadOnly::default()) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(problem) => Err(LakeError::Query(problem)),
    }
}

/// Quotes the word `offset` where it is the column: the parser takes it for the clause that follows LIMIT. It
/// is the column where an expression begins, which is what the token before it tells.
fn offsets_quoted(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut begins = false;
    for token in &mut tokens {
        match &mut token.token {
            Token::Whitespace(_) => {}
            Token::Word(word) if word.keyword == Keyword::OFFSET && word.quote_style.is_none() && begins => {
                *word = Word {
                    value: word.value.to_lowercase(),
                    quote_style: Some('"'),
                    keyword: Keyword::NoKeyword,
                };
                begins = false;
            }
            Token::Word(word) => {
                use Keyword::{
                    AND, AS, BETWEEN, BY, CASE, DISTINCT, ELSE, FILTER, HAVING, NOT, ON, OR, SELECT, THEN,
                    WHEN, WHERE,
                };
                begins = word.quote_style.is_none()
                    && [
                        AND, AS, BETWEEN, BY, CASE, DISTINCT, ELSE, FILTER, HAVING, NOT, ON, OR, SELECT,
                        THEN, WHEN, WHERE,
                    ]
                    .contains(&word.keyword);
            }
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::RParen
            | Token::Placeholder(_)
            | Token::SemiColon => begins = false,
            // Commas, parentheses, dots and operators.
            _ => begins = true,
        }
    }
    tokens
}

/// Finds what is no plain reading of tables, wherever it is nested.
#[derive(Default)]
struct ReadOnly {
    /// Tables and subqueries met so far.
    tables: usize,
}

impl Visitor for ReadOnly {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if let Some(word) = writes(&query.body) {
            return ControlFlow::Break(format!("{word} is not allowed; the lake is read with SELECT only"));
        }
        if !query.locks.is_empty() {
            return ControlFlow::Break(
                "FOR UPDATE and FOR SHARE are not allowed; the lake is read with plain SELECT".into(),
            );
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        if select.into.is_some() {
            return ControlFlow::Break(
                "SELECT … INTO is not allowed; a job with `into` writes a table".into(),
            );
        }
        if joins::multiplies(select) {
            return ControlFlow::Break(
                "tables are joined without a condition, so each row with each; write JOIN … ON a.x = b.x, or take a single value with \
                 a subquery"
                    .into(),
            );
        }
        if let Some(column) = aggregates::stray_column(select) {
            return ControlFlow::Break(format!(
                "{column} is taken from each row, beside an aggregate over all rows; add GROUP BY, or make an aggregate of it, such as \
                 max({column})"
            ));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break("only SELECT is allowed; the lake is read-only".into()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        self.tables += 1;
        if let Err(problem) = limits::check_tables(self.tables) {
            return ControlFlow::Break(problem);
        }
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(format!("{other} is not allowed; name a table after FROM")),
        }
    }
}

/// The word of a body that does more than read.
fn writes(body: &SetExpr) -> Option<&'static str> {
    match body {
        SetExpr::Insert(_) => Some("INSERT"),
        SetExpr::Update(_) => Some("UPDATE"),
        SetExpr::Delete(_) => Some("DELETE"),
        SetExpr::Merge(_) => Some("MERGE"),
        SetExpr::Table(_) => Some("TABLE"),
        SetExpr::SetOperation { left, right, .. } => writes(left).or_else(|| writes(right)),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => None,
    }
}

/// The tables of the lake that `query` reads, each once; a name it defines itself is none.
pub(super) fn tables(query: &Query, view: &View) -> Result<Vec<String>, LakeError> {
    let mut names = Relations::default();
    let _ = query.visit(&mut names);
    // polars looks for a table of this name first, and would pass over what WITH says.
    if let Some(name) = names.defined.iter().find(|name| view.tables.contains_key(*name)) {
        return Err(LakeError::Query(format!("WITH names {name}, which is a table; choose another name")));
    }
    let mut tables = Vec::new();
    for name in names.used {
        if view.tables.contains_key(&name) {
            tables.push(name);
        } else if !names.defined.contains(&name) {
            let known: Vec<&str> = view.tables.keys().map(String::as_str).collect();
            let hint = nearest(&name, known.iter().copied())
                .map_or_else(|| ".".to_owned(), |name| format!("; did you mean {name}?"));
            return Err(LakeError::Query(format!(
                "there is no table {name}{hint} The tables are: {}",
                known.join(", ")
            )));
        }
    }
    Ok(tables)
}

/// The names after FROM and JOIN, and those that WITH defines.
#[derive(Default)]
pub(super) struct Relations {
    pub(super) used: BTreeSet<String>,
    pub(super) defined: BTreeSet<String>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.defined.extend(tables.map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.used.insert(name_of(relation));
        ControlFlow::Continue(())
    }
}

/// A name as it stands in the catalog: without quotes.
pub(super) fn name_of(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone()))
        .collect();
    parts.join(".")
}

/// Rewrites `query` in place.
pub(super) fn rewrite(
    query: &mut Query,
    tables: &[String],
    view: &View,
    params: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
) -> Result<(), LakeError> {
    let schemas = || tables.iter().filter_map(|name| view.tables.get(name)).map(|table| &table.schema);
    let columns = |ty: ColumnType| {
        schemas().flat_map(|schema| &schema.columns).filter(move |c| c.ty == ty).map(|c| c.name.clone())
    };
    let all = schemas().flat_map(|schema| schema.sql_names()).map(str::to_owned).collect();
    let mut rewriter = Rewriter {
        tables: tables.iter().cloned().collect(),
        columns: all,
        times: columns(ColumnType::Time).collect(),
        texts: columns(ColumnType::Text).collect(),
        params,
        now,
    };
    match query.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(LakeError::Query(problem)),
    }
}

struct Rewriter {
    /// The tables of the lake that the query reads.
    tables: BTreeSet<String>,
    /// All their columns.
    columns: BTreeSet<String>,
    /// Columns that hold times, in any table of the query.
    times: BTreeSet<String>,
    /// Columns that hold texts.
    texts: BTreeSet<String>,
    params: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
}

impl VisitorMut for Rewriter {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        names::sort_once(query);
        aggregates::name_order(query).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        names::group_by_names(
            select,
            |name| self.columns.contains(name),
            |name| self.tables.contains(&name_of(name)),
        );
        ControlFlow::Continue(())
    }

    /// Children come first, so a comparison meets literals that are already what they should be.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match self.replacement(expr) {
            Ok(Some(new)) => *expr = new,
            Ok(None) => {}
            Err(problem) => return ControlFlow::Break(problem),
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter {
    fn replacement(&self, expr: &mut Expr) -> Result<Option<Expr>, String> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
                self.parameter(name).map(Some)
            }
            Expr::TypedString(TypedString {
                data_type: DataType::Timestamp(..) | DataType::Datetime(_),
                value,
                ..
            }) => match &value.value {
                Value::SingleQuotedString(text) => {
                    parse_any(text).map(|time| Some(literal(time))).ok_or_else(|| no_time(text))
                }
                _ => Ok(None),
            },
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, .. }
                if is_timestamp(data_type) =>
            {
                match string(inner) {
                    Some(text) => {
                        parse_any(text).map(|time| Some(literal(time))).ok_or_else(|| no_time(text))
                    }
                    // A column of times is naive UTC already, whatever zone the cast names.
                    None => Ok((matches!(data_type, DataType::Timestamp(..)) && self.is_time(inner))
                        .then(|| Expr::Nested(inner.clone()))),
                }
            }
            Expr::Function(function) => self.function(function),
            Expr::BinaryOp { left, op, right } if is_comparison(op) => {
                self.align(left, right)?;
                self.align(right, left)?;
                Ok(None)
            }
            Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus), right } => {
                Ok(shifted(left, op, right))
            }
            Expr::Between { expr, low, high, .. } => {
                self.align(expr, low)?;
                self.align(expr, high)?;
                Ok(None)
            }
            Expr::InList { expr, list, .. } => {
                list.iter_mut().try_for_each(|item| self.align(expr, item))?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn parameter(&self, name: &str) -> Result<Expr, String> {
        let Some((from, to)) = self.params else {
            return Err(format!("{name} stands for nothing here: the query was sent without from and to"));
        };
        match name.to_lowercase().as_str() {
            ":from" => Ok(literal(from)),
            ":to" => Ok(literal(to)),
            _ => Err(format!("{name} is no parameter; there are :from and :to")),
        }
    }

    /// Makes a text compared with a time a time.
    fn align(&self, side: &Expr, other: &mut Expr) -> Result<(), String> {
        let Some(text) = string(other) else { return Ok(()) };
        if self.is_time(side) {
            *other = literal(parse_any(text).ok_or_else(|| no_time(text))?);
        } else if !self.is_text(side)
            && let Some(time) = parse_zoned(text)
        {
            *other = literal(time);
        }
        Ok(())
    }

    fn is_time(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Identifier(ident) => self.times.contains(&ident.value),
            Expr::CompoundIdentifier(parts) => {
                parts.last().is_some_and(|ident| self.times.contains(&ident.value))
            }
            Expr::Nested(inner) => self.is_time(inner),
            Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), .. }) => true,
            Expr::Cast { data_type, .. } => is_timestamp(data_type),
            Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
                self.is_time(left) && matches!(**right, Expr::Interval(_))
            }
            Expr::Function(function) => {
                let keeps = [
                    "min",
                    "max",
                    "first",
                    "last",
                    "lag",
                    "lead",
                    "coalesce",
                    "first_value",
                    "last_value",
                    "greatest",
                    "least",
                ];
                keeps.contains(&name_of(&function.name).to_lowercase().as_str())
                    && args(function).first().is_some_and(|arg| self.is_time(arg))
            }
            _ => false,
        }
    }

    fn is_text(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Identifier(ident) => {
                self.texts.contains(&ident.value) && !self.times.contains(&ident.value)
            }
            Expr::CompoundIdentifier(parts) => {
                parts.last().is_some_and(|ident| self.texts.contains(&ident.value))
            }
            Expr::Nested(inner) => self.is_text(inner),
            _ => string(expr).is_some(),
        }
    }

    fn function(&self, function: &Function) -> Result<Option<Expr>, String> {
        let name = name_of(&function.name).to_lowercase();
        let args = args(function);
        match (name.as_str(), args.as_slice()) {
            ("now" | "current_timestamp" | "localtimestamp", []) => Ok(Some(literal(self.now))),
            ("date_trunc", [unit, time]) => {
                let unit = string(unit)
                    .ok_or("date_trunc's first argument must be a unit in quotes, such as 'hour'")?;
                date_trunc(&unit.to_lowercase(), time).map(Some)
            }
            ("time_bucket", [width, time]) => {
                let us = interval_us(width).filter(|us| *us > 0).ok_or_else(|| {
                    format!(
                        "time_bucket's first argument must be a fixed length of time such as '15m' or INTERVAL '15 minutes', not {width}"
                    )
                })?;
                bucket(us, time).map(Some)
            }
            ("date_trunc", _) => {
                Err("date_trunc takes two arguments, such as date_trunc('hour', time)".into())
            }
            ("time_bucket", _) => {
                Err("time_bucket takes two arguments, such as time_bucket('15m', time)".into())
            }
            // polars counts in unsigned numbers of 32 bits: a difference of two counts would wrap.
            ("count", _) if function.over.is_none() => {
                parse_expr(&format!("CAST({function} AS BIGINT)")).map(Some)
            }
            _ => {
                let close = ["date_trunc", "time_bucket"]
                    .into_iter()
                    .find(|known| name != *known && distance(&name, known) <= 2);
                close.map_or(Ok(None), |known| {
                    Err(format!("there is no function {name}; did you mean {known}?"))
                })
            }
        }
    }
}

fn no_time(text: &str) -> String {
    TypesError::Time(text.chars().take(64).collect()).to_string()
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq, Spaceship};
    matches!(op, Eq | Gt | GtEq | Lt | LtEq | NotEq | Spaceship)
}

fn is_timestamp(ty: &DataType) -> bool {
    matches!(ty, DataType::Timestamp(..) | DataType::Datetime(_) | DataType::TimestampNtz(_))
}

fn string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => string(inner),
        _ => None,
    }
}

fn args(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let plain = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(plain).collect()
}

/// A literal time plus or minus a fixed interval is a literal time, so that pruning sees it.
fn shifted(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let time = literal_value(left)?;
    if !matches!(right, Expr::Interval(_)) {
        return None;
    }
    let us = interval_us(right)?;
    Some(literal(time.plus_us(if *op == BinaryOperator::Minus { -us } else { us })))
}

/// The start of the calendar unit that `time` lies in.
fn date_trunc(unit: &str, time: &Expr) -> Result<Expr, String> {
    // A time that is only text would be taken apart as text.
    let time = match string(time).and_then(parse_naive) {
        Some(value) => literal(value),
        None => time.clone(),
    };
    match unit {
        "month" => parse_expr(&format!("STRPTIME(STRFTIME({time}, '%Y-%m-01'), '%Y-%m-%d')")),
        "year" => parse_expr(&format!("STRPTIME(STRFTIME({time}, '%Y-01-01'), '%Y-%m-%d')")),
        "quarter" => parse_expr(&format!(
            "STRPTIME(CONCAT(STRFTIME({time}, '%Y-'), CASE EXTRACT(QUARTER FROM {time}) WHEN 1 THEN '01' WHEN 2 THEN '04' WHEN 3 THEN '07' ELSE '10' END, '-01'), '%Y-%m-%d')"
        )),
        _ => match unit_us(unit) {
            Some(us) => bucket(us, &time),
            None => Err(format!(
                "date_trunc knows no unit {unit}; there are second, minute, hour, day, week, month, quarter and year"
            )),
        },
    }
}

/// Buckets of `us`, counted from a Monday: for whole parts of a day that is the same as from midnight.
pub(super) fn bucket(us: i64, time: &Expr) -> Result<Expr, String> {
    let origin = origin(us);
    // A date is turned into a time first: as a number it would count days.
    parse_expr(&format!(
        "CAST(((CAST(CAST({time} AS TIMESTAMP) AS BIGINT) - {origin}) // {us}) * {us} + {origin} AS TIMESTAMP)"
    ))
}

/// Where one of the buckets of `us` begins.
pub(super) const fn origin(us: i64) -> i64 {
    MONDAY_US.rem_euclid(us)
}

pub(super) fn parse_expr(text: &str) -> Result<Expr, String> {
    // A truncation may name its argument several times, so one within the other would grow without bound.
    if text.len() > MAX_QUERY_BYTES {
        return Err(
            "the functions of time in this query stand too deep in one another; take it apart with WITH"
                .into(),
        );
    }
    let parsed = Parser::new(&GenericDialect).try_with_sql(text).and_then(|mut parser| parser.parse_expr());
    parsed.map_err(|error| format!("a function of time cannot be rewritten: {error}"))
}
