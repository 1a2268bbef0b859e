//! Types by their SQL names.

use super::Printer;
use crate::ast::{IntervalFields, TypeName};

impl Printer {
    pub(super) fn type_name(&mut self, ty: &TypeName) {
        if ty.setof {
            self.push("SETOF ");
        }
        if ty.system {
            self.system_type(ty);
        } else {
            self.name(&ty.name);
            if ty.percent_type {
                self.push("%TYPE");
            }
            self.modifiers(ty);
        }
        for bound in &ty.array {
            match bound {
                None => self.push("[]"),
                Some(bound) => self.push(&format!("[{bound}]")),
            }
        }
    }

    fn modifiers(&mut self, ty: &TypeName) {
        if !ty.modifiers.is_empty() {
            self.push("(");
            self.exprs(&ty.modifiers);
            self.push(")");
        }
    }

    fn system_type(&mut self, ty: &TypeName) {
        let (word, after) = match &*ty.name.base().value {
            "int2" => ("smallint", ""),
            "int4" => ("integer", ""),
            "int8" => ("bigint", ""),
            "float4" => ("real", ""),
            "float8" => ("double precision", ""),
            "bool" => ("boolean", ""),
            "varchar" => ("character varying", ""),
            // Without a length it is not `character`, which would mean `character(1)`.
            "bpchar" if ty.modifiers.is_empty() => ("bpchar", ""),
            "bpchar" => ("character", ""),
            "varbit" => ("bit varying", ""),
            "timestamp" => ("timestamp", " without time zone"),
            "timestamptz" => ("timestamp", " with time zone"),
            "time" => ("time", " without time zone"),
            "timetz" => ("time", " with time zone"),
            "interval" => return self.interval(ty),
            other => (other, ""),
        };
        self.push(word);
        self.modifiers(ty);
        self.push(after);
    }

    fn interval(&mut self, ty: &TypeName) {
        self.push("interval");
        let Some(fields) = ty.interval else { return self.modifiers(ty) };
        self.push(match fields {
            IntervalFields::Year => " year",
            IntervalFields::Month => " month",
            IntervalFields::Day => " day",
            IntervalFields::Hour => " hour",
            IntervalFields::Minute => " minute",
            IntervalFields::Second => " second",
            IntervalFields::YearToMonth => " year to month",
            IntervalFields::DayToHour => " day to hour",
            IntervalFields::DayToMinute => " day to minute",
            IntervalFields::DayToSecond => " day to second",
            IntervalFields::HourToMinute => " hour to minute",
            IntervalFields::HourToSecond => " hour to second",
            IntervalFields::MinuteToSecond => " minute to second",
        });
        self.modifiers(ty);
    }
}
