//! Names of types: as PostgreSQL's `format_type` prints them, and as statements write them.

use crate::interval::typmod as interval_typmod;
use crate::{SqlType, TypeId};

/// The SQL name of a type without its modifier, as error messages print it.
pub fn type_name(id: TypeId) -> String {
    match id.element() {
        Some(element) if !matches!(id, TypeId::Int2Vector | TypeId::OidVector) => {
            format!("{}[]", base_name(element))
        }
        _ => base_name(id).to_owned(),
    }
}

fn base_name(id: TypeId) -> &'static str {
    match id {
        TypeId::Bool => "boolean",
        TypeId::Char => "\"char\"",
        TypeId::Int8 => "bigint",
        TypeId::Int2 => "smallint",
        TypeId::Int4 => "integer",
        TypeId::Float4 => "real",
        TypeId::Float8 => "double precision",
        TypeId::Varchar => "character varying",
        TypeId::BpChar => "character",
        TypeId::Time => "time without time zone",
        TypeId::Timestamp => "timestamp without time zone",
        TypeId::TimestampTz => "timestamp with time zone",
        TypeId::TimeTz => "time with time zone",
        TypeId::Bit => "bit",
        TypeId::VarBit => "bit varying",
        TypeId::Any => "\"any\"",
        other => other.name(),
    }
}

/// The SQL name of a type with its modifier: PostgreSQL's `format_type(oid, typmod)`.
pub fn format_type(ty: SqlType) -> String {
    if let Some(element) = ty.id.element()
        && !matches!(ty.id, TypeId::Int2Vector | TypeId::OidVector)
    {
        return format!("{}[]", format_type(SqlType { id: element, typmod: ty.typmod }));
    }
    let name = base_name(ty.id);
    if ty.typmod < 0 {
        return match ty.id {
            // Without a length these two differ from what "character" and "bit" alone mean.
            TypeId::BpChar => "bpchar".to_owned(),
            TypeId::Bit => "\"bit\"".to_owned(),
            _ => name.to_owned(),
        };
    }
    match ty.id {
        TypeId::Varchar | TypeId::BpChar => format!("{name}({})", ty.typmod - 4),
        TypeId::Bit | TypeId::VarBit => format!("{name}({})", ty.typmod),
        TypeId::Numeric => match ty.numeric_shape() {
            Some((precision, scale)) => format!("{name}({precision},{scale})"),
            None => name.to_owned(),
        },
        // The precision stands before "with".
        TypeId::Time => format!("time({}) without time zone", ty.typmod),
        TypeId::TimeTz => format!("time({}) with time zone", ty.typmod),
        TypeId::Timestamp => format!("timestamp({}) without time zone", ty.typmod),
        TypeId::TimestampTz => format!("timestamp({}) with time zone", ty.typmod),
        TypeId::Interval => format!("interval{}", interval_typmod::format(ty.typmod)),
        _ => name.to_owned(),
    }
}

/// The type of a name: one of the grammar's (`int`, `varchar`, `double precision`), or `pg_type`'s
/// (`int4`, `_int4`); lower case.
pub fn type_by_name(name: &str) -> Option<TypeId> {
    if let Some(element) = name.strip_suffix("[]") {
        return type_by_name(element)?.array();
    }
    Some(match name {
        "int" | "integer" => TypeId::Int4,
        "smallint" => TypeId::Int2,
        "bigint" => TypeId::Int8,
        "real" => TypeId::Float4,
        "double precision" | "float" => TypeId::Float8,
        "decimal" | "dec" => TypeId::Numeric,
        "boolean" => TypeId::Bool,
        "character" => TypeId::BpChar,
        "\"char\"" => TypeId::Char,
        "character varying" => TypeId::Varchar,
        "bit varying" => TypeId::VarBit,
        "time without time zone" => TypeId::Time,
        "time with time zone" => TypeId::TimeTz,
        "timestamp without time zone" => TypeId::Timestamp,
        "timestamp with time zone" => TypeId::TimestampTz,
        _ => return TypeId::ALL.iter().copied().find(|id| id.name() == name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_format_type() {
        let name = |id, typmod| format_type(SqlType { id, typmod });
        assert_eq!(name(TypeId::Numeric, SqlType::numeric_typmod(15, 2)), "numeric(15,2)");
        assert_eq!(name(TypeId::Numeric, SqlType::numeric_typmod(15, -2)), "numeric(15,-2)");
        assert_eq!(name(TypeId::Varchar, 14), "character varying(10)");
        assert_eq!(name(TypeId::BpChar, -1), "bpchar");
        assert_eq!(name(TypeId::BpCharArray, 7), "character(3)[]");
        assert_eq!(name(TypeId::Int4Array, -1), "integer[]");
        assert_eq!(name(TypeId::TimestampTz, 3), "timestamp(3) with time zone");
        assert_eq!(name(TypeId::Char, -1), "\"char\"");
        assert_eq!(type_by_name("_int4"), Some(TypeId::Int4Array));
        assert_eq!(type_by_name("timestamp with time zone"), Some(TypeId::TimestampTz));
        assert_eq!(type_by_name("numeric[]"), Some(TypeId::NumericArray));
        assert_eq!(type_by_name("nothing"), None);
    }
}
