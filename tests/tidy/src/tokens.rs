//! Cuts Rust source into the tokens that the checks look at. Comments are dropped, and a literal is one token
//! without its text, so that nothing inside a string or a comment is taken for code. Parts that are only
//! compiled for tests can be left out.

#[cfg(test)]
mod tests;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word(String),
    /// A text, a character or a number.
    Literal,
    /// `::`.
    PathSeparator,
    /// Any other character.
    Sign(char),
}

/// A token and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its line, from 1 on.
    pub line: usize,
}

impl Token {
    /// Whether it is this name or keyword.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(own) if own == word)
    }

    /// Whether it is this sign.
    pub fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    /// The name or keyword it is.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The tokens of a source text.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut cutter = Cutter { chars: source.chars().collect(), place: 0, line: 1, found: Vec::new() };
    while cutter.place < cutter.chars.len() {
        cutter.step();
    }
    cutter.found
}

/// The tokens without what stands behind `#[cfg(test)]`.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut place = 0;
    while place < tokens.len() {
        let Some((inner, end)) = attribute(tokens, place) else {
            kept.push(tokens[place].clone());
            place += 1;
            continue;
        };
        if !is_for_tests(&tokens[place..end]) {
            kept.extend_from_slice(&tokens[place..end]);
            place = end;
        } else if inner {
            return kept;
        } else {
            place = end_of_item(tokens, end);
        }
    }
    kept
}

/// Behind the bracket that closes the one at `place`.
pub fn closing(tokens: &[Token], place: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(place) {
        match token.kind {
            Kind::Sign('(' | '[' | '{') => depth += 1,
            Kind::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Whether an attribute begins at `place`: whether it is an inner one (`#!`), and where it ends.
fn attribute(tokens: &[Token], place: usize) -> Option<(bool, usize)> {
    if !tokens[place].is_sign('#') {
        return None;
    }
    let inner = tokens.get(place + 1).is_some_and(|token| token.is_sign('!'));
    let bracket = place + 1 + usize::from(inner);
    tokens.get(bracket).filter(|token| token.is_sign('[')).map(|_| (inner, closing(tokens, bracket)))
}

fn is_for_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().filter_map(Token::word).collect();
    words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not")
}

/// Behind the item that begins at `place`, with the attributes before it.
fn end_of_item(tokens: &[Token], mut place: usize) -> usize {
    while place < tokens.len() {
        let Some((_, end)) = attribute(tokens, place) else { break };
        place = end;
    }
    let has_body = ["fn", "mod", "impl", "struct", "enum", "trait", "macro_rules"];
    let mut body = false;
    while let Some(token) = tokens.get(place) {
        match &token.kind {
            Kind::Sign(';') => return place + 1,
            // In a signature or a list of bounds commas end nothing.
            Kind::Sign(',') if !body => return place + 1,
            // The bracket that closes what the item stands in is not the item's.
            Kind::Sign('}') => return place,
            Kind::Sign('{') if body => return closing(tokens, place),
            Kind::Sign('(' | '[' | '{') => place = closing(tokens, place),
            Kind::Word(word) => {
                body |= has_body.contains(&word.as_str());
                place += 1;
            }
            _ => place += 1,
        }
    }
    place
}

struct Cutter {
    chars: Vec<char>,
    place: usize,
    line: usize,
    found: Vec<Token>,
}

impl Cutter {
    fn at(&self, ahead: usize) -> char {
        self.chars.get(self.place + ahead).copied().unwrap_or('\0')
    }

    fn advance(&mut self, count: usize) {
        let end = (self.place + count).min(self.chars.len());
        self.line += self.chars[self.place..end].iter().filter(|c| **c == '\n').count();
        self.place = end;
    }

    fn push(&mut self, kind: Kind, length: usize) {
        self.found.push(Token { kind, line: self.line });
        self.advance(length);
    }

    fn step(&mut self) {
        match (self.at(0), self.at(1)) {
            (c, _) if c.is_whitespace() => self.advance(1),
            ('/', '/') => self.advance(self.length_until(|c| c == '\n')),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.push(Kind::Literal, self.text_length(0)),
            ('\'', _) => self.quote(),
            (':', ':') => self.push(Kind::PathSeparator, 2),
            (c, _) if c.is_alphanumeric() || c == '_' => self.word(),
            (c, _) => self.push(Kind::Sign(c), 1),
        }
    }

    fn length_until(&self, ends: impl Fn(char) -> bool) -> usize {
        self.chars[self.place..].iter().take_while(|c| !ends(**c)).count()
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.at(0), self.at(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                ('\0', _) => return,
                _ => {
                    self.advance(1);
                    continue;
                }
            }
            self.advance(2);
            if depth == 0 {
                return;
            }
        }
    }

    /// The length of a text in quotation marks that begins `ahead` characters from here, with what is before.
    fn text_length(&self, ahead: usize) -> usize {
        let mut length = ahead + 1;
        loop {
            match self.at(length) {
                '\\' => length += 2,
                '"' | '\0' => return length + 1,
                _ => length += 1,
            }
        }
    }

    /// A character, or a lifetime, which is no token here.
    fn quote(&mut self) {
        if self.at(1) == '\\' {
            let end = 3 + self.chars[self.chars.len().min(self.place + 3)..]
                .iter()
                .take_while(|c| **c != '\'')
                .count();
            self.push(Kind::Literal, end + 1);
        } else if self.at(2) == '\'' {
            self.push(Kind::Literal, 3);
        } else {
            self.advance(1);
            self.advance(self.length_until(|c| !c.is_alphanumeric() && c != '_'));
        }
    }

    fn word(&mut self) {
        let length = self.length_until(|c| !c.is_alphanumeric() && c != '_');
        let word: String = self.chars[self.place..self.place + length].iter().collect();
        let hashes = self.chars[self.place + length..].iter().take_while(|c| **c == '#').count();
        let is_prefix = ["r", "b", "c", "br", "cr"].contains(&word.as_str());
        if is_prefix && self.at(length + hashes) == '"' {
            let length =
                if word.ends_with('r') { self.raw_length(length, hashes) } else { self.text_length(length) };
            self.push(Kind::Literal, length);
        } else if word == "b" && self.at(length) == '\'' {
            self.advance(length);
            self.quote();
        } else if word == "r" && hashes == 1 {
            self.advance(length + 1);
        } else if word.starts_with(|c: char| c.is_ascii_digit()) {
            self.push(Kind::Literal, length);
        } else {
            self.push(Kind::Word(word), length);
        }
    }

    fn raw_length(&self, prefix: usize, hashes: usize) -> usize {
        let mut length = prefix + hashes + 1;
        while self.at(length) != '\0' {
            let ends = self.at(length) == '"' && (1..=hashes).all(|n| self.at(length + n) == '#');
            length += 1;
            if ends {
                return length + hashes;
            }
        }
        length
    }
}
