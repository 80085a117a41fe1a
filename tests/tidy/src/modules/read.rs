//! Reads the modules of a crate from its files.

use std::collections::{BTreeMap, BTreeSet};

use super::module::{Import, Module};
use crate::tokens::{Kind, Token, closing, tokens, without_tests};
use crate::tree::Package;

const ITEMS: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];

/// The modules from the file `root` on.
pub(super) fn read(package: &Package, root: &str) -> Vec<Module> {
    let mut reader = Reader { package, modules: Vec::new() };
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    reader.file(root, folder, None, Vec::new());
    reader.modules
}

struct Reader<'a> {
    package: &'a Package,
    modules: Vec<Module>,
}

impl Reader<'_> {
    /// Reads a file whose child modules stand in `folder`.
    fn file(&mut self, file: &str, folder: &str, parent: Option<usize>, path: Vec<String>) -> usize {
        let tokens = without_tests(&tokens(&self.package.files[file]));
        let module = self.add(parent, path, None);
        self.block(&tokens, module, folder);
        module
    }

    fn add(&mut self, parent: Option<usize>, path: Vec<String>, owner: Option<usize>) -> usize {
        let own = self.modules.len();
        self.modules.push(Module {
            path,
            owner: owner.unwrap_or(own),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            mentions: Vec::new(),
            words: BTreeSet::new(),
        });
        own
    }

    fn block(&mut self, tokens: &[Token], module: usize, folder: &str) {
        let (mut place, mut depth, mut public) = (0, 0_usize, false);
        while let Some(token) = tokens.get(place) {
            let next = tokens.get(place + 1).and_then(Token::word);
            let start = place;
            place += 1;
            match &token.kind {
                Kind::Sign(sign) => {
                    depth = match sign {
                        '{' => depth + 1,
                        '}' => depth.saturating_sub(1),
                        _ => depth,
                    };
                }
                Kind::Word(word) if word == "pub" => {
                    let restricted = tokens.get(place).is_some_and(|token| token.is_sign('('));
                    place = if restricted { closing(tokens, place) } else { place };
                    public = true;
                    continue;
                }
                Kind::Word(word) if word == "use" && is_use(tokens.get(place)) => {
                    let mut tree = UseTree { tokens, place, line: token.line, public, found: Vec::new() };
                    tree.read(&[]);
                    place = tree.place;
                    self.modules[module].imports.append(&mut tree.found);
                }
                Kind::Word(word) if word == "mod" && next.is_some() => {
                    place = self.child(tokens, place, module, folder);
                }
                Kind::Word(word) => {
                    let name = if word == "macro_rules" {
                        tokens.get(place + 1).and_then(Token::word)
                    } else {
                        next
                    };
                    if let Some(name) = name.filter(|_| depth == 0 && ITEMS.contains(&word.as_str())) {
                        self.modules[module].items.insert(name.to_owned());
                    }
                    place = self.mention(tokens, start, module);
                }
                Kind::Literal | Kind::PathSeparator => {}
            }
            public = false;
        }
    }

    /// A child module whose name stands at `place`; gives the place behind its declaration.
    fn child(&mut self, tokens: &[Token], place: usize, module: usize, folder: &str) -> usize {
        let Some(name) = tokens[place].word() else { return place };
        let path: Vec<String> = self.modules[module].path.iter().cloned().chain([name.to_owned()]).collect();
        let inside = format!("{folder}/{name}");
        let (child, end) = if tokens.get(place + 1).is_some_and(|token| token.is_sign('{')) {
            let end = closing(tokens, place + 1);
            let owner = self.modules[module].owner;
            let child = self.add(Some(module), path, Some(owner));
            self.block(&tokens[place + 2..end - 1], child, &inside);
            (child, end)
        } else {
            let files = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            let file = files.iter().find(|file| self.package.files.contains_key(*file));
            let file = file.unwrap_or_else(|| panic!("{}: there is no {}", self.package.name, files[0]));
            (self.file(file, &inside, Some(module), path), place + 2)
        };
        self.modules[module].children.insert(name.to_owned(), child);
        end
    }

    /// Notes the path that begins at `place`, and gives the place behind it.
    fn mention(&mut self, tokens: &[Token], place: usize, module: usize) -> usize {
        let mut path = Vec::new();
        let mut end = place;
        while let Some(word) = tokens.get(end).and_then(Token::word) {
            path.push(word.to_owned());
            end += 1;
            let goes_on = tokens.get(end).is_some_and(|token| token.kind == Kind::PathSeparator);
            if !goes_on || tokens.get(end + 1).and_then(Token::word).is_none() {
                break;
            }
            end += 1;
        }
        let module = &mut self.modules[module];
        module.words.extend(path.iter().cloned());
        if path.len() > 1 {
            module.mentions.push((path, tokens[place].line));
        }
        end
    }
}

/// Whether `use` begins a declaration, and no list of captured lifetimes.
fn is_use(next: Option<&Token>) -> bool {
    next.is_some_and(|next| next.word().is_some() || next.kind == Kind::PathSeparator || next.is_sign('{'))
}

struct UseTree<'a> {
    tokens: &'a [Token],
    place: usize,
    line: usize,
    public: bool,
    found: Vec<Import>,
}

impl UseTree<'_> {
    /// Reads one tree, up to the comma, bracket or semicolon behind it.
    fn read(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        while let Some(token) = self.tokens.get(self.place) {
            self.place += 1;
            match &token.kind {
                Kind::Word(word) if word == "as" => {
                    let name = self.tokens.get(self.place).and_then(Token::word).unwrap_or("_");
                    let name = name.to_owned();
                    self.place += 1;
                    self.add(path, Some(name));
                    return;
                }
                // `self` in a list is the module before the bracket.
                Kind::Word(word) if word == "self" && !path.is_empty() => {}
                Kind::Word(word) => path.push(word.clone()),
                Kind::Sign('*') => path.push("*".to_owned()),
                Kind::Sign('{') => return self.list(&path),
                Kind::PathSeparator => {}
                _ => {
                    self.place -= 1;
                    break;
                }
            }
        }
        self.add(path, None);
    }

    fn list(&mut self, path: &[String]) {
        while let Some(token) = self.tokens.get(self.place) {
            match token.kind {
                Kind::Sign(',') => self.place += 1,
                Kind::Sign('}') => {
                    self.place += 1;
                    return;
                }
                _ => self.read(path),
            }
        }
    }

    fn add(&mut self, path: Vec<String>, name: Option<String>) {
        if let Some(last) = path.last().cloned() {
            let (line, public) = (self.line, self.public);
            self.found.push(Import { path, name: name.unwrap_or(last), public, line });
        }
    }
}
