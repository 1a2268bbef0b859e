//! The commands with a backslash.

use super::{INCLUDE_DEPTH_MAX, Shell};
use crate::command::{io_error, say};
use damask::Result;
use std::io::Cursor;

const HELP: &str = "\
General
  \\q                     leave
  \\conninfo              tell which database this is
  \\echo [TEXT]           print a text
  \\i FILE                run the statements of a file
  \\timing [on|off]       tell how long statements take
  \\x [on|off]            print records in lines of their own
  \\?                     this help

Objects (NAME may have * and ?)
  \\d                     tables, views and sequences
  \\d NAME                one of them, or an index
  \\dt \\di \\dv \\ds [NAME]  tables, indexes, views, sequences
  \\dn                    schemas
  \\df [NAME]             functions
  \\du                    roles
  \\l                     databases

A statement ends with a semicolon and may stand in several lines.
";

impl Shell {
    /// Runs a line that begins with a backslash.
    pub(super) fn meta(&mut self, line: &str) -> Result<()> {
        let (name, rest) = line[1..].split_once(char::is_whitespace).unwrap_or((&line[1..], ""));
        let argument = rest.trim().trim_end_matches(';').trim();
        let pattern = (!argument.is_empty()).then_some(argument);
        let name = name.trim_end_matches(';');
        match name.trim_end_matches(['+', 'S']) {
            "q" | "quit" => self.is_over = true,
            "?" | "h" | "help" => say(HELP),
            "echo" => say(&format!("{}\n", unquote(rest.trim()))),
            "x" => {
                self.is_expanded = switch(self.is_expanded, argument);
                let state = if self.is_expanded { "on" } else { "off" };
                say(&format!("Expanded display is {state}.\n"));
            }
            "timing" => {
                self.is_timing = switch(self.is_timing, argument);
                say(&format!("Timing is {}.\n", if self.is_timing { "on" } else { "off" }));
            }
            "conninfo" => say(&format!(
                "You are connected to database \"postgres\" in {} as user \"postgres\".\n",
                self.name
            )),
            "i" | "include" => self.include(unquote(argument))?,
            "d" => match pattern {
                Some(pattern) => self.describe(pattern)?,
                None => self.list(&["r", "v", "S"], None)?,
            },
            "dt" => self.list(&["r"], pattern)?,
            "di" => self.list(&["i"], pattern)?,
            "dv" => self.list(&["v"], pattern)?,
            "ds" => self.list(&["S"], pattern)?,
            "dn" => self.schemas()?,
            "df" => self.functions(pattern)?,
            "du" | "dg" => self.roles()?,
            "l" => self.databases()?,
            _ => self.complain(&format!("invalid command \\{name}\nTry \\? for help.\n")),
        }
        Ok(())
    }

    /// Tells of a command that cannot be done.
    pub(super) fn complain(&mut self, text: &str) {
        Self::tell(text);
        self.has_failed = true;
    }

    fn include(&mut self, path: &str) -> Result<()> {
        if path.is_empty() {
            self.complain("\\i: missing required argument\n");
            return Ok(());
        }
        if self.include_depth == INCLUDE_DEPTH_MAX {
            self.complain(&format!("{path}: files include each other too deeply\n"));
            return Ok(());
        }
        match std::fs::read(path) {
            Ok(text) => {
                self.include_depth += 1;
                let result = self.read(&mut Cursor::new(text));
                self.include_depth -= 1;
                result
            }
            Err(error) => {
                let error = io_error(path, error);
                self.complain(&format!("{}\n", error.message()));
                Ok(())
            }
        }
    }
}

/// `on`, `off`, or the other of the two.
fn switch(now: bool, argument: &str) -> bool {
    match argument {
        "on" | "true" | "yes" | "1" => true,
        "off" | "false" | "no" | "0" => false,
        _ => !now,
    }
}

fn unquote(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}
