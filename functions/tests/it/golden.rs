//! Results of functions against PostgreSQL 15's, and the same call in every shape of its vectors.
//!
//! `testdata/*.txt` hold one call a line, fields separated by tabs: name, then type and text of each argument, `=`, the text of
//! the result or `!SQLSTATE`; `\N` is null. The lines were recorded from PostgreSQL 15.
//!
//! Each call is made with const vectors, with flat vectors in which it stands among nulls, and with its row inactive: the
//! results must agree, and an inactive row must not raise (F1).

use crate::session;
use damask_functions::FixedSession;
use damask_functions::resolve::{ResolvedFunction, resolve_function};
use damask_functions::{KernelContext, ScalarFunction, registry, text_io};
use damask_types::{Mask, SqlType, TypeId, Value, Vector};

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (char, false) => out.push(char),
        }
    }
    out
}

fn type_of(name: &str) -> TypeId {
    let name = match name.strip_suffix("[]") {
        Some(element) => format!("_{element}"),
        None => name.to_owned(),
    };
    let found = TypeId::ALL.iter().copied().find(|ty| ty.name() == name);
    found.unwrap_or_else(|| panic!("type {name}"))
}

/// The text of a result, or its error's SQLSTATE.
fn show(session: &FixedSession, result: Result<Value, damask_types::Error>, ty: TypeId) -> String {
    match result {
        // As a cast to text shows it.
        Ok(Value::Bool(value)) => value.to_string(),
        Ok(Value::Text(text)) if ty == TypeId::BpChar => text.trim_end_matches(' ').to_owned(),
        Ok(value) => text_io::output(session, ty, &value).unwrap_or_else(|| "\\N".to_owned()),
        Err(error) => format!("!{}", error.sqlstate()),
    }
}

struct Call<'a> {
    session: &'a FixedSession,
    function: &'static ScalarFunction,
    result: SqlType,
    args: Vec<(TypeId, Value)>,
}

impl Call<'_> {
    fn run(&self, args: &[Vector], active: &Mask) -> Result<Vector, damask_types::Error> {
        let rows = args.first().map_or(1, Vector::rows);
        let session: &dyn damask_functions::Session = self.session;
        let ctx = KernelContext { rows, active, result: self.result, session };
        (self.function.kernel)(&ctx, args)
    }

    fn as_const(&self) -> Result<Value, damask_types::Error> {
        let args: Vec<Vector> =
            self.args.iter().map(|(ty, value)| Vector::constant(*ty, value, 3)).collect();
        let rows = if args.is_empty() { 1 } else { 3 };
        self.run(&args, &Mask::first(rows)).map(|vector| {
            assert_eq!(vector.rows(), rows);
            vector.value(rows - 1)
        })
    }

    /// Row 1 of 3, the others null in the first argument.
    fn as_flat(&self, active: bool) -> Result<Value, damask_types::Error> {
        let column = |at: usize, (ty, value): &(TypeId, Value)| {
            let other = if at == 0 { &Value::Null } else { value };
            Vector::from_values(*ty, [other, value, other])
        };
        let args: Vec<Vector> =
            self.args.iter().enumerate().map(|(at, arg)| column(at, arg)).collect();
        let mut mask = Mask::first(3);
        mask.set(1, active);
        self.run(&args, &mask).map(|vector| {
            assert_eq!(vector.rows(), 3);
            if active { vector.value(1) } else { Value::Null }
        })
    }
}

fn resolve(name: &str, types: &[TypeId]) -> Option<(&'static ScalarFunction, SqlType)> {
    let exact = registry::functions(name).iter().find(|function| function.args == types);
    if let Some(function) = exact
        && !function.result.is_polymorphic()
    {
        return Some((function, function.result.into()));
    }
    match resolve_function(name, types, false) {
        Ok(ResolvedFunction::Scalar(resolved)) => Some((resolved.entry, resolved.result.into())),
        _ => None,
    }
}

/// One line of a file; `Err` says how it differs.
fn check(session: &FixedSession, line: &str) -> Result<(), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, middle @ .., "=", expected] = fields.as_slice() else {
        return Err("malformed".to_owned());
    };
    let mut args = Vec::new();
    for pair in middle.chunks_exact(2) {
        let ty = type_of(pair[0]);
        let value = if pair[1] == "\\N" {
            Value::Null
        } else {
            text_io::input(session, ty.into(), &unescape(pair[1]))
                .map_err(|error| format!("argument: {error}"))?
        };
        args.push((ty, value));
    }
    let types: Vec<TypeId> = args.iter().map(|arg| arg.0).collect();
    let Some((function, result)) = resolve(name, &types) else {
        return Err("not found".to_owned());
    };
    let call = Call { session, function, result, args };
    let expected = if *expected == "\\N" { "\\N".to_owned() } else { unescape(expected) };
    let ty = result.id;
    let got = show(session, call.as_const(), ty);
    if got != expected {
        return Err(got);
    }
    if call.args.is_empty() {
        return Ok(());
    }
    let has_null = call.args.iter().any(|(_, value)| value.is_null());
    if function.strict && has_null && got != "\\N" {
        return Err(format!("strict, but gives {got} for null"));
    }
    if got.starts_with('!') && !function.may_raise {
        return Err("raises though it says it does not".to_owned());
    }
    // Functions that take nulls may raise for the null neighbours.
    if function.strict {
        let flat = show(session, call.as_flat(true), ty);
        if flat != expected {
            return Err(format!("flat: {flat}"));
        }
        let inactive = show(session, call.as_flat(false), ty);
        if inactive != "\\N" {
            return Err(format!("inactive: {inactive}"));
        }
    }
    Ok(())
}

#[test]
fn functions_answer_as_postgresql() {
    let session = session();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let file = std::env::var("DAMASK_GOLDEN").map_or(folder.join("functions.txt"), Into::into);
    let text = std::fs::read_to_string(file).expect("recorded results");
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        lines += 1;
        if let Err(got) = check(&session, line) {
            wrong.push(format!("{line}\n    got {got}"));
        }
    }
    assert!(lines > 100, "the file has lines");
    assert!(wrong.is_empty(), "{} of {lines} differ:\n{}", wrong.len(), wrong.join("\n"));
}
