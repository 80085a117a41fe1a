//! The words of a query, looked at before they are parsed.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use crate::error::QueryError;

/// The most brackets in one another.
const MAX_BRACKETS: usize = 8;
/// The most calls of functions in one another.
const MAX_CALLS: usize = 12;

/// The tokens of `text`; the column `offset`, which is a keyword as well, is quoted.
pub(super) fn of(text: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens
        .map(offsets_quoted)
        .map_err(|error| QueryError::Query(format!("the query is not SQL: {error}")))?;
    check_brackets(&tokens)?;
    check_calls(&tokens)?;
    Ok(tokens)
}

/// Refuses calls in one another beyond what a query needs, for the same reason: an argument is tried as one
/// with a name first.
fn check_calls(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let (mut open, mut calls, mut named) = (Vec::new(), 0_usize, false);
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen => {
                open.push(named);
                calls += usize::from(named);
            }
            Token::RParen => calls -= usize::from(open.pop().unwrap_or(false)),
            _ => {}
        }
        if calls > MAX_CALLS {
            return Err(QueryError::TooLarge(format!(
                "the query has more than {MAX_CALLS} calls in one another; take it apart with WITH"
            )));
        }
        named = matches!(&token.token, Token::Word(word) if may_be_called(word));
    }
    Ok(())
}

/// Whether a parenthesis behind `word` may begin arguments, and not a subquery, a list or a part of a condition.
fn may_be_called(word: &Word) -> bool {
    use Keyword::{
        ALL, AND, ANY, AS, BETWEEN, BY, CASE, ELSE, EXCEPT, EXISTS, FILTER, FROM, GROUP, HAVING, IN,
        INTERSECT, JOIN, LATERAL, NOT, ON, OR, OVER, SELECT, SOME, THEN, UNION, USING, VALUES, WHEN, WHERE,
    };
    const NEVER: [Keyword; 30] = [
        ALL, AND, ANY, AS, BETWEEN, BY, CASE, ELSE, EXCEPT, EXISTS, FILTER, FROM, GROUP, HAVING, IN,
        INTERSECT, JOIN, LATERAL, NOT, ON, OR, OVER, SELECT, SOME, THEN, UNION, USING, VALUES, WHEN, WHERE,
    ];
    word.quote_style.is_some() || !NEVER.contains(&word.keyword)
}

/// Refuses lists in one another beyond what a query needs: the parser tries each of them in two ways, so that
/// every further one doubles its work.
fn check_brackets(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let mut depth = 0_usize;
    for token in tokens {
        match token.token {
            Token::LBracket => depth += 1,
            Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            return Err(QueryError::TooLarge(format!(
                "the query has more than {MAX_BRACKETS} lists in one another; take it apart with WITH"
            )));
        }
    }
    Ok(())
}

/// Quotes the word `offset` where it is the column: the parser takes it for the clause that follows LIMIT. It
/// is the column where an expression begins, which the token before it tells.
fn offsets_quoted(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    use Keyword::{
        AND, AS, BETWEEN, BY, CASE, DISTINCT, ELSE, FILTER, HAVING, NOT, ON, OR, SELECT, THEN, WHEN, WHERE,
    };
    const BEFORE: [Keyword; 16] =
        [AND, AS, BETWEEN, BY, CASE, DISTINCT, ELSE, FILTER, HAVING, NOT, ON, OR, SELECT, THEN, WHEN, WHERE];
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
            Token::Word(word) => begins = word.quote_style.is_none() && BEFORE.contains(&word.keyword),
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
