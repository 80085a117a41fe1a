//! Tokens to a checked tree, by precedence climbing; types are checked as nodes are made, so that an error
//! points at its operands.
//!
//! Grammar, loosest first, as in CEL: `a ? b : c`, `||`, `&&`, comparisons, `+ -`, `* / %`, `! -`, calls,
//! names, literals, parentheses.

use std::ops::Range;

use forewarn_types::{SignalName, check_signal, did_you_mean};

use super::ast::{BinaryOp, Function, Node, Type};
use super::error::ExprError;
use super::eval::MAX_SIGNALS;
use super::lex::{Token, tokens};

const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 1_000;

struct Typed {
    node: Node,
    ty: Type,
    span: Range<usize>,
}

pub(super) struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
    depth: usize,
    nodes: usize,
    signals: Vec<(SignalName, Range<usize>)>,
}

pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) ty: Type,
    pub(super) signals: Vec<(SignalName, Range<usize>)>,
}

pub(super) fn parse(text: &str) -> Result<Parsed, ExprError> {
    let mut parser =
        Parser { tokens: tokens(text)?, at: 0, end: text.len(), depth: 0, nodes: 0, signals: Vec::new() };
    if parser.tokens.is_empty() {
        return Err(ExprError::new(0..text.len(), "the expression is empty"));
    }
    let root = parser.ternary()?;
    match parser.tokens.get(parser.at) {
        None => Ok(Parsed { node: root.node, ty: root.ty, signals: parser.signals }),
        Some((token, span)) => Err(stray(token, span.clone())),
    }
}

fn stray(token: &Token, span: Range<usize>) -> ExprError {
    let hint = match token {
        Token::Name(name) if name.eq_ignore_ascii_case("and") => "write `&&`",
        Token::Name(name) if name.eq_ignore_ascii_case("or") => "write `||`",
        Token::Name(name) if name.eq_ignore_ascii_case("in") => {
            "there is no `in`; write `state == 1.0 || state == 2.0`"
        }
        Token::Close => "a `)` has no `(` before it",
        _ => "an operator such as `&&` or `>` may be missing before this",
    };
    ExprError::new(span, "the expression should end here").hint(hint)
}

impl Parser {
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ExprError>) -> Result<T, ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExprError::new(
                self.here(),
                format!("the expression is nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|(token, _)| token == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &Token, text: &str) -> Result<(), ExprError> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(ExprError::new(self.here(), format!("`{text}` is missing here")))
        }
    }

    fn make(&mut self, node: Node, ty: Type, span: Range<usize>) -> Result<Typed, ExprError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(ExprError::new(span, format!("the expression has more than {MAX_NODES} parts")));
        }
        Ok(Typed { node, ty, span })
    }

    fn ternary(&mut self) -> Result<Typed, ExprError> {
        self.deeper(|parser| {
            let condition = parser.binary(1)?;
            if !parser.take(&Token::Question) {
                return Ok(condition);
            }
            want(&condition, Type::Bool, "the condition before `?`")?;
            let then = parser.ternary()?;
            parser.expect(&Token::Colon, ":")?;
            let otherwise = parser.ternary()?;
            if then.ty != otherwise.ty {
                let message = format!("the two branches differ: a {} and a {}", then.ty, otherwise.ty);
                return Err(ExprError::new(then.span.start..otherwise.span.end, message));
            }
            let span = condition.span.start..otherwise.span.end;
            let ty = then.ty;
            parser.make(
                Node::Ternary(condition.node.into(), then.node.into(), otherwise.node.into()),
                ty,
                span,
            )
        })
    }

    fn binary(&mut self, strength: u8) -> Result<Typed, ExprError> {
        let mut left = self.unary()?;
        while let Some((Token::Operator(op), _)) = self.tokens.get(self.at) {
            let op = *op;
            if op.strength() < strength {
                break;
            }
            self.at += 1;
            let right = self.deeper(|parser| parser.binary(op.strength() + 1))?;
            let ty = result_type(op, &left, &right)?;
            let span = left.span.start..right.span.end;
            left = self.make(Node::Binary(op, left.node.into(), right.node.into()), ty, span)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Typed, ExprError> {
        let start = self.here().start;
        if self.take(&Token::Not) {
            let operand = self.deeper(Self::unary)?;
            want(&operand, Type::Bool, "the operand of `!`")?;
            let span = start..operand.span.end;
            return self.make(Node::Not(operand.node.into()), Type::Bool, span);
        }
        if self.take(&Token::Operator(BinaryOp::Subtract)) {
            let operand = self.deeper(Self::unary)?;
            if operand.ty == Type::Bool {
                want(&operand, Type::Number, "the operand of `-`")?;
            }
            let (span, ty) = (start..operand.span.end, operand.ty);
            let node = match operand.node {
                Node::Number(value) => Node::Number(-value),
                node => Node::Negate(node.into()),
            };
            return self.make(node, ty, span);
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Typed, ExprError> {
        let Some((token, span)) = self.tokens.get(self.at).cloned() else {
            return Err(ExprError::new(self.end..self.end, "the expression ends too early")
                .hint("a value is missing"));
        };
        self.at += 1;
        match token {
            Token::Number(value) => self.make(Node::Number(value), Type::Number, span),
            Token::Duration(seconds) => self.make(Node::Duration(seconds), Type::Duration, span),
            Token::Name(name) if name == "true" || name == "false" => {
                self.make(Node::Bool(name == "true"), Type::Bool, span)
            }
            Token::Name(name) if self.take(&Token::Open) => self.call(&name, span),
            Token::Name(name) if name.eq_ignore_ascii_case("not") && self.value_follows() => {
                Err(ExprError::new(span, "`not` is not an operator")
                    .hint("write `!` before a condition, as in `!(running > 0.5)`"))
            }
            Token::Name(name) | Token::Quoted(name) => self.signal(&name, span),
            Token::Open => {
                let inner = self.ternary()?;
                self.expect(&Token::Close, ")")?;
                Ok(inner)
            }
            _ => Err(ExprError::new(span, "a value is expected here")
                .hint("a signal, a number, or something in parentheses")),
        }
    }

    /// Whether a name or a number is next, which cannot follow on a signal.
    fn value_follows(&self) -> bool {
        let next = self.tokens.get(self.at).map(|(token, _)| token);
        matches!(next, Some(Token::Name(_) | Token::Quoted(_) | Token::Number(_)))
    }

    fn signal(&mut self, name: &str, span: Range<usize>) -> Result<Typed, ExprError> {
        check_signal(name).map_err(|error| ExprError::new(span.clone(), error.to_string()))?;
        let place = self.signals.iter().position(|(known, _)| **known == *name).unwrap_or(self.signals.len());
        if place == self.signals.len() {
            if place == MAX_SIGNALS {
                return Err(ExprError::new(
                    span,
                    format!("the expression names more than {MAX_SIGNALS} signals"),
                ));
            }
            self.signals.push((name.into(), span.clone()));
        }
        self.make(Node::Signal(place), Type::Number, span)
    }

    fn call(&mut self, name: &str, span: Range<usize>) -> Result<Typed, ExprError> {
        let Some(function) = Function::ALL.into_iter().find(|function| function.as_str() == name) else {
            let error = ExprError::new(span, format!("unknown function '{name}'"));
            if name.eq_ignore_ascii_case("not") {
                return Err(error.hint("write `!`"));
            }
            return Err(match did_you_mean(name, Function::ALL.iter().map(|function| function.as_str())) {
                Some(close) => error.hint(format!("did you mean '{close}'?")),
                None => error.hint(
                    "the functions are abs, min, max, sqrt, pow, floor, ceil, round, ln, exp and clamp",
                ),
            });
        };
        let mut arguments = Vec::new();
        while !self.take(&Token::Close) {
            if !arguments.is_empty() {
                self.expect(&Token::Comma, ",")?;
            }
            let argument = self.ternary()?;
            want(&argument, Type::Number, &format!("an argument of `{name}`"))?;
            arguments.push(argument.node);
        }
        let whole =
            span.start..self.tokens.get(self.at.saturating_sub(1)).map_or(self.end, |(_, span)| span.end);
        if arguments.len() != function.arity() {
            let message = format!("`{name}` takes {} argument(s), not {}", function.arity(), arguments.len());
            return Err(ExprError::new(whole, message));
        }
        self.make(Node::Call(function, arguments), Type::Number, whole)
    }
}

fn want(found: &Typed, ty: Type, what: &str) -> Result<(), ExprError> {
    if found.ty == ty {
        return Ok(());
    }
    let error =
        ExprError::new(found.span.clone(), format!("{what} must be a {ty}, but this is a {}", found.ty));
    Err(match (ty, found.ty) {
        (Type::Number, Type::Bool) if matches!(found.node, Node::Bool(_)) => error.hint(
            "a signal is a number, 1 for true and 0 for false: write `> 0.5` for true, `< 0.5` for false",
        ),
        (Type::Bool, Type::Number) if matches!(found.node, Node::Signal(_)) => {
            error.hint("a signal is a number, 1 for true and 0 for false: compare it, as in `… > 0.5`")
        }
        (Type::Bool, Type::Duration) => error.hint("compare it with something: `… > 0s`"),
        (Type::Bool, _) => error.hint("compare it with something: `… > 0.0`"),
        _ => error,
    })
}

fn result_type(op: BinaryOp, left: &Typed, right: &Typed) -> Result<Type, ExprError> {
    use BinaryOp::{Add, And, Divide, Equal, Multiply, NotEqual, Or, Remainder, Subtract};
    let what = format!("an operand of `{}`", op.as_str());
    match op {
        Or | And => {
            want(left, Type::Bool, &what)?;
            want(right, Type::Bool, &what)?;
            Ok(Type::Bool)
        }
        Equal | NotEqual => {
            want(right, left.ty, &what)?;
            Ok(Type::Bool)
        }
        Multiply | Divide | Remainder => {
            want(left, Type::Number, &what)?;
            want(right, Type::Number, &what)?;
            Ok(Type::Number)
        }
        _ => {
            if left.ty == Type::Bool {
                want(left, Type::Number, &what)?;
            }
            want(right, left.ty, &what)?;
            Ok(if matches!(op, Add | Subtract) { left.ty } else { Type::Bool })
        }
    }
}
