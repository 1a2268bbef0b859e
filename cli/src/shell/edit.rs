//! The line editor: history in a file of the user's, and lines until a statement is complete.

use super::scan::is_complete;
use crate::command::io_error;
use damask::Result;
use reedline::{
    FileBackedHistory, Prompt, PromptEditMode, PromptHistorySearch, Reedline, Signal,
    ValidationResult, Validator,
};
use std::borrow::Cow;
use std::path::PathBuf;

/// Entries that the history keeps.
const HISTORY_ENTRIES_MAX: usize = 10_000;

/// What the user did.
pub(crate) enum Input {
    /// Entered a text.
    Text(String),
    /// Ctrl-C: gave up the line.
    Interrupt,
    /// Ctrl-D.
    End,
}

/// Reads from a terminal.
pub(crate) struct Editor(Reedline);

impl Editor {
    pub(crate) fn new() -> Result<Self> {
        let mut editor = Reedline::create().with_validator(Box::new(Complete));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        // Without a home, or when it cannot be written, the history is forgotten.
        if let Some(history) = home.and_then(|home| {
            FileBackedHistory::with_file(HISTORY_ENTRIES_MAX, home.join(".damask_history")).ok()
        }) {
            editor = editor.with_history(Box::new(history));
        }
        Ok(Self(editor))
    }

    /// Reads a text; `mark` says how the transaction is.
    pub(crate) fn read(&mut self, mark: &'static str) -> Result<Input> {
        match self.0.read_line(&Marks(mark)) {
            Ok(Signal::Success(text)) => Ok(Input::Text(text)),
            Ok(Signal::CtrlD) => Ok(Input::End),
            Ok(_) => Ok(Input::Interrupt),
            Err(error) => Err(io_error("could not read from the terminal", error)),
        }
    }
}

struct Complete;

impl Validator for Complete {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_complete(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// psql's prompts.
struct Marks(&'static str);

impl Prompt for Marks {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        format!("damask={}# ", self.0).into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        format!("damask-{}# ", self.0).into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("(search) {}: ", search.term).into()
    }
}
