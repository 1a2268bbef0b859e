//! Transparent huge pages of Linux: `madvise(MADV_HUGEPAGE)`.
//!
//! The call succeeds also where an administrator has switched them off, so what `/sys/kernel/mm/transparent_hugepage` says is read before. Then a
//! page is huge if the system finds 2 MiB in one piece when it is touched first, or later moves it there.

#![expect(unsafe_code, reason = "madvise takes an address")]

use super::HugePageSource;
use rustix::mm::{Advice, madvise};
use rustix::thread::transparent_huge_pages_are_disabled;
use std::sync::OnceLock;

/// Where the system tells of its huge pages.
const FOLDER: &str = "/sys/kernel/mm/transparent_hugepage";

/// The system's.
#[derive(Debug, Default)]
pub(super) struct SystemHugePages {
    /// What was found before the first wish: an error if there are none.
    found: OnceLock<Result<(), String>>,
}

impl HugePageSource for SystemHugePages {
    fn ask(&self, memory: &mut [u8]) -> Result<(), String> {
        let find = || {
            let read = |name: &str| std::fs::read_to_string(format!("{FOLDER}/{name}")).ok();
            find(read, transparent_huge_pages_are_disabled().unwrap_or(false))
        };
        self.found.get_or_init(find).clone()?;
        let start = memory.as_mut_ptr().cast();
        // SAFETY: the range is a slice that the caller owns, and this advice changes no contents.
        let result = unsafe { madvise(start, memory.len(), Advice::LinuxHugepage) };
        result.map_err(|error| format!("The system refuses: {error}."))
    }
}

/// Whether files below [`FOLDER`] allow huge pages to those who ask, and nobody forbade them to the process.
fn find(read: impl Fn(&str) -> Option<String>, is_disabled: bool) -> Result<(), String> {
    if is_disabled {
        return Err("They are switched off for this process.".to_owned());
    }
    // One of several words is in brackets. Newer systems have a choice for each size, which may be to do as the general one says.
    let chosen = |name: &str| {
        let words = read(name)?;
        let (_, rest) = words.split_once('[')?;
        Some(rest.split_once(']')?.0.to_owned())
    };
    let own = chosen("hugepages-2048kB/enabled").filter(|word| word != "inherit");
    let file = if own.is_some() { "hugepages-2048kB/enabled" } else { "enabled" };
    match own.or_else(|| chosen("enabled")).as_deref() {
        Some("always" | "madvise") => Ok(()),
        Some(word) => Err(format!("File \"{FOLDER}/{file}\" says \"{word}\".")),
        None => Err(format!("File \"{FOLDER}/{file}\" is missing or cannot be understood.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_whether_there_are_any() {
        let found = |general: Option<&str>, own: Option<&str>| {
            let read = |name: &str| {
                let text = if name == "enabled" { general } else { own };
                text.map(str::to_owned)
            };
            find(read, false).is_ok()
        };
        for (general, expected) in [
            (Some("[always] madvise never\n"), true),
            (Some("always [madvise] never\n"), true),
            (Some("always madvise [never]\n"), false),
            (Some("always madvise never\n"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(found(general, None), expected, "{general:?}");
            assert_eq!(found(general, Some("always [inherit] madvise never\n")), expected);
            assert!(found(general, Some("always inherit [madvise] never\n")));
            assert!(!found(general, Some("always inherit madvise [never]\n")));
        }
        let refused = find(|_| Some("[always] madvise never\n".to_owned()), true);
        assert_eq!(refused.unwrap_err(), "They are switched off for this process.");
        let refused = find(|_| Some("always madvise [never]\n".to_owned()), false);
        assert!(refused.unwrap_err().ends_with("/enabled\" says \"never\"."));
    }
}
