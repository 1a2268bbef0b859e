//! Options of `COPY`.

use damask_sql::ast::{OptionValue, UtilityOption};
use damask_types::{Error, Position, Result, SqlState};

/// Shape of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    /// Backslash escapes, tabs.
    Text,
    /// Quoted fields.
    Csv,
    /// The types' binary forms.
    Binary,
}

/// What the statement asked for, defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct CopyOptions {
    pub(crate) format: CopyFormat,
    pub(crate) delimiter: u8,
    /// What stands for null.
    pub(crate) null: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    /// Columns quoted whatever they hold.
    pub(crate) force_quote: ForceColumns,
    /// Columns in which the null text is not null.
    pub(crate) force_not_null: Vec<String>,
    /// Columns in which the quoted null text is null.
    pub(crate) force_null: Vec<String>,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// Is data.
    No,
    /// Holds names that are skipped.
    Yes,
    /// Holds names that must be the columns'.
    Match,
}

/// Columns named by an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForceColumns {
    /// `*`.
    All,
    /// These.
    Some(Vec<String>),
}

impl CopyOptions {
    /// Reads a statement's options; `from` says which way it goes.
    ///
    /// # Errors
    /// 42601 for repeated or unknown options, 22023 for bad values, 0A000 for single-byte limits.
    pub(crate) fn new(options: &[UtilityOption], from: bool) -> Result<Self> {
        let mut format = None;
        let (mut delimiter, mut null, mut quote, mut escape) = (None, None, None, None);
        let mut header = None;
        let mut force_quote = None;
        let (mut force_not_null, mut force_null) = (None, None);
        for option in options {
            let at = Position(option.name.span.start);
            let once = |is_set: bool| {
                if is_set {
                    Err(Error::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options")
                        .at(at))
                } else {
                    Ok(())
                }
            };
            match option.name.as_str() {
                "format" => {
                    once(format.is_some())?;
                    format = Some(match option.as_text() {
                        Some("text") => CopyFormat::Text,
                        Some("csv") => CopyFormat::Csv,
                        Some("binary") => CopyFormat::Binary,
                        other => {
                            return Err(Error::new(
                                SqlState::INVALID_PARAMETER_VALUE,
                                format!("COPY format \"{}\" not recognized", other.unwrap_or("")),
                            )
                            .at(at));
                        }
                    });
                }
                "delimiter" | "delimiters" => {
                    once(delimiter.is_some())?;
                    delimiter = Some(single_byte(option, "COPY delimiter")?);
                }
                "null" => {
                    once(null.is_some())?;
                    null = Some(option.as_text().unwrap_or("").as_bytes().to_vec());
                }
                "header" => {
                    once(header.is_some())?;
                    header = Some(match option.as_text() {
                        Some(text) if text.eq_ignore_ascii_case("match") => Header::Match,
                        _ => match option.as_bool() {
                            Some(true) => Header::Yes,
                            Some(false) => Header::No,
                            None => {
                                return Err(Error::new(
                                    SqlState::SYNTAX_ERROR,
                                    "header requires a Boolean value or \"match\"",
                                ));
                            }
                        },
                    });
                }
                "quote" => {
                    once(quote.is_some())?;
                    quote = Some(single_byte(option, "COPY quote")?);
                }
                "escape" => {
                    once(escape.is_some())?;
                    escape = Some(single_byte(option, "COPY escape")?);
                }
                "force_quote" => {
                    once(force_quote.is_some())?;
                    force_quote = Some(columns(option));
                }
                "force_not_null" => {
                    once(force_not_null.is_some())?;
                    force_not_null = Some(columns(option));
                }
                "force_null" => {
                    once(force_null.is_some())?;
                    force_null = Some(columns(option));
                }
                "encoding" => {
                    let name = option.as_text().unwrap_or("").to_ascii_lowercase();
                    if !matches!(name.as_str(), "utf8" | "utf-8" | "unicode" | "sql_ascii") {
                        return Err(Error::unsupported(format!("COPY encoding \"{name}\"")).at(at));
                    }
                }
                // A hint for storage that Damask does not need.
                "freeze" => {}
                name => {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        format!("option \"{name}\" not recognized"),
                    )
                    .at(at));
                }
            }
        }
        let format = format.unwrap_or(CopyFormat::Text);
        let is_csv = format == CopyFormat::Csv;
        if format == CopyFormat::Binary {
            let text_only = [
                ("DELIMITER", delimiter.is_some()),
                ("NULL", null.is_some()),
                ("HEADER", header.is_some()),
            ];
            if let Some((name, _)) = text_only.iter().find(|(_, is_set)| *is_set) {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("cannot specify {name} in BINARY mode"),
                ));
            }
        }
        let csv_only = [
            ("quote", quote.is_some()),
            ("escape", escape.is_some()),
            ("force quote", force_quote.is_some()),
            ("force not null", force_not_null.is_some()),
            ("force null", force_null.is_some()),
        ];
        if let Some((name, _)) = csv_only.iter().find(|(_, is_set)| *is_set && !is_csv) {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("COPY {name} available only in CSV mode"),
            ));
        }
        if force_quote.is_some() && from {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "COPY force quote only available using COPY TO",
            ));
        }
        if (force_not_null.is_some() || force_null.is_some()) && !from {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "COPY force null only available using COPY FROM",
            ));
        }
        if header == Some(Header::Match) && !from {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use \"match\" with HEADER in COPY TO",
            ));
        }
        let quote = quote.unwrap_or(b'"');
        let names = |columns: Option<ForceColumns>| match columns {
            Some(ForceColumns::Some(names)) => names,
            Some(ForceColumns::All) | None => vec![],
        };
        let made = Self {
            format,
            delimiter: delimiter.unwrap_or(if is_csv { b',' } else { b'\t' }),
            null: null.unwrap_or_else(|| if is_csv { vec![] } else { b"\\N".to_vec() }),
            header: header.unwrap_or(Header::No),
            quote,
            escape: escape.unwrap_or(quote),
            force_quote: force_quote.unwrap_or(ForceColumns::Some(vec![])),
            force_not_null: names(force_not_null),
            force_null: names(force_null),
        };
        made.check()?;
        Ok(made)
    }

    fn check(&self) -> Result<()> {
        let bad = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        if matches!(self.delimiter, b'\n' | b'\r') {
            return bad("COPY delimiter cannot be newline or carriage return".to_owned());
        }
        if self.null.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return bad("COPY null representation cannot use newline or carriage return".to_owned());
        }
        if self.format == CopyFormat::Text
            && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&self.delimiter)
        {
            return bad(format!("COPY delimiter cannot be \"{}\"", char::from(self.delimiter)));
        }
        if self.format == CopyFormat::Csv && self.delimiter == self.quote {
            return bad("COPY delimiter and quote must be different".to_owned());
        }
        if self.null.contains(&self.delimiter) {
            return bad("COPY delimiter must not appear in the NULL specification".to_owned());
        }
        if self.format == CopyFormat::Csv && self.null.contains(&self.quote) {
            return bad("CSV quote character must not appear in the NULL specification".to_owned());
        }
        Ok(())
    }
}

fn single_byte(option: &UtilityOption, what: &str) -> Result<u8> {
    match option.as_text().unwrap_or("").as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{what} must be a single one-byte character"),
        )),
    }
}

fn columns(option: &UtilityOption) -> ForceColumns {
    match &option.value {
        Some(OptionValue::List(names)) => {
            ForceColumns::Some(names.iter().map(|name| name.as_str().to_owned()).collect())
        }
        Some(OptionValue::Text(name)) => ForceColumns::Some(vec![name.to_string()]),
        _ => ForceColumns::All,
    }
}
