//! Errors and notices as psql prints them, with the line and a caret under the place.

use super::print::{width, write_to};
use damask::Error;
use damask::session::Notice;

/// Widest part of a line that is shown.
const LINE_WIDTH_MAX: usize = 60;
/// What is kept right of the place when a line is cut.
const RIGHT_WIDTH_MIN: usize = 10;

/// Appends an error of a statement.
pub(crate) fn error(error: &Error, text: &str, out: &mut String) {
    message("ERROR", error, text, out);
}

/// Appends a notice of a statement.
pub(crate) fn notice(notice: &Notice, text: &str, out: &mut String) {
    message(&format!("{:?}", notice.level).to_uppercase(), &notice.error, text, out);
}

fn message(severity: &str, error: &Error, text: &str, out: &mut String) {
    let fields = error.fields();
    write_to(out, format_args!("{severity}:  {}\n", fields.message));
    if let Some(position) = fields.position {
        place(text, position.0 as usize, out);
    }
    for (name, value) in
        [("DETAIL", &fields.detail), ("HINT", &fields.hint), ("CONTEXT", &fields.context)]
    {
        if let Some(value) = value {
            write_to(out, format_args!("{name}:  {value}\n"));
        }
    }
}

/// The line of byte `at`, cut to what fits, and a caret.
fn place(text: &str, at: usize, out: &mut String) {
    let Some(before) = text.get(..at) else {
        return;
    };
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let number = before.matches('\n').count() + 1;
    let line: Vec<char> = text[start..].split('\n').next().unwrap_or("").chars().collect();
    let line: Vec<char> =
        line.into_iter().map(|c| if c == '\t' { ' ' } else { c }).filter(|&c| c != '\r').collect();
    let place = text[start..at].chars().count();
    let span = |from: usize, to: usize| -> usize {
        width(&line[from.min(line.len())..to.min(line.len())].iter().collect::<String>())
    };
    let (mut begin, mut end) = (0, line.len());
    if span(begin, end) > LINE_WIDTH_MAX {
        if LINE_WIDTH_MAX >= span(0, place) + RIGHT_WIDTH_MIN {
            while span(begin, end) > LINE_WIDTH_MAX {
                end -= 1;
            }
        } else {
            while span(0, place) + RIGHT_WIDTH_MIN < span(0, end) {
                end -= 1;
            }
            while span(begin, end) > LINE_WIDTH_MAX {
                begin += 1;
            }
        }
    }
    let mut head = format!("LINE {number}: ");
    if begin > 0 {
        head.push_str("...");
    }
    out.push_str(&head);
    out.extend(&line[begin..end]);
    if end < line.len() {
        out.push_str("...");
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', width(&head) + span(begin, place)));
    out.push_str("^\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask::{Position, SqlState};

    fn shown(text: &str, at: u32) -> String {
        let mut out = String::new();
        let raised = Error::new(SqlState::SYNTAX_ERROR, "no").at(Position(at)).hint("Try.");
        error(&raised, text, &mut out);
        out
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            shown("SELECT\n  ä, nosuch;", 13),
            "ERROR:  no\nLINE 2:   ä, nosuch;\n             ^\nHINT:  Try.\n"
        );
        assert_eq!(shown("x", 99), "ERROR:  no\nHINT:  Try.\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("SELECT {}nosuch{};", "1, ".repeat(30), ", 1".repeat(30));
        let shown = shown(&text, 97);
        let line = shown.lines().nth(1).expect("a line");
        assert!(line.starts_with("LINE 1: ...") && line.ends_with("..."), "{line}");
        assert!(width(line) <= "LINE 1: ......".len() + LINE_WIDTH_MAX);
        let caret = shown.lines().nth(2).expect("a caret").len() - 1;
        assert_eq!(&line[caret..caret + 6], "nosuch");
    }
}
