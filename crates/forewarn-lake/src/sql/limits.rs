//! Queries that are too large to be worked on, told by their tokens before anything is built from them.
//!
//! The parser bounds how deep a query nests, but a chain such as `1 + 1 + 1` or `a OR b OR c` grows a tree as
//! deep as it is long without any nesting, and every pass over that tree (here and in polars) is plain
//! recursion. A stack that overflows ends the whole server, so the links of chains are counted. A query has a
//! thread of its own with room for the most allowed, but polars evaluates it on threads of its own with the
//! usual 2 MB: the bound is what these hold in a build that is not optimised, several times over.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use tokio::sync::oneshot;

use crate::error::LakeError;

/// Most operators in a row.
pub(super) const MAX_CHAIN: usize = 150;
/// Most parentheses in one another; the parser stops earlier at most kinds of them.
const MAX_NESTING: usize = 100;
/// Most tables and subqueries of a query together.
pub(super) const MAX_TABLES: usize = 64;
/// The stack of a query's thread, bytes.
const STACK_BYTES: usize = 64 << 20;

/// What stands between one pair of parentheses, of one item between commas (or one clause) at a time.
#[derive(Default, Clone, Copy)]
struct Level {
    /// Operators that bind conditions together.
    links: usize,
    /// Other operators since the last of those.
    run: usize,
    /// The most others between two of those.
    longest: usize,
    /// The depth of the deepest parentheses inside.
    inside: usize,
    /// The depth of the deepest of the items before.
    before: usize,
}

impl Level {
    const fn chain(self) -> usize {
        self.links + self.longest
    }

    fn depth(self) -> usize {
        self.before.max(self.chain() + self.inside)
    }

    /// Begins another item.
    fn next(&mut self) {
        *self = Self { before: self.depth(), ..Self::default() };
    }

    fn count(&mut self) {
        self.run += 1;
        self.longest = self.longest.max(self.run);
    }
}

/// Refuses a query that could become too deep.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<(), LakeError> {
    use Keyword::{AND, OR, SELECT, VALUES, WHEN, WHERE, XOR};
    let mut levels = vec![Level::default()];
    let mut subqueries = 0;
    for token in tokens {
        let keyword = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        };
        subqueries += usize::from([SELECT, VALUES].contains(&keyword));
        // A parenthesis too many is the parser's to refuse.
        let Some(level) = levels.last_mut() else { break };
        match token.token {
            Token::LParen => levels.push(Level::default()),
            Token::LBracket => {
                level.count();
                levels.push(Level::default());
            }
            Token::RParen | Token::RBracket => {
                let depth = level.depth();
                levels.pop();
                if let Some(around) = levels.last_mut() {
                    around.inside = around.inside.max(depth);
                }
            }
            Token::Comma => level.next(),
            _ if [SELECT, VALUES, WHERE].contains(&keyword) => level.next(),
            _ if [AND, OR, XOR, WHEN].contains(&keyword) => (level.links, level.run) = (level.links + 1, 0),
            _ if deepens(&token.token, keyword) => level.count(),
            _ => {}
        }
        check_depth(&levels)?;
    }
    check_tables(subqueries).map_err(LakeError::Query)
}

fn check_depth(levels: &[Level]) -> Result<(), LakeError> {
    if levels.len() > MAX_NESTING {
        return Err(LakeError::Query(format!(
            "the query has more than {MAX_NESTING} parentheses in one another; take it apart with WITH"
        )));
    }
    let (mut around, mut deepest) = (0, 0);
    for level in levels {
        deepest = deepest.max(around + level.depth());
        around += level.chain();
    }
    if deepest <= MAX_CHAIN {
        return Ok(());
    }
    Err(LakeError::Query(format!(
        "the query has more than {MAX_CHAIN} operators in a row; write many comparisons with one column as x IN (…), and compute long \
         expressions in steps with WITH"
    )))
}

/// Refuses more tables or subqueries than a query may have.
pub(super) fn check_tables(tables: usize) -> Result<(), String> {
    if tables <= MAX_TABLES {
        return Ok(());
    }
    Err(format!("the query has more than {MAX_TABLES} tables or subqueries; split it into several queries"))
}

/// Whether a token may make the tree of a query deeper without a parenthesis. Names and values do not; what
/// looks like an operator does, whatever it turns out to be.
fn deepens(token: &Token, keyword: Keyword) -> bool {
    use Keyword::{
        AT, BETWEEN, COLLATE, DIV, ILIKE, IN, IS, LIKE, MATCH, MEMBER, NOT, NOTNULL, OPERATOR, OVERLAPS,
        REGEXP, RLIKE, SIMILAR,
    };
    match token {
        Token::Word(_) => [
            AT, BETWEEN, COLLATE, DIV, ILIKE, IN, IS, LIKE, MATCH, MEMBER, NOT, NOTNULL, OPERATOR, OVERLAPS,
            REGEXP, RLIKE, SIMILAR,
        ]
        .contains(&keyword),
        Token::EOF
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::LParen
        | Token::RParen => false,
        _ => true,
    }
}

/// Runs `work` on a thread with a stack for the deepest query allowed.
pub(super) async fn on_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    let (reply, answer) = oneshot::channel();
    // Whoever asked may have given up.
    let run = move || drop(reply.send(work()));
    let thread = std::thread::Builder::new().name("forewarn-sql".into()).stack_size(STACK_BYTES).spawn(run);
    thread.map_err(|error| LakeError::Stopped(format!("a thread for a query cannot be started: {error}")))?;
    // polars panics on some plans it does not know; that is the query's fault as far as its author can tell.
    let failed = || {
        LakeError::Query(
            "the SQL engine gave up on this query; write it in another way, for example in steps with WITH"
                .into(),
        )
    };
    answer.await.unwrap_or_else(|_| Err(failed()))
}
