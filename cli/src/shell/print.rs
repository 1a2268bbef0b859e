//! Tables as psql prints them with its defaults: aligned with a line below the header, or expanded.
//!
//! What is equal to psql byte for byte: headers are centred, numbers stand at the right, the last column has no spaces after it, a
//! newline inside a value is a `+` and a line of its own. Left out: headers of several lines.

use super::execute::Table;
use std::fmt::{self, Write};

/// Appends a table with its title and footer, and the empty line after it.
pub(crate) fn table(table: &Table, is_expanded: bool, out: &mut Vec<u8>) {
    let mut text = String::new();
    if is_expanded && table.footers.is_none() {
        expanded(table, &mut text);
    } else {
        aligned(table, &mut text);
    }
    out.extend_from_slice(text.as_bytes());
}

/// Columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// 0 for marks that combine, 2 for wide letters, else 1.
fn char_width(c: char) -> usize {
    match c as u32 {
        0..=0x1F | 0x7F..=0x9F => 0,
        0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F | 0x20D0..=0x20FF => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// Appends text.
pub(crate) fn write_to(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all text");
}

fn spaces(count: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', count));
}

fn dashes(count: usize, out: &mut String) {
    out.extend(std::iter::repeat_n('-', count));
}

/// A value without what would move the cursor; lines stay apart.
fn lines(value: &str) -> Vec<String> {
    value.split('\n').map(clean).collect()
}

fn clean(line: &str) -> String {
    if !line.contains(|c: char| c.is_control()) {
        return line.to_owned();
    }
    let mut cleaned = String::new();
    for c in line.chars() {
        match c {
            '\t' => spaces(8 - width(&cleaned) % 8, &mut cleaned),
            '\r' => cleaned.push_str("\\r"),
            c if c.is_control() && (c as u32) < 0x80 => {
                write_to(&mut cleaned, format_args!("\\x{:02X}", c as u32));
            }
            c if c.is_control() => write_to(&mut cleaned, format_args!("\\u{:04X}", c as u32)),
            c => cleaned.push(c),
        }
    }
    cleaned
}

fn aligned(table: &Table, out: &mut String) {
    let count = table.names.len();
    let names: Vec<String> = table.names.iter().map(|name| clean(name)).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
    let rows: Vec<Vec<Vec<String>>> =
        table.rows.iter().map(|row| row.iter().map(|value| lines(value)).collect()).collect();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            for line in cell {
                widths[column] = widths[column].max(width(line));
            }
        }
    }
    let total = widths.iter().sum::<usize>() + (3 * count).saturating_sub(1);
    if let Some(title) = &table.title {
        spaces(total.saturating_sub(width(title)) / 2, out);
        out.push_str(title);
        out.push('\n');
    }
    if count > 0 {
        for (column, name) in names.iter().enumerate() {
            let left = widths[column] - width(name);
            out.push(' ');
            spaces(left / 2, out);
            out.push_str(name);
            spaces(left.div_ceil(2) + 1, out);
            if column + 1 < count {
                out.push('|');
            }
        }
        out.push('\n');
    }
    for (column, width) in widths.iter().enumerate() {
        dashes(width + 2, out);
        if column + 1 < count {
            out.push('+');
        }
    }
    if count == 0 {
        out.push_str("--");
    }
    out.push('\n');
    for row in &rows {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            for (column, cell) in row.iter().enumerate() {
                let text = cell.get(line).map_or("", String::as_str);
                let goes_on = line + 1 < cell.len();
                let is_last = column + 1 == count;
                let left = widths[column] - width(text);
                out.push(' ');
                if table.is_right[column] {
                    spaces(left, out);
                    out.push_str(text);
                } else {
                    out.push_str(text);
                    if !is_last || goes_on {
                        spaces(left, out);
                    }
                }
                if goes_on {
                    out.push('+');
                } else if !is_last {
                    out.push(' ');
                }
                if !is_last {
                    out.push('|');
                }
            }
            out.push('\n');
        }
    }
    match &table.footers {
        Some(footers) => {
            for footer in footers {
                out.push_str(footer);
                out.push('\n');
            }
        }
        None => row_count(table.rows.len(), out),
    }
    out.push('\n');
}

fn row_count(count: usize, out: &mut String) {
    write_to(out, format_args!("({count} row{})\n", if count == 1 { "" } else { "s" }));
}

fn expanded(table: &Table, out: &mut String) {
    if let Some(title) = &table.title {
        out.push_str(title);
        out.push('\n');
    }
    if table.rows.is_empty() || table.names.is_empty() {
        row_count(table.rows.len(), out);
        out.push('\n');
        return;
    }
    let names: Vec<String> = table.names.iter().map(|name| clean(name)).collect();
    let name_width = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let value_width = table
        .rows
        .iter()
        .flatten()
        .flat_map(|value| lines(value))
        .map(|line| width(&line))
        .max()
        .unwrap_or(0);
    // Values are at least as wide as the label lets them be; a newline's mark needs its own place.
    let has_lines = table.rows.iter().flatten().any(|value| value.contains('\n'));
    let label_width = 12 + table.rows.len().to_string().len();
    let value_width =
        value_width.max(label_width.saturating_sub(name_width + 3 + usize::from(has_lines)));
    for (number, row) in table.rows.iter().enumerate() {
        record_line(number + 1, name_width, value_width, out);
        for (name, value) in names.iter().zip(row) {
            let lines = lines(value);
            for (i, line) in lines.iter().enumerate() {
                let name = if i == 0 { name.as_str() } else { "" };
                out.push_str(name);
                spaces(name_width - width(name), out);
                out.push_str(" | ");
                out.push_str(line);
                if i + 1 < lines.len() {
                    spaces(value_width - width(line), out);
                    out.push('+');
                }
                out.push('\n');
            }
        }
    }
    out.push('\n');
}

/// `-[ RECORD 1 ]-+---`: the `+` stands over the bar of the lines below, unless the label reaches it.
fn record_line(number: usize, name_width: usize, value_width: usize, out: &mut String) {
    let label = format!("-[ RECORD {number} ]");
    out.push_str(&label);
    let mut length = label.len();
    while length < name_width {
        out.push('-');
        length += 1;
    }
    let mut over = length - name_width;
    for mark in ['-', '+', '-'] {
        if over == 0 {
            out.push(mark);
        } else {
            over -= 1;
        }
    }
    dashes(value_width.saturating_sub(over), out);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Table {
        Table {
            names: vec!["a".to_owned(), "text".to_owned()],
            is_right: vec![true, false],
            rows: vec![
                vec!["1".to_owned(), "one\ntwo".to_owned()],
                vec!["-20".to_owned(), String::new()],
            ],
            ..Table::default()
        }
    }

    fn printed(what: &Table, is_expanded: bool) -> String {
        let mut out = vec![];
        table(what, is_expanded, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn tables_are_psql_s() {
        assert_eq!(
            printed(&two(), false),
            "  a  | text \n-----+------\n   1 | one +\n     | two\n -20 | \n(2 rows)\n\n"
        );
        assert_eq!(
            printed(&Table { rows: vec![vec![]], ..Table::default() }, false),
            "--\n(1 row)\n\n"
        );
    }

    #[test]
    fn records_are_psql_s() {
        assert_eq!(
            printed(&two(), true),
            "-[ RECORD 1 ]\na    | 1\ntext | one  +\n     | two\n-[ RECORD 2 ]\na    | -20\ntext | \n\n"
        );
    }
}
