//! The runner of the case files.

use damask_types::format::{
    DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone, parse_text, to_text,
    type_by_name,
};
use damask_types::{Error, Numeric, Result, SqlType, TypeId, Value};

/// An outcome as the files have it.
fn shown(result: Result<String>) -> String {
    result.unwrap_or_else(|error: Error| {
        let fields = error.fields();
        let mut text = format!("!{} {}", fields.sqlstate.as_str(), fields.message);
        if let Some(detail) = &fields.detail {
            text.push_str(" D:");
            text.push_str(detail);
        }
        if let Some(hint) = &fields.hint {
            text.push_str(" H:");
            text.push_str(hint);
        }
        text
    })
}

fn number(value: &Numeric) -> String {
    value.to_string()
}

fn numeric_case(fields: &[&str]) -> Result<String> {
    let parse = |i: usize| Numeric::parse(fields[i]);
    let integer = |i: usize| fields[i].parse::<i32>().unwrap();
    let float =
        |value: f64| to_text(TypeId::Float8, &Value::Float8(value), &FormatSettings::default());
    Ok(match fields[0] {
        "add" => number(&parse(1)?.add(&parse(2)?)?),
        "sub" => number(&parse(1)?.sub(&parse(2)?)?),
        "mul" => number(&parse(1)?.mul(&parse(2)?)?),
        "div" => number(&parse(1)?.div(&parse(2)?)?),
        "div_trunc" => number(&parse(1)?.div_trunc(&parse(2)?)?),
        "mod" => number(&parse(1)?.modulo(&parse(2)?)?),
        "cmp" => (parse(1)?.compare(&parse(2)?) as i8).to_string(),
        "gcd" => number(&parse(1)?.gcd(&parse(2)?)?),
        "lcm" => number(&parse(1)?.lcm(&parse(2)?)?),
        "ceil" => number(&parse(1)?.ceil()?),
        "floor" => number(&parse(1)?.floor()?),
        "neg" => number(&parse(1)?.neg()),
        "abs" => number(&parse(1)?.abs()),
        "sign" => number(&parse(1)?.sign()),
        "min_scale" => parse(1)?.min_scale().map_or("NULL".into(), |scale| scale.to_string()),
        "scale" => parse(1)?.scale().map_or("NULL".into(), |scale| scale.to_string()),
        "trim_scale" => number(&parse(1)?.trim_scale()),
        "to_f64" => float(parse(1)?.to_f64()?),
        "to_f32" => {
            to_text(TypeId::Float4, &Value::Float4(parse(1)?.to_f32()?), &FormatSettings::default())
        }
        "to_i64" => parse(1)?.to_i64()?.to_string(),
        "to_i32" => parse(1)?.to_i32()?.to_string(),
        "to_i16" => parse(1)?.to_i16()?.to_string(),
        "round" => number(&parse(1)?.round(integer(2))?),
        "trunc" => number(&parse(1)?.trunc(integer(2))?),
        "constrain" => number(&parse(1)?.constrain(integer(2) as u16, integer(3) as i16)?),
        "from_f64" => number(&Numeric::from_f64(fields[1].parse().unwrap())),
        "from_f32" => number(&Numeric::from_f32(fields[1].parse().unwrap())),
        "sqrt" => number(&parse(1)?.sqrt()?),
        "exp" => number(&parse(1)?.exp()?),
        "ln" => number(&parse(1)?.ln()?),
        "log10" => number(&parse(1)?.log10()?),
        "log" => number(&parse(2)?.log(&parse(1)?)?),
        "power" => number(&parse(1)?.power(&parse(2)?)?),
        other => panic!("no case {other}"),
    })
}

fn settings(name: &str) -> FormatSettings {
    let (style, order, zone) = match name {
        "sql_dmy" => (DateStyle::Sql, DateOrder::Dmy, "America/New_York"),
        "sql_mdy" => (DateStyle::Sql, DateOrder::Mdy, "Australia/Sydney"),
        "pg_ymd" => (DateStyle::Postgres, DateOrder::Ymd, "Europe/Berlin"),
        "pg_dmy" => (DateStyle::Postgres, DateOrder::Dmy, "America/Sao_Paulo"),
        "german" => (DateStyle::German, DateOrder::Dmy, "Asia/Kolkata"),
        _ => (DateStyle::Iso, DateOrder::Mdy, "UTC"),
    };
    let interval_style = match name {
        "i_verbose" => IntervalStyle::PostgresVerbose,
        "i_sql" => IntervalStyle::SqlStandard,
        "i_iso" => IntervalStyle::Iso8601,
        _ => IntervalStyle::Postgres,
    };
    FormatSettings {
        date_style: style,
        date_order: order,
        interval_style,
        time_zone: TimeZone::parse(zone).unwrap(),
        ..FormatSettings::default()
    }
}

/// A type with its modifier, as the grammar writes it.
fn sql_type(text: &str) -> SqlType {
    if let Some(element) = text.strip_suffix("[]") {
        let element = sql_type(element);
        return SqlType { id: element.id.array().unwrap(), typmod: element.typmod };
    }
    let (name, inside) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (text, ""),
    };
    if let Some(fields) = name.strip_prefix("interval") {
        let range = match fields.trim() {
            "" => 0x7FFF,
            "year" => 4,
            "month" => 2,
            "day" => 8,
            "hour" => 1024,
            "minute" => 2048,
            "second" => 4096,
            "year to month" => 6,
            "day to second" => 8 | 1024 | 2048 | 4096,
            "day to hour" => 8 | 1024,
            "hour to minute" => 1024 | 2048,
            "minute to second" => 2048 | 4096,
            other => panic!("no fields {other}"),
        };
        let precision = inside.parse().unwrap_or(0xFFFF);
        let typmod = if text == "interval" { -1 } else { range << 16 | precision };
        return SqlType { id: TypeId::Interval, typmod };
    }
    let id = type_by_name(name).unwrap_or_else(|| panic!("no type {name}"));
    let typmod = match (id, inside) {
        (_, "") => -1,
        (TypeId::Numeric, shape) => {
            let (precision, scale) = shape.split_once(',').unwrap();
            SqlType::numeric_typmod(precision.parse().unwrap(), scale.parse().unwrap())
        }
        (TypeId::Varchar | TypeId::BpChar, n) => n.parse::<i32>().unwrap() + 4,
        (_, n) => n.parse().unwrap(),
    };
    SqlType { id, typmod }
}

fn text_case(fields: &[&str]) -> Result<String> {
    let settings = settings(fields[0]);
    let ty = sql_type(fields[1]);
    let value = parse_text(ty, fields[2], &settings, 0)?;
    Ok(to_text(ty.id, &value, &settings))
}

/// Runs every line of `file`; reports the lines that differ.
fn run(file: &str, case: fn(&[&str]) -> Result<String>) {
    let path = format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(std::env::var("CASES").unwrap_or(path)).unwrap();
    let mut failures = vec![];
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (expected, arguments) = fields.split_last().unwrap();
        let found = shown(case(arguments));
        if found != *expected {
            failures.push(format!(
                "{}\n  expected {expected}\n  found    {found}",
                arguments.join(" | ")
            ));
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn numerics() {
    run("numeric.txt", numeric_case);
}

#[test]
fn texts() {
    run("text.txt", text_case);
}

/// Functions of dates, in New York.
fn date_case(fields: &[&str]) -> Result<String> {
    use damask_types::datetime as dt;
    let settings = FormatSettings {
        time_zone: TimeZone::parse("America/New_York").unwrap(),
        ..FormatSettings::default()
    };
    let settings = &settings;
    let read = |ty: TypeId, i: usize| parse_text(ty.into(), fields[i], settings, 0);
    let micros = |ty: TypeId, i: usize| -> Result<i64> {
        Ok(match read(ty, i)? {
            Value::Timestamp(v) | Value::TimestampTz(v) | Value::Time(v) | Value::Int8(v) => v,
            other => panic!("{other:?}"),
        })
    };
    let interval = |i: usize| -> Result<damask_types::Interval> {
        match read(TypeId::Interval, i)? {
            Value::Interval(v) => Ok(v),
            other => panic!("{other:?}"),
        }
    };
    let show = |ty: TypeId, value: Value| Ok(to_text(ty, &value, settings));
    let timestamp = |v: i64| show(TypeId::Timestamp, Value::Timestamp(v));
    let timestamptz = |v: i64| show(TypeId::TimestampTz, Value::TimestampTz(v));
    let span = |v| show(TypeId::Interval, Value::Interval(v));
    let float = |i: usize| fields[i].parse::<f64>().unwrap();
    let int = |i: usize| fields[i].parse::<i32>().unwrap();
    match fields[0] {
        "extract" => {
            let zone = &settings.time_zone;
            let name = fields[2];
            let value = match fields[1] {
                "timestamp" => dt::fields::extract_timestamp(name, micros(TypeId::Timestamp, 3)?)?,
                "timestamptz" => {
                    dt::fields::extract_timestamptz(name, micros(TypeId::TimestampTz, 3)?, zone)?
                }
                "date" => match read(TypeId::Date, 3)? {
                    Value::Date(days) => dt::fields::extract_date(name, days)?,
                    other => panic!("{other:?}"),
                },
                "time" => Some(dt::fields::extract_time(name, micros(TypeId::Time, 3)?)?),
                "timetz" => Some(dt::fields::extract_timetz(name, micros(TypeId::TimeTz, 3)?)?),
                _ => Some(dt::fields::extract_interval(name, interval(3)?)?),
            };
            Ok(value.map_or("NULL".into(), |value| value.to_string()))
        }
        "trunc" => match fields[1] {
            "timestamp" => {
                timestamp(dt::fields::trunc_timestamp(fields[2], micros(TypeId::Timestamp, 3)?)?)
            }
            "timestamptz" => timestamptz(dt::fields::trunc_timestamptz(
                fields[2],
                micros(TypeId::TimestampTz, 3)?,
                &settings.time_zone,
            )?),
            _ => span(dt::fields::trunc_interval(fields[2], interval(3)?)?),
        },
        "age" => {
            span(dt::arithmetic::age(micros(TypeId::Timestamp, 1)?, micros(TypeId::Timestamp, 2)?)?)
        }
        "ts_diff" => span(dt::arithmetic::timestamp_sub(
            micros(TypeId::Timestamp, 1)?,
            micros(TypeId::Timestamp, 2)?,
        )?),
        "ts_add" => {
            timestamp(dt::arithmetic::timestamp_add(micros(TypeId::Timestamp, 1)?, interval(2)?)?)
        }
        "tz_add" => timestamptz(dt::arithmetic::timestamptz_add(
            micros(TypeId::TimestampTz, 1)?,
            interval(2)?,
            &settings.time_zone,
        )?),
        "iv_add" => span(interval(1)?.checked_add(interval(2)?)?),
        "iv_sub" => span(interval(1)?.checked_sub(interval(2)?)?),
        "iv_mul" => span(interval(1)?.mul(float(2))?),
        "iv_div" => span(interval(1)?.div(float(2))?),
        "justify_hours" => span(interval(1)?.justify_hours()?),
        "justify_days" => span(interval(1)?.justify_days()?),
        "justify_interval" => span(interval(1)?.justify()?),
        "iv_cmp" => Ok((interval(1)?.cmp_key().cmp(&interval(2)?.cmp_key()) as i8).to_string()),
        "bin" => timestamp(dt::arithmetic::date_bin(
            interval(1)?,
            micros(TypeId::Timestamp, 2)?,
            micros(TypeId::Timestamp, 3)?,
        )?),
        "to_tz" => {
            timestamptz(dt::zone::local_to_utc(&settings.time_zone, micros(TypeId::Timestamp, 1)?)?)
        }
        "from_tz" => {
            timestamp(dt::zone::utc_to_local(&settings.time_zone, micros(TypeId::Timestamp, 1)?)?)
        }
        "make_date" => show(TypeId::Date, Value::Date(dt::make_date(int(1), int(2), int(3))?)),
        "make_time" => show(TypeId::Time, Value::Time(dt::make_time(int(1), int(2), float(3))?)),
        "at_zone" => {
            let zone = dt::conversion_zone(fields[1])?;
            timestamptz(dt::zone::local_to_utc(&zone, dt::make_timestamp(2021, 6, 1, 12, 0, 0.0)?)?)
        }
        "from_unix" => timestamptz(dt::timestamptz_from_unix(float(1))?),
        other => panic!("no case {other}"),
    }
}

#[test]
fn dates() {
    run("date.txt", date_case);
}

/// Format patterns, in New York.
fn pattern_case(fields: &[&str]) -> Result<String> {
    use damask_types::format::pattern;
    let settings = FormatSettings {
        time_zone: TimeZone::parse("America/New_York").unwrap(),
        ..FormatSettings::default()
    };
    let show = |ty: TypeId, value: Value| Ok(to_text(ty, &value, &settings));
    match fields[0] {
        "to_char" => {
            let ty = type_by_name(fields[1]).unwrap();
            let value = parse_text(ty.into(), fields[2], &settings, 0)?;
            Ok(pattern::to_char(ty, &value, fields[3], &settings)?.unwrap_or("NULL".into()))
        }
        "to_date" => show(TypeId::Date, Value::Date(pattern::to_date(fields[1], fields[2])?)),
        "to_timestamp" => show(
            TypeId::TimestampTz,
            Value::TimestampTz(pattern::to_timestamp(fields[1], fields[2], &settings)?),
        ),
        "to_number" => Ok(pattern::to_number(fields[1], fields[2])?.to_string()),
        other => panic!("no case {other}"),
    }
}

#[test]
fn patterns() {
    run("pattern.txt", pattern_case);
}
