//! Expressions.

use super::Printer;
use crate::ast::{
    CallSyntax, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, FunctionArg,
    FunctionCall, LikeKind, Literal, Operator, OrderBy, OrderDirection, Over, QuantifiedOver,
    Quantifier, SqlValue, Subscript, WindowDefinition,
};

impl Printer {
    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Column(name) => self.name(name),
            ExprKind::Wildcard(None) => self.push("*"),
            ExprKind::Wildcard(Some(name)) => {
                self.name(name);
                self.push(".*");
            }
            ExprKind::Parameter(number) => self.push(&format!("${number}")),
            ExprKind::Unary { operator, expr } => {
                self.push("(");
                self.operator(operator);
                self.push(" ");
                self.expr(expr);
                self.push(")");
            }
            ExprKind::Binary { operator, left, right } => {
                self.push("(");
                self.expr(left);
                self.push(" ");
                self.operator(operator);
                self.push(" ");
                self.expr(right);
                self.push(")");
            }
            ExprKind::Chain { first, rest } => self.chain(first, rest),
            ExprKind::And(list) => self.connective(list, " AND "),
            ExprKind::Or(list) => self.connective(list, " OR "),
            ExprKind::Not(expr) => {
                self.push("(NOT ");
                self.expr(expr);
                self.push(")");
            }
            ExprKind::IsNull { expr, negated, .. } => {
                self.postfix(expr, if *negated { " IS NOT NULL" } else { " IS NULL" });
            }
            ExprKind::IsTruth { expr, truth, negated, .. } => {
                let word = match truth {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                let not = if *negated { "NOT " } else { "" };
                self.postfix(expr, &format!(" IS {not}{word}"));
            }
            ExprKind::IsDistinctFrom { left, right, negated, .. } => {
                let not = if *negated { "NOT " } else { "" };
                self.infix(left, &format!(" IS {not}DISTINCT FROM "), right);
            }
            ExprKind::Between { expr, low, high, symmetric, negated, .. } => {
                self.push("(");
                self.expr(expr);
                self.push(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.push(if *symmetric { "SYMMETRIC " } else { "" });
                self.expr(low);
                self.push(" AND ");
                self.expr(high);
                self.push(")");
            }
            ExprKind::InList { expr, list, negated, .. } => {
                self.push("(");
                self.expr(expr);
                self.push(if *negated { " NOT IN (" } else { " IN (" });
                self.exprs(list);
                self.push("))");
            }
            ExprKind::InSubquery { expr, query, negated, .. } => {
                self.push("(");
                self.expr(expr);
                self.push(if *negated { " NOT IN (" } else { " IN (" });
                self.query(query);
                self.push("))");
            }
            ExprKind::Like { kind, expr, pattern, escape, negated, .. } => {
                let word = match kind {
                    LikeKind::Like => "LIKE",
                    LikeKind::ILike => "ILIKE",
                    LikeKind::SimilarTo => "SIMILAR TO",
                };
                self.push("(");
                self.expr(expr);
                self.push(if *negated { " NOT " } else { " " });
                self.push(word);
                self.push(" ");
                self.expr(pattern);
                if let Some(escape) = escape {
                    self.push(" ESCAPE ");
                    self.expr(escape);
                }
                self.push(")");
            }
            ExprKind::Quantified { left, operator, quantifier, over } => {
                self.push("(");
                self.expr(left);
                self.push(" ");
                self.operator(operator);
                self.push(match quantifier {
                    Quantifier::Any => " ANY (",
                    Quantifier::All => " ALL (",
                });
                match over {
                    QuantifiedOver::Query(query) => self.query(query),
                    QuantifiedOver::Array(array) => self.expr(array),
                }
                self.push("))");
            }
            ExprKind::Exists(query) => {
                self.push("(EXISTS (");
                self.query(query);
                self.push("))");
            }
            ExprKind::Subquery(query) => {
                self.push("(");
                self.query(query);
                self.push(")");
            }
            ExprKind::ArraySubquery(query) => {
                self.push("ARRAY(");
                self.query(query);
                self.push(")");
            }
            ExprKind::Array(elements) => {
                self.push("ARRAY[");
                self.exprs(elements);
                self.push("]");
            }
            ExprKind::Row { fields, explicit } => {
                self.push(if *explicit { "ROW(" } else { "(" });
                self.exprs(fields);
                self.push(")");
            }
            ExprKind::Subscript { expr, subscripts } => {
                match &expr.kind {
                    ExprKind::Column(_) | ExprKind::Parameter(_) => self.expr(expr),
                    _ => self.grouped(expr),
                }
                for subscript in subscripts {
                    self.subscript(subscript);
                }
            }
            ExprKind::Field { expr, field } => {
                self.grouped(expr);
                self.push(".");
                self.ident(field);
            }
            ExprKind::FieldAll(expr) => {
                self.grouped(expr);
                self.push(".*");
            }
            ExprKind::Cast { expr, type_name, .. } => {
                match &expr.kind {
                    ExprKind::Literal(Literal::String(text)) => self.string(text),
                    _ => self.grouped(expr),
                }
                self.push("::");
                self.type_name(type_name);
            }
            ExprKind::Collate { expr, collation, .. } => {
                self.push("(");
                self.expr(expr);
                self.push(" COLLATE ");
                self.name(collation);
                self.push(")");
            }
            ExprKind::AtTimeZone { expr, zone, .. } => self.infix(expr, " AT TIME ZONE ", zone),
            ExprKind::Case { operand, whens, otherwise } => {
                self.push("CASE");
                if let Some(operand) = operand {
                    self.push(" ");
                    self.expr(operand);
                }
                for when in whens {
                    self.push(" WHEN ");
                    self.expr(&when.condition);
                    self.push(" THEN ");
                    self.expr(&when.result);
                }
                if let Some(otherwise) = otherwise {
                    self.push(" ELSE ");
                    self.expr(otherwise);
                }
                self.push(" END");
            }
            ExprKind::Coalesce(args) => self.special("COALESCE", args),
            ExprKind::Greatest(args) => self.special("GREATEST", args),
            ExprKind::Least(args) => self.special("LEAST", args),
            ExprKind::Grouping(args) => self.special("GROUPING", args),
            ExprKind::NullIf(left, right) => {
                self.push("NULLIF(");
                self.expr(left);
                self.push(", ");
                self.expr(right);
                self.push(")");
            }
            ExprKind::Function(call) => self.call(call),
            ExprKind::SqlValue(value) => self.sql_value(*value),
            ExprKind::Default => self.push("DEFAULT"),
            ExprKind::CurrentOf(cursor) => {
                self.push("CURRENT OF ");
                self.ident(cursor);
            }
        }
    }

    pub(super) fn exprs(&mut self, list: &[Expr]) {
        self.list_with(list, ", ", Self::expr);
    }

    /// `expr` in parentheses, once.
    fn grouped(&mut self, expr: &Expr) {
        let start = self.text.len();
        self.push("(");
        self.expr(expr);
        self.push(")");
        // Most forms bring their own.
        let own = matches!(
            expr.kind,
            ExprKind::Unary { .. }
                | ExprKind::Binary { .. }
                | ExprKind::And(_)
                | ExprKind::Or(_)
                | ExprKind::Not(_)
                | ExprKind::IsNull { .. }
                | ExprKind::IsTruth { .. }
                | ExprKind::IsDistinctFrom { .. }
                | ExprKind::Between { .. }
                | ExprKind::InList { .. }
                | ExprKind::InSubquery { .. }
                | ExprKind::Like { .. }
                | ExprKind::Quantified { .. }
                | ExprKind::Exists(_)
                | ExprKind::Subquery(_)
                | ExprKind::Collate { .. }
                | ExprKind::AtTimeZone { .. }
                | ExprKind::Row { explicit: false, .. }
        );
        if own || is_negative(expr) {
            self.text.remove(start);
            self.text.pop();
        }
    }

    fn connective(&mut self, list: &[Expr], word: &str) {
        self.push("(");
        self.list_with(list, word, Self::expr);
        self.push(")");
    }

    fn postfix(&mut self, expr: &Expr, words: &str) {
        self.push("(");
        self.expr(expr);
        self.push(words);
        self.push(")");
    }

    fn infix(&mut self, left: &Expr, words: &str, right: &Expr) {
        self.push("(");
        self.expr(left);
        self.push(words);
        self.expr(right);
        self.push(")");
    }

    fn special(&mut self, word: &str, args: &[Expr]) {
        self.push(word);
        self.push("(");
        self.exprs(args);
        self.push(")");
    }

    /// A chain and the spine under it stay flat, so that the text is no deeper than the tree; where an operator binds
    /// tighter than the one before it, what came so far is put in parentheses.
    fn chain(&mut self, first: &Expr, rest: &[(Operator, Expr)]) {
        let mut first = first;
        let mut steps: Vec<(&Operator, &Expr)> = Vec::new();
        while let ExprKind::Binary { operator, left, right } = &first.kind {
            steps.push((operator, right));
            first = left;
        }
        steps.reverse();
        steps.extend(rest.iter().map(|(operator, operand)| (operator, operand)));
        let closes: Vec<bool> = steps
            .windows(2)
            .map(|pair| {
                let (before, after) = (level(pair[0].0), level(pair[1].0));
                after > before || after == before && after == COMPARISON
            })
            .collect();
        let count = closes.iter().filter(|closes| **closes).count();
        self.push(&"(".repeat(count + 1));
        self.expr(first);
        for (index, (operator, operand)) in steps.into_iter().enumerate() {
            if index > 0 && closes[index - 1] {
                self.push(")");
            }
            self.push(" ");
            self.operator(operator);
            self.push(" ");
            self.expr(operand);
        }
        self.push(")");
    }

    pub(super) fn operator(&mut self, operator: &Operator) {
        match &operator.schema {
            None => self.push(operator.as_str()),
            Some(schema) => {
                self.push("OPERATOR(");
                self.ident(schema);
                self.push(".");
                self.push(operator.as_str());
                self.push(")");
            }
        }
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.push("NULL"),
            Literal::Boolean(true) => self.push("true"),
            Literal::Boolean(false) => self.push("false"),
            Literal::Integer(value) if *value < 0 => self.push(&format!("({value})")),
            Literal::Integer(value) => self.push(&value.to_string()),
            Literal::Number(text) if text.starts_with('-') => self.push(&format!("({text})")),
            Literal::Number(text) => self.push(text),
            Literal::String(text) => self.string(text),
            Literal::BitString(text) => self.push(&format!("B'{text}'")),
            Literal::HexString(text) => self.push(&format!("X'{text}'")),
        }
    }

    pub(super) fn subscript(&mut self, subscript: &Subscript) {
        self.push("[");
        match subscript {
            Subscript::Index(index) => self.expr(index),
            Subscript::Slice(low, high) => {
                if let Some(low) = low {
                    self.expr(low);
                }
                self.push(":");
                if let Some(high) = high {
                    self.expr(high);
                }
            }
        }
        self.push("]");
    }

    fn sql_value(&mut self, value: SqlValue) {
        let (word, precision) = match value {
            SqlValue::CurrentDate => ("CURRENT_DATE", None),
            SqlValue::CurrentTime(precision) => ("CURRENT_TIME", precision),
            SqlValue::CurrentTimestamp(precision) => ("CURRENT_TIMESTAMP", precision),
            SqlValue::LocalTime(precision) => ("LOCALTIME", precision),
            SqlValue::LocalTimestamp(precision) => ("LOCALTIMESTAMP", precision),
            SqlValue::CurrentRole => ("CURRENT_ROLE", None),
            SqlValue::CurrentUser => ("CURRENT_USER", None),
            SqlValue::User => ("USER", None),
            SqlValue::SessionUser => ("SESSION_USER", None),
            SqlValue::CurrentCatalog => ("CURRENT_CATALOG", None),
            SqlValue::CurrentSchema => ("CURRENT_SCHEMA", None),
        };
        self.push(word);
        if let Some(precision) = precision {
            self.push(&format!("({precision})"));
        }
    }

    fn call(&mut self, call: &FunctionCall) {
        let args: Vec<&Expr> = call.args.iter().map(|arg| &arg.value).collect();
        match (call.syntax, args.as_slice()) {
            (CallSyntax::Extract, [field, source]) => {
                self.push("EXTRACT(");
                match &field.kind {
                    ExprKind::Literal(Literal::String(text)) => self.word_or_string(text),
                    _ => self.expr(field),
                }
                self.push(" FROM ");
                self.expr(source);
                self.push(")");
            }
            (CallSyntax::Substring, [text, from]) => {
                self.clauses("SUBSTRING", text, &[(" FROM ", from)]);
            }
            (CallSyntax::Substring, [text, from, length]) => {
                self.clauses("SUBSTRING", text, &[(" FROM ", from), (" FOR ", length)]);
            }
            (CallSyntax::SubstringSimilar, [text, pattern, escape]) => {
                self.clauses("SUBSTRING", text, &[(" SIMILAR ", pattern), (" ESCAPE ", escape)]);
            }
            (CallSyntax::Position, [text, needle]) => {
                self.clauses("POSITION", needle, &[(" IN ", text)]);
            }
            (CallSyntax::Overlay, [text, new, from]) => {
                self.clauses("OVERLAY", text, &[(" PLACING ", new), (" FROM ", from)]);
            }
            (CallSyntax::Overlay, [text, new, from, length]) => self.clauses(
                "OVERLAY",
                text,
                &[(" PLACING ", new), (" FROM ", from), (" FOR ", length)],
            ),
            (CallSyntax::Trim, [text, rest @ ..]) if rest.len() <= 1 => {
                self.push("TRIM(");
                self.push(match &*call.name.base().value {
                    "ltrim" => "LEADING ",
                    "rtrim" => "TRAILING ",
                    _ => "BOTH ",
                });
                if let [characters] = rest {
                    self.expr(characters);
                    self.push(" ");
                }
                self.push("FROM ");
                self.expr(text);
                self.push(")");
            }
            (CallSyntax::Overlaps, [a, b, c, d]) => {
                self.push("(ROW(");
                self.expr(a);
                self.push(", ");
                self.expr(b);
                self.push(") OVERLAPS ROW(");
                self.expr(c);
                self.push(", ");
                self.expr(d);
                self.push("))");
            }
            (CallSyntax::CollationFor, [text]) => {
                self.push("COLLATION FOR (");
                self.expr(text);
                self.push(")");
            }
            (CallSyntax::Normalize, [text, form @ ..]) => {
                self.push("NORMALIZE(");
                self.expr(text);
                if let [form] = form {
                    self.push(", ");
                    self.bare(form);
                }
                self.push(")");
            }
            (CallSyntax::IsNormalized, [text, form @ ..]) => {
                self.push("(");
                self.expr(text);
                self.push(" IS ");
                if let [form] = form {
                    self.bare(form);
                    self.push(" ");
                }
                self.push("NORMALIZED)");
            }
            _ => self.ordinary_call(call),
        }
    }

    /// `WORD(first clause value ...)`.
    fn clauses(&mut self, word: &str, first: &Expr, rest: &[(&str, &Expr)]) {
        self.push(word);
        self.push("(");
        self.expr(first);
        for (clause, value) in rest {
            self.push(clause);
            self.expr(value);
        }
        self.push(")");
    }

    /// A constant's text without quotes: a normal form.
    fn bare(&mut self, expr: &Expr) {
        if let ExprKind::Literal(Literal::String(text)) = &expr.kind {
            self.push(text);
        }
    }

    fn word_or_string(&mut self, text: &str) {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            self.push(text);
        } else {
            self.string(text);
        }
    }

    fn ordinary_call(&mut self, call: &FunctionCall) {
        self.name(&call.name);
        self.push("(");
        if call.star {
            self.push("*");
        }
        if call.distinct {
            self.push("DISTINCT ");
        }
        self.list_with(&call.args, ", ", Self::argument);
        if !call.order_by.is_empty() && !call.within_group {
            self.push(" ");
            self.order_by(&call.order_by);
        }
        self.push(")");
        if call.within_group {
            self.push(" WITHIN GROUP (");
            self.order_by(&call.order_by);
            self.push(")");
        }
        if let Some(filter) = &call.filter {
            self.push(" FILTER (WHERE ");
            self.expr(filter);
            self.push(")");
        }
        match &call.over {
            None => {}
            Some(Over::Named(name)) => {
                self.push(" OVER ");
                self.ident(name);
            }
            Some(Over::Window(window)) => {
                self.push(" OVER ");
                self.window(window);
            }
        }
    }

    fn argument(&mut self, arg: &FunctionArg) {
        if arg.variadic {
            self.push("VARIADIC ");
        }
        if let Some(name) = &arg.name {
            self.ident(name);
            self.push(" => ");
        }
        self.expr(&arg.value);
    }

    pub(super) fn order_by(&mut self, keys: &[OrderBy]) {
        self.push("ORDER BY ");
        self.list_with(keys, ", ", |printer, key| {
            printer.expr(&key.expr);
            match &key.direction {
                OrderDirection::Default | OrderDirection::Ascending => {}
                OrderDirection::Descending => printer.push(" DESC"),
                OrderDirection::Using(operator) => {
                    printer.push(" USING ");
                    printer.operator(operator);
                }
            }
            match key.nulls_first {
                None => {}
                Some(true) => printer.push(" NULLS FIRST"),
                Some(false) => printer.push(" NULLS LAST"),
            }
        });
    }

    pub(super) fn window(&mut self, window: &WindowDefinition) {
        self.push("(");
        let mut space = "";
        if let Some(base) = &window.base {
            self.ident(base);
            space = " ";
        }
        if !window.partition_by.is_empty() {
            self.push(space);
            self.push("PARTITION BY ");
            self.exprs(&window.partition_by);
            space = " ";
        }
        if !window.order_by.is_empty() {
            self.push(space);
            self.order_by(&window.order_by);
            space = " ";
        }
        if let Some(frame) = &window.frame {
            self.push(space);
            self.frame(frame);
        }
        self.push(")");
    }

    fn frame(&mut self, frame: &Frame) {
        self.push(match frame.unit {
            FrameUnit::Rows => "ROWS BETWEEN ",
            FrameUnit::Range => "RANGE BETWEEN ",
            FrameUnit::Groups => "GROUPS BETWEEN ",
        });
        self.frame_bound(&frame.start);
        self.push(" AND ");
        self.frame_bound(&frame.end);
        self.push(match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        });
    }

    fn frame_bound(&mut self, bound: &FrameBound) {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::Preceding(offset) => {
                self.expr(offset);
                self.push(" PRECEDING");
            }
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::Following(offset) => {
                self.expr(offset);
                self.push(" FOLLOWING");
            }
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
        }
    }
}

/// A number below zero, which prints in parentheses.
fn is_negative(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(Literal::Integer(value)) => *value < 0,
        ExprKind::Literal(Literal::Number(text)) => text.starts_with('-'),
        _ => false,
    }
}

/// The level of comparison operators, which do not associate.
const COMPARISON: u8 = 0;

/// How tightly an operator binds, among operators.
fn level(operator: &Operator) -> u8 {
    match (&operator.schema, operator.as_str()) {
        (None, "<" | ">" | "=" | "<=" | ">=" | "<>") => COMPARISON,
        (None, "+" | "-") => 2,
        (None, "*" | "/" | "%") => 3,
        (None, "^") => 4,
        _ => 1,
    }
}
