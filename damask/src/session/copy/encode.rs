//! Rows to bytes.

use super::options::{ForceColumns, Header};
use super::{CopyFormat, CopyOptions};
use damask_types::format::{FormatSettings, write_text_at};
use damask_types::{Batch, Result};

/// Writes rows as lines.
#[derive(Debug)]
pub(crate) struct Encoder {
    options: CopyOptions,
    /// Which columns are quoted whatever they hold.
    force_quote: Vec<bool>,
    field: Vec<u8>,
    line: Vec<u8>,
}

impl Encoder {
    /// An encoder for columns of these names.
    pub(crate) fn new(options: CopyOptions, names: &[String]) -> Self {
        let force_quote = names
            .iter()
            .map(|name| match &options.force_quote {
                ForceColumns::All => true,
                ForceColumns::Some(forced) => forced.contains(name),
            })
            .collect();
        Self { options, force_quote, field: vec![], line: vec![] }
    }

    /// The header line, if one was asked for.
    pub(crate) fn header(&mut self, names: &[String], out: &mut Vec<u8>) {
        if self.options.header == Header::No {
            return;
        }
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                out.push(self.options.delimiter);
            }
            self.field.clear();
            self.field.extend_from_slice(name.as_bytes());
            self.write_field(false, names.len() == 1, out);
        }
        out.push(b'\n');
    }

    /// Gives a line for each row that counts: the protocol sends each as a message of its own.
    pub(crate) fn rows(
        &mut self,
        batch: &Batch,
        settings: &FormatSettings,
        give: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut out = std::mem::take(&mut self.line);
        for row in batch.active().iter() {
            out.clear();
            for (i, column) in batch.columns.iter().enumerate() {
                if i > 0 {
                    out.push(self.options.delimiter);
                }
                if column.is_null(row) {
                    out.extend_from_slice(&self.options.null);
                    continue;
                }
                self.field.clear();
                write_text_at(column, row, settings, &mut self.field);
                self.write_field(self.force_quote[i], batch.columns.len() == 1, &mut out);
            }
            out.push(b'\n');
            give(&out)?;
        }
        self.line = out;
        Ok(())
    }

    fn write_field(&self, force_quote: bool, is_alone: bool, out: &mut Vec<u8>) {
        match self.options.format {
            CopyFormat::Text | CopyFormat::Binary => self.write_text(out),
            CopyFormat::Csv => self.write_csv(force_quote, is_alone, out),
        }
    }

    fn write_text(&self, out: &mut Vec<u8>) {
        for &byte in &self.field {
            let escaped = match byte {
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                b'\\' => b'\\',
                _ if byte == self.options.delimiter => byte,
                _ => {
                    out.push(byte);
                    continue;
                }
            };
            out.extend_from_slice(&[b'\\', escaped]);
        }
    }

    fn write_csv(&self, force_quote: bool, is_alone: bool, out: &mut Vec<u8>) {
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        let is_special =
            |&byte: &u8| byte == delimiter || byte == quote || byte == b'\n' || byte == b'\r';
        let must_quote = force_quote
            || self.field == self.options.null
            || self.field.iter().any(is_special)
            // A line of its own that reads as the end-of-data marker.
            || (is_alone && self.field == b"\\.");
        if !must_quote {
            out.extend_from_slice(&self.field);
            return;
        }
        out.push(quote);
        for &byte in &self.field {
            if byte == quote || byte == escape {
                out.push(escape);
            }
            out.push(byte);
        }
        out.push(quote);
    }
}
