//! Tokens to syntax trees: recursive descent for statements, precedence climbing for expressions.
//!
//! Each file holds one family of productions, as an `impl Parser`. A production takes its tokens or fails at the first
//! one that does not fit, with PostgreSQL's words.
//!
//! How depth is bounded
//! - D1: every production that can nest calls [`Parser::enter`], which counts nesting and measures the stack, and
//!   [`Parser::leave`]. The measure is what makes the bound hold in debug builds too.
//! - D2: a loop that wraps what it has in a new node (a chain of operators, of joins, of set operations) makes the tree
//!   higher without nesting calls. [`Parser::height`] and [`Parser::peak`] follow the height of what was parsed, and
//!   [`Parser::grown`] refuses what is too high, so that walking and dropping the tree is bounded too.

mod alter;
mod copy;
mod create;
mod definition;
mod dml;
mod expr;
mod from;
mod function;
mod primary;
mod query;
mod role;
mod statement;
mod table;
mod type_name;
mod utility;

use crate::ast::{Expr, Ident, Name, Operator, Span, Symbol};
use crate::error::{ParseError, Result};
use crate::lexer::{
    Category, Keyword, Kind, Token, Tokens, decode_identifier, decode_string, tokenize,
};

/// The deepest nesting and the highest tree.
pub(crate) const DEPTH_MAX: u32 = 1_000;
/// The most bytes of stack that one call of the parser uses, about.
const STACK_BYTES_MAX: usize = 1_200 * 1024;

/// A text on its way to a tree.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Index of the next token.
    at: usize,
    scan_error: Option<ParseError>,
    depth: u32,
    /// Height of the last parsed expression, query or table reference.
    height: u32,
    /// The highest such tree since a production began to collect its children.
    peak: u32,
    /// Address of a local of the first production: the top of our stack.
    stack_top: usize,
}

/// A saved [`Parser::peak`], to be given back to [`Parser::grown`].
#[must_use]
pub(crate) struct Collect(u32);

impl<'a> Parser<'a> {
    /// A parser at the start of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        let Tokens { list, error } = tokenize(text);
        let local = 0_u8;
        Self {
            text,
            tokens: list,
            at: 0,
            scan_error: error,
            depth: 0,
            height: 0,
            peak: 0,
            stack_top: std::ptr::from_ref(&local).addr(),
        }
    }

    // Tokens.

    fn token(&self) -> Token {
        self.tokens[self.at]
    }

    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    /// The kind of the token `ahead` of the next; the end past the end.
    fn kind_at(&self, ahead: usize) -> Kind {
        self.tokens.get(self.at + ahead).map_or(Kind::End, |token| token.kind)
    }

    /// Takes the next token. The last one (end or error) stays.
    fn bump(&mut self) -> Token {
        let token = self.tokens[self.at];
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn start(&self) -> u32 {
        self.token().start
    }

    /// The end of the last taken token.
    fn end(&self) -> u32 {
        self.at.checked_sub(1).map_or(0, |index| self.tokens[index].end)
    }

    /// From byte `start` to the end of the last taken token.
    fn span_from(&self, start: u32) -> Span {
        Span::new(start, self.end().max(start))
    }

    fn token_text(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn at_keyword(&self, keyword: Keyword) -> bool {
        self.kind() == Kind::Keyword(keyword)
    }

    fn keyword_at(&self, ahead: usize, keyword: Keyword) -> bool {
        self.kind_at(ahead) == Kind::Keyword(keyword)
    }

    fn at_any(&self, keywords: &[Keyword]) -> bool {
        matches!(self.kind(), Kind::Keyword(keyword) if keywords.contains(&keyword))
    }

    fn at_punctuation(&self, byte: u8) -> bool {
        self.kind() == Kind::Punctuation(byte)
    }

    fn eat(&mut self, keyword: Keyword) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.bump();
        }
        found
    }

    /// Takes `keywords` if all of them follow.
    fn eat_all(&mut self, keywords: &[Keyword]) -> bool {
        let found =
            keywords.iter().enumerate().all(|(ahead, &keyword)| self.keyword_at(ahead, keyword));
        if found {
            self.at += keywords.len();
        }
        found
    }

    fn eat_punctuation(&mut self, byte: u8) -> bool {
        let found = self.at_punctuation(byte);
        if found {
            self.bump();
        }
        found
    }

    fn expect(&mut self, keyword: Keyword) -> Result<()> {
        if self.eat(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_all(&mut self, keywords: &[Keyword]) -> Result<()> {
        keywords.iter().try_for_each(|&keyword| self.expect(keyword))
    }

    fn expect_punctuation(&mut self, byte: u8) -> Result<()> {
        if self.eat_punctuation(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    // Errors.

    /// `syntax error at or near` the next token.
    fn unexpected(&self) -> ParseError {
        self.unexpected_at(self.token())
    }

    fn unexpected_at(&self, token: Token) -> ParseError {
        match token.kind {
            Kind::Error => self.scan_error.clone().unwrap_or_else(|| {
                ParseError::new("42601", "syntax error at end of input", token.start)
            }),
            Kind::End => ParseError::new("42601", "syntax error at end of input", token.start),
            _ => {
                let near = self.near(token);
                ParseError::new("42601", format!("syntax error at or near \"{near}\""), token.start)
            }
        }
    }

    /// The text of `token` for a message: a character that starts no token may be several bytes long.
    fn near(&self, token: Token) -> &'a str {
        let start = token.start as usize;
        let mut end = (token.end as usize).max(start);
        while end < self.text.len() && !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.text.get(start..end).unwrap_or("")
    }

    /// 0A000 for something of PostgreSQL's that has no tree.
    fn unsupported(what: &str, position: u32) -> ParseError {
        ParseError::new("0A000", format!("{what} is not supported"), position)
    }

    // Depth.

    /// Begins a production that may nest (D1).
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        let local = 0_u8;
        let used = self.stack_top.abs_diff(std::ptr::from_ref(&local).addr());
        if self.depth > DEPTH_MAX || used > STACK_BYTES_MAX {
            return Err(self.too_deep());
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn too_deep(&self) -> ParseError {
        ParseError::new("54001", "stack depth limit exceeded", self.start()).with_hint(
            "The statement nests deeper than the parser's limit; write it with fewer levels.",
        )
    }

    /// Begins to collect the heights of children.
    fn collect(&mut self) -> Collect {
        Collect(std::mem::replace(&mut self.peak, 0))
    }

    /// Ends what `collect` began: the tree is one higher than its highest child (D2).
    fn grown(&mut self, collect: Collect) -> Result<()> {
        self.height = self.peak + 1;
        self.peak = collect.0;
        self.check_height()
    }

    /// The tree of height `left`, wrapped with what was parsed since `collect` (D2).
    fn wrapped(&mut self, collect: Collect, left: u32) -> Result<()> {
        self.height = self.peak.max(left) + 1;
        self.peak = collect.0;
        self.check_height()
    }

    fn check_height(&self) -> Result<()> {
        if self.height > DEPTH_MAX { Err(self.too_deep()) } else { Ok(()) }
    }

    /// Counts the tree just parsed as a child.
    fn count_child(&mut self) {
        self.peak = self.peak.max(self.height);
    }

    // Names.

    /// The next token as a name, if `allowed` takes its category (`None` for an ordinary identifier).
    fn eat_ident(
        &mut self,
        allowed: impl FnOnce(Option<Category>) -> bool,
    ) -> Result<Option<Ident>> {
        let token = self.token();
        let category = match token.kind {
            Kind::Identifier | Kind::QuotedIdentifier | Kind::UnicodeIdentifier => None,
            Kind::Keyword(keyword) => Some(keyword.category()),
            _ => return Ok(None),
        };
        if !allowed(category) {
            return Ok(None);
        }
        self.bump();
        let value = match token.kind {
            Kind::Keyword(keyword) => keyword.text().into(),
            _ => decode_identifier(self.text, token)?,
        };
        Ok(Some(Ident { value, span: Span::new(token.start, token.end) }))
    }

    fn ident(&mut self, allowed: impl FnOnce(Option<Category>) -> bool) -> Result<Ident> {
        self.eat_ident(allowed)?.ok_or_else(|| self.unexpected())
    }

    /// The name of a column, table, schema, cursor and most other things (`ColId`).
    fn column_id(&mut self) -> Result<Ident> {
        self.ident(is_column_id)
    }

    /// The next token can be a `ColId`.
    fn at_column_id(&self) -> bool {
        self.column_id_at(0)
    }

    fn column_id_at(&self, ahead: usize) -> bool {
        match self.kind_at(ahead) {
            Kind::Identifier | Kind::QuotedIdentifier | Kind::UnicodeIdentifier => true,
            Kind::Keyword(keyword) => is_column_id(Some(keyword.category())),
            _ => false,
        }
    }

    /// Any word, as after `AS` or a dot (`ColLabel`).
    fn label(&mut self) -> Result<Ident> {
        self.ident(|_| true)
    }

    /// A word that is not reserved (`NonReservedWord`).
    fn non_reserved(&mut self) -> Result<Ident> {
        self.ident(|category| category != Some(Category::Reserved))
    }

    /// `ColId` followed by `.label`s (`qualified_name`, `any_name`).
    fn name(&mut self) -> Result<Name> {
        let first = self.column_id()?;
        self.name_after(first)
    }

    /// The rest of a name that begins with `first`.
    fn name_after(&mut self, first: Ident) -> Result<Name> {
        let mut parts = vec![first];
        while self.eat_punctuation(b'.') {
            parts.push(self.label()?);
        }
        Ok(Name(parts))
    }

    /// The name of a relation: at most catalog, schema and name.
    fn relation_name(&mut self) -> Result<Name> {
        let name = self.name()?;
        if name.0.len() > 3 {
            return Err(ParseError::new(
                "42601",
                format!("improper qualified name (too many dotted names): {name}"),
                name.span().start,
            ));
        }
        Ok(name)
    }

    /// A name that may be that of a type or function: its first part alone may be a key word of that category.
    fn function_name(&mut self) -> Result<Name> {
        let qualified = matches!(self.kind_at(1), Kind::Punctuation(b'.'));
        let first = if qualified {
            self.ident(|category| {
                is_column_id(category) || category == Some(Category::TypeOrFunction)
            })?
        } else {
            self.ident(is_type_or_function)?
        };
        self.name_after(first)
    }

    // Lists and small values.

    /// One or more of `item`, separated by commas.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_punctuation(b',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(item, ...)`.
    fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_punctuation(b'(')?;
        let items = self.list(item)?;
        self.expect_punctuation(b')')?;
        Ok(items)
    }

    /// `(name, ...)`, or nothing.
    fn optional_columns(&mut self) -> Result<Vec<Ident>> {
        if self.at_punctuation(b'(') { self.parenthesised(Self::column_id) } else { Ok(Vec::new()) }
    }

    fn at_string(&self) -> bool {
        matches!(
            self.kind(),
            Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::DollarString
        )
    }

    /// A string constant (`Sconst`).
    fn string(&mut self) -> Result<Box<str>> {
        if !self.at_string() {
            return Err(self.unexpected());
        }
        let token = self.bump();
        decode_string(self.text, token)
    }

    fn eat_string(&mut self) -> Result<Option<Box<str>>> {
        if self.at_string() { self.string().map(Some) } else { Ok(None) }
    }

    /// A whole number of 32 bits without a sign (`Iconst`).
    fn integer(&mut self) -> Result<i32> {
        let token = self.token();
        if token.kind == Kind::Integer
            && let Ok(value) = self.token_text(token).parse()
        {
            self.bump();
            return Ok(value);
        }
        Err(self.unexpected())
    }

    /// A number with an optional sign, as text (`NumericOnly`).
    fn eat_number(&mut self) -> Option<Box<str>> {
        let sign = match self.kind() {
            Kind::Punctuation(b'-') => "-",
            Kind::Punctuation(b'+') => "+",
            _ => "",
        };
        let ahead = usize::from(!sign.is_empty());
        if !matches!(self.kind_at(ahead), Kind::Integer | Kind::Number) {
            return None;
        }
        self.at += ahead;
        let token = self.bump();
        let digits = self.token_text(token);
        Some(if sign == "-" { format!("-{digits}").into() } else { digits.into() })
    }

    /// A whole number of 64 bits with an optional sign.
    fn signed_integer(&mut self) -> Result<i64> {
        let start = self.start();
        let unexpected = self.unexpected();
        let text = self.eat_number().ok_or(unexpected)?;
        text.parse().map_err(|_| {
            ParseError::new(
                "22003",
                format!("value \"{text}\" is out of range for type bigint"),
                start,
            )
        })
    }

    /// The symbol of an operator token, if the next one is an operator.
    fn symbol(&self) -> Option<Symbol> {
        let token = self.token();
        Some(match token.kind {
            Kind::Operator => Symbol::new(self.token_text(token)),
            Kind::Punctuation(b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=')
            | Kind::LessEquals
            | Kind::GreaterEquals => Symbol::new(self.token_text(token)),
            Kind::NotEquals => Symbol::new("<>"),
            _ => return None,
        })
    }

    /// `OPERATOR(schema.op)`; the word is the next token.
    fn operator_call(&mut self) -> Result<Operator> {
        let start = self.start();
        self.expect(Keyword::Operator)?;
        self.expect_punctuation(b'(')?;
        let mut operator = self.qualified_operator()?;
        self.expect_punctuation(b')')?;
        operator.span = self.span_from(start);
        Ok(operator)
    }

    /// `schema.op` (`any_operator`).
    fn qualified_operator(&mut self) -> Result<Operator> {
        let start = self.start();
        let mut schema = None;
        while self.at_column_id() {
            schema = Some(Box::new(self.column_id()?));
            self.expect_punctuation(b'.')?;
        }
        let symbol = self.symbol().ok_or_else(|| self.unexpected())?;
        self.bump();
        Ok(Operator { schema, symbol, span: self.span_from(start) })
    }

    /// `IF EXISTS`.
    fn if_exists(&mut self) -> bool {
        self.eat_all(&[Keyword::If, Keyword::Exists])
    }

    /// `IF NOT EXISTS`.
    fn if_not_exists(&mut self) -> bool {
        self.eat_all(&[Keyword::If, Keyword::Not, Keyword::Exists])
    }

    /// `CASCADE` (true), `RESTRICT`, or nothing.
    fn cascade(&mut self) -> bool {
        if self.eat(Keyword::Cascade) {
            return true;
        }
        self.eat(Keyword::Restrict);
        false
    }

    /// The whole text as one expression.
    pub(crate) fn whole_expression(&mut self) -> Result<Expr> {
        let expr = self.expr()?;
        if self.kind() == Kind::End { Ok(expr) } else { Err(self.unexpected()) }
    }
}

/// Identifiers, unreserved words and column names.
fn is_column_id(category: Option<Category>) -> bool {
    matches!(category, None | Some(Category::Unreserved | Category::ColumnName))
}

/// Identifiers, unreserved words, types and functions.
fn is_type_or_function(category: Option<Category>) -> bool {
    matches!(category, None | Some(Category::Unreserved | Category::TypeOrFunction))
}
