//! Tests of the expression language.

use proptest::prelude::*;

use super::*;

fn inputs(values: &[f64], known: u64) -> Inputs<'_> {
    Inputs { values, known }
}

fn truth(text: &str, values: &[f64], known: u64) -> Option<bool> {
    Expr::parse(text).unwrap().compile().eval_bool(&inputs(values, known))
}

fn number(text: &str, values: &[f64]) -> Option<f64> {
    Expr::parse(text).unwrap().compile().eval_number(&inputs(values, u64::MAX))
}

#[test]
fn values() {
    for (text, expected) in [
        ("1.0 + 2.0 * 3.0", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("2 * -3", -6.0),
        ("7 % 4", 3.0),
        ("1e3 / 4", 250.0),
        ("true ? 1 : 2", 1.0),
        ("1 > 2 ? 1 : 3 > 2 ? 4 : 5", 4.0),
        ("clamp(12, 0, 10)", 10.0),
        ("max(min(3, 1), 2)", 2.0),
        ("round(2.5) + round(-2.5)", 0.0),
        ("a * 2 + `b-c`", 10.0),
        ("5m + 30s", 330.0),
    ] {
        assert_eq!(number(text, &[3.0, 4.0]), Some(expected), "{text}");
    }
}

#[test]
fn unknown_is_a_third_truth_value() {
    for (text, known, expected) in [
        ("a > 1 && b > 1", 0b01, None),
        ("a > 9 && b > 1", 0b01, Some(false)),
        ("b > 1 && a > 9", 0b10, Some(false)),
        ("a > 1 || b > 1", 0b01, Some(true)),
        ("b > 9 || a > 1", 0b10, Some(true)),
        ("a > 9 || b > 1", 0b01, None),
        ("!(b > 1)", 0b10, None),
        ("a > 1 ? true : b > 1", 0b01, Some(true)),
        ("a + b > 0", 0b01, None),
    ] {
        assert_eq!(truth(text, &[5.0, 5.0], known), expected, "{text}");
    }
}

#[test]
fn messages_name_the_place_and_the_way_out() {
    for (text, span, message, hint) in [
        ("", 0..0, "the expression is empty", None),
        ("a = 1", 2..3, "`=` is not an operator", Some("to compare, write `==`")),
        ("a > 1 and b > 1", 6..9, "the expression should end here", Some("write `&&`")),
        (
            "a && b > 1",
            0..1,
            "an operand of `&&` must be a true-or-false, but this is a number",
            Some("a signal is a number, 1 for true and 0 for false: compare it, as in `… > 0.5`"),
        ),
        (
            "a + 1 && b > 1",
            0..5,
            "an operand of `&&` must be a true-or-false, but this is a number",
            Some("compare it with something: `… > 0.0`"),
        ),
        ("sqr(a)", 0..3, "unknown function 'sqr'", Some("did you mean 'sqrt'?")),
        ("not (a > 1)", 0..3, "unknown function 'not'", Some("write `!`")),
        (
            "a > 1 && 5m",
            9..11,
            "an operand of `&&` must be a true-or-false, but this is a duration",
            Some("compare it with something: `… > 0s`"),
        ),
        ("a > 1°", 5..7, "unexpected character `°`", None),
        ("a > 1\u{200b}", 5..8, "unexpected character `\\u{200b}`", None),
        ("pow(a)", 0..6, "`pow` takes 2 argument(s), not 1", None),
        ("(a > 1", 6..6, "`)` is missing here", None),
        ("a >", 3..3, "the expression ends too early", Some("a value is missing")),
        (
            "5y > a",
            0..2,
            "`5y` is neither a number nor a duration",
            Some("a duration is a whole number and a unit: 250ms, 30s, 5m, 24h, 7d"),
        ),
        ("a > 1 ? 1 : true", 8..16, "the two branches differ: a number and a true-or-false", None),
        (
            "a ? 1 : 2",
            0..1,
            "the condition before `?` must be a true-or-false, but this is a number",
            Some("a signal is a number, 1 for true and 0 for false: compare it, as in `… > 0.5`"),
        ),
    ] {
        let error = Expr::parse(text).unwrap_err();
        assert_eq!(
            (error.span, error.message.as_str(), error.hint.as_deref()),
            (span, message, hint),
            "{text}"
        );
    }
}

#[test]
fn a_signal_taken_for_a_truth_gets_a_hint() {
    for (text, span, message, hint) in [
        (
            "running == true",
            11..15,
            "an operand of `==` must be a number, but this is a true-or-false",
            Some(
                "a signal is a number, 1 for true and 0 for false: write `> 0.5` for true, `< 0.5` for false",
            ),
        ),
        (
            "not running",
            0..3,
            "`not` is not an operator",
            Some("write `!` before a condition, as in `!(running > 0.5)`"),
        ),
        (
            "!running",
            1..8,
            "the operand of `!` must be a true-or-false, but this is a number",
            Some("a signal is a number, 1 for true and 0 for false: compare it, as in `… > 0.5`"),
        ),
        (
            "state in (1,2)",
            6..8,
            "the expression should end here",
            Some("there is no `in`; write `state == 1.0 || state == 2.0`"),
        ),
    ] {
        let error = Expr::parse(text).unwrap_err();
        let told = (error.span, error.message.as_str(), error.hint.as_deref());
        assert_eq!(told, (span, message, hint), "{text}");
    }
}

#[test]
fn what_is_no_number_is_unknown_and_decides_nothing() {
    for (text, x, expected) in [
        ("0.0 / (a - a) < 0.0", 3.0, None),
        ("0.0 / (a - a) >= 0.0", 3.0, None),
        ("0.0 / (a - a) != 0.0", 3.0, None),
        ("!(0.0 / (a - a) == 0.0)", 3.0, None),
        ("(a - 5) / (a - 5) * a > 3", 9.0, Some(true)),
        ("(a - 5) / (a - 5) * a > 3", 5.0, None),
        ("ln(a) > 1", -4.0, None),
        ("ln(a) > 1", 0.0, None),
        ("sqrt(a) > 2", -4.0, None),
        ("pow(a, 0.5) > 2", -4.0, None),
        ("exp(a) > 2", 1000.0, None),
        ("a * 1e308 > 2", 10.0, None),
        ("1 / (1 / a) == 0.0", 0.0, None),
        ("ln(a) > 1 || a < 0", -4.0, Some(true)),
        ("a < 0 || ln(a) > 1", -4.0, Some(true)),
        ("ln(a) > 1 && a > 0", -4.0, Some(false)),
        ("ln(a) > 1 ? true : true", -4.0, None),
        ("a < 0 ? a < -1 : ln(a) > 1", -4.0, Some(true)),
    ] {
        assert_eq!(truth(text, &[x], u64::MAX), expected, "{text} at {x}");
    }
}

#[test]
fn min_max_and_clamp_do_not_depend_on_the_order_of_their_arguments() {
    for undefined in ["ln(a)", "sqrt(a)", "a / 0"] {
        for text in [
            format!("min({undefined}, 3)"),
            format!("min(3, {undefined})"),
            format!("max({undefined}, 3)"),
            format!("max(3, {undefined})"),
            format!("clamp({undefined}, 1, 3)"),
            format!("clamp(2, {undefined}, 3)"),
            format!("clamp(2, 1, {undefined})"),
        ] {
            assert_eq!(number(&text, &[-4.0]), None, "{text}");
        }
    }
    for (zero, other) in [(0.0, -0.0), (-0.0, 0.0)] {
        let low = number("min(a, b)", &[zero, other]).unwrap();
        let high = number("max(a, b)", &[zero, other]).unwrap();
        assert!(low.is_sign_negative() && high.is_sign_positive(), "{zero} {other}: {low} {high}");
    }
}

#[test]
fn a_condition_that_can_never_hold_is_found() {
    for (text, why) in [
        ("a / 0 > 1", Some("`a / 0.0` is never a number, and a comparison with it is unknown")),
        ("b > 2 && ln(-1) < a", Some("`ln(-1.0)` is never a number, and a comparison with it is unknown")),
        ("abs(a) < 0", Some("whatever the signals are, it is false or unknown")),
        ("clamp(a, 0, 10) > 10", Some("whatever the signals are, it is false or unknown")),
        ("1 > 2", Some("whatever the signals are, it is false or unknown")),
        ("false", Some("whatever the signals are, it is false or unknown")),
        ("(1 > 2 ? a : 3) > 4", Some("whatever the signals are, it is false or unknown")),
        ("a / 0 > 1 || b > 1", None),
        ("a > 1 && a > 2", None),
        ("abs(a) <= 0", None),
        ("exp(a) - exp(b) < 0", None),
        ("!(a == 1)", None),
        ("a > 1 ? b > 1 : false", None),
        ("a % 2 == 1", None),
        ("round(a) == floor(b) && max(a, 3) > 4 && min(a, 3) < 4", None),
        ("true", None),
        ("5m > 30s", None),
        ("a + 1", None),
    ] {
        assert_eq!(Expr::parse(text).unwrap().never_holds().as_deref(), why, "{text}");
    }
}

#[test]
fn hostile_depth_and_size_are_refused() {
    for text in [
        "(".repeat(100_000),
        "!".repeat(100_000),
        "-".repeat(100_000),
        "1 + ".repeat(5_000) + "1",
        "a ? ".repeat(10_000),
    ] {
        assert!(Expr::parse(&text).is_err());
    }
}

/// A random expression as text that is valid for Forewarn and for CEL alike, of the given type.
fn text(bool_type: bool) -> BoxedStrategy<String> {
    let number = prop_oneof![
        (-50i32..50).prop_map(|n| format!("({:.1})", f64::from(n) / 2.0)),
        Just("a".to_owned()),
        Just("b".to_owned())
    ];
    let numbers = number.prop_recursive(3, 24, 2, |inner| {
        (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*"), Just("/")], inner)
            .prop_map(|(l, op, r)| format!("({l} {op} {r})"))
    });
    if !bool_type {
        return numbers.boxed();
    }
    let comparison = (
        numbers.clone(),
        prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")],
        numbers,
    )
        .prop_map(|(l, op, r)| format!("{l} {op} {r}"));
    comparison
        .prop_recursive(3, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), prop_oneof![Just("&&"), Just("||")], inner.clone())
                    .prop_map(|(l, op, r)| format!("({l} {op} {r})")),
                inner.clone().prop_map(|x| format!("!({x})")),
                (inner.clone(), inner.clone(), inner).prop_map(|(c, t, e)| format!("({c} ? {t} : {e})")),
            ]
        })
        .boxed()
}

/// What CEL makes of an expression. It refuses to compare a value that is not a number, which is false here.
fn cel_value(text: &str, a: f64, b: f64) -> Option<cel::Value> {
    let program = cel::Program::compile(text).unwrap();
    let mut context = cel::Context::default();
    context.add_variable("a", a).unwrap();
    context.add_variable("b", b).unwrap();
    match program.execute(&context) {
        // Two numbers can always be compared, unless one is none.
        Err(error @ cel::ExecutionError::NoSuchOverload(_)) => {
            assert!(format!("{error:?}").contains(r#"["double", "double"]"#), "{text}: {error:?}");
            None
        }
        outcome => Some(outcome.unwrap()),
    }
}

proptest! {
    #[test]
    fn truth_equals_that_of_cel(text in text(true), a in -20.0..20.0f64, b in -20.0..20.0f64) {
        let expr = Expr::parse(&text).unwrap();
        let values: Vec<f64> = expr.signals().iter().map(|name| if &**name == "a" { a } else { b }).collect();
        // Only a division can leave the numbers here.
        match (expr.compile().eval_bool(&inputs(&values, u64::MAX)), cel_value(&text, a, b)) {
            (Some(ours), Some(theirs)) => {
                prop_assert_eq!(cel::Value::Bool(ours), theirs, "{}", text);
                prop_assert!(!ours || expr.never_holds().is_none(), "{} can hold", text);
            }
            (ours, theirs) => prop_assert!(text.contains('/'), "{text}: {ours:?} {theirs:?}"),
        }
    }

    #[test]
    fn numbers_equal_those_of_cel(text in text(false), a in -20.0..20.0f64, b in -20.0..20.0f64) {
        let expr = Expr::parse(&text).unwrap();
        let values: Vec<f64> = expr.signals().iter().map(|name| if &**name == "a" { a } else { b }).collect();
        let ours = expr.compile().eval_number(&inputs(&values, u64::MAX));
        match (ours, cel_value(&text, a, b)) {
            (Some(ours), Some(cel::Value::Float(theirs))) => prop_assert_eq!(ours, theirs, "{}", text),
            // CEL goes on with what is no number, and 1 / (1 / 0) is one again.
            (None, Some(cel::Value::Float(_))) => prop_assert!(text.contains('/'), "{text}"),
            (ours, theirs) => prop_assert!(false, "{text}: {ours:?} {theirs:?}"),
        }
    }

    #[test]
    fn any_text_is_refused_or_read_without_panic(text in "\\PC{0,60}") {
        let _outcome = Expr::parse(&text);
    }
}

/// A random tree of type `ty` that the parser could have made, on signals 0 to 4 in no particular order.
fn tree(ty: Type, depth: u32) -> BoxedStrategy<Node> {
    let leaf = match ty {
        Type::Bool => any::<bool>().prop_map(Node::Bool).boxed(),
        Type::Duration => {
            (0..i64::MAX, 0..63u32).prop_map(|(us, shift)| Node::Duration((us >> shift) as f64 / 1e6)).boxed()
        }
        Type::Number => {
            let number = any::<f64>().prop_filter("a literal is finite", |value| value.is_finite());
            prop_oneof![number.prop_map(Node::Number), (0usize..5).prop_map(Node::Signal)].boxed()
        }
    };
    if depth == 0 {
        return leaf;
    }
    let of = |ty| tree(ty, depth - 1);
    let ternary =
        (of(Type::Bool), of(ty), of(ty)).prop_map(|(c, t, o)| Node::Ternary(c.into(), t.into(), o.into()));
    let binary = |ops: &'static [BinaryOp], ty| {
        let ops = proptest::sample::select(ops);
        (ops, of(ty), of(ty)).prop_map(|(op, l, r)| Node::Binary(op, l.into(), r.into()))
    };
    // The parser makes a negative number of a sign before a literal.
    let negate = |node| match node {
        Node::Number(value) => Node::Number(-value),
        node => Node::Negate(Box::new(node)),
    };
    match ty {
        Type::Bool => {
            use BinaryOp::{And, Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, Or};
            let compare = &[Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual];
            prop_oneof![
                leaf,
                ternary,
                binary(&[And, Or, Equal, NotEqual], Type::Bool),
                binary(compare, Type::Number),
                binary(compare, Type::Duration),
                of(Type::Bool).prop_map(|node| Node::Not(node.into())),
            ]
            .boxed()
        }
        Type::Number => {
            use BinaryOp::{Add, Divide, Multiply, Remainder, Subtract};
            let argument = of(Type::Number);
            let call = proptest::sample::select(&Function::ALL).prop_flat_map(move |function| {
                proptest::collection::vec(argument.clone(), function.arity())
                    .prop_map(move |arguments| Node::Call(function, arguments))
            });
            let arithmetic = binary(&[Add, Subtract, Multiply, Divide, Remainder], Type::Number);
            prop_oneof![leaf, ternary, arithmetic, of(Type::Number).prop_map(negate), call].boxed()
        }
        Type::Duration => {
            let sum = binary(&[BinaryOp::Add, BinaryOp::Subtract], Type::Duration);
            prop_oneof![leaf, ternary, sum, of(Type::Duration).prop_map(negate)].boxed()
        }
    }
}

/// Numbers the signals of a tree in order of first appearance, as the parser does.
fn numbered(node: &mut Node, order: &mut Vec<usize>) {
    match node {
        Node::Signal(place) => {
            let known = order.iter().position(|other| other == place).unwrap_or(order.len());
            if known == order.len() {
                order.push(*place);
            }
            *place = known;
        }
        Node::Not(operand) | Node::Negate(operand) => numbered(operand, order),
        Node::Binary(_, left, right) => {
            numbered(left, order);
            numbered(right, order);
        }
        Node::Ternary(condition, then, otherwise) => {
            for node in [condition, then, otherwise] {
                numbered(node, order);
            }
        }
        Node::Call(_, arguments) => arguments.iter_mut().for_each(|node| numbered(node, order)),
        Node::Number(_) | Node::Bool(_) | Node::Duration(_) => {}
    }
}

proptest! {
    #[test]
    fn a_printed_tree_reads_back_as_itself(
        (ty, mut node) in proptest::sample::select(&[Type::Bool, Type::Number, Type::Duration])
            .prop_flat_map(|ty| (Just(ty), tree(ty, 4)))
    ) {
        let names = ["a", "true", "b-c", "max", "x.y:z"];
        let mut order = Vec::new();
        numbered(&mut node, &mut order);
        let signals: Vec<SignalName> = order.iter().map(|place| names[*place].into()).collect();
        let printed = Expr { source: String::new(), node: Arc::new(node), ty, signals, spans: Vec::new() };
        let text = printed.to_string();
        let read = Expr::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(read.ast(), printed.ast(), "{}", text);
        prop_assert_eq!((read.ty(), read.signals()), (printed.ty(), printed.signals()), "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }
}

#[test]
fn an_expression_is_printed_with_the_parentheses_it_needs() {
    for (text, printed) in [
        ("a>1&&(b>2||c>3)", "a > 1.0 && (b > 2.0 || c > 3.0)"),
        ("((a > 1) && (b > 2)) && c > 3", "a > 1.0 && b > 2.0 && c > 3.0"),
        ("a > 1 && (b > 2 && c > 3)", "a > 1.0 && (b > 2.0 && c > 3.0)"),
        ("a - (b - c) - -(4)", "a - (b - c) - -4.0"),
        ("-(a * 2) + -b", "-(a * 2.0) + -b"),
        ("(a > 1 ? 1 : 2) > (b > 1 ? 1e300 : 2e-7)", "(a > 1.0 ? 1.0 : 2.0) > (b > 1.0 ? 1e300 : 2e-7)"),
        ("!(a > 1) ? 90m : 0s", "!(a > 1.0) ? 90m : 0s"),
        ("clamp((a), `b-c`, max(1, 2))", "clamp(a, `b-c`, max(1.0, 2.0))"),
        ("`a` + `max`", "a + max"),
    ] {
        assert_eq!(Expr::parse(text).unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn a_name_in_backticks_is_a_signal_whatever_it_says() {
    let expr = Expr::parse("`true` + `max` > 1 && `false` < 2").unwrap();
    let names: Vec<&str> = expr.signals().iter().map(|name| &**name).collect();
    assert_eq!(names, ["true", "max", "false"]);
}
