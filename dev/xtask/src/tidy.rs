//! Rules that no compiler holds.
//!
//! - T1: a crate depends on the crates its row of [`ARROWS`] names, and no others of ours.
//! - T2: a folder `x` holds package `damask-x`; `damask` holds `damask`.
//! - T3: every source file begins with head docs.
//! - T4: no note that says "fix me", and no file over [`FILE_BYTES_MAX`].
//! - T5: the modules that contain `unsafe` are those that `docs/unsafe.md` lists.
//! - T6: every path that `ARCHITECTURE.md` names in backquotes with a slash exists.

use std::fs;
use std::path::{Path, PathBuf};

/// What each crate may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("sql", &[]),
    ("types", &[]),
    ("functions", &["types"]),
    ("storage", &["types"]),
    ("txn", &["types", "storage"]),
    ("catalog", &["types", "functions", "txn"]),
    ("planner", &["types", "functions", "sql", "catalog"]),
    ("jit", &["types", "functions", "planner"]),
    ("executor", &["types", "functions", "catalog", "planner", "jit", "txn"]),
    (
        "damask",
        &["types", "functions", "sql", "storage", "txn", "catalog", "planner", "jit", "executor"],
    ),
    ("server", &["damask", "types"]),
    ("slt", &["damask", "server"]),
    ("cli", &["damask", "server", "slt"]),
    ("bench", &["damask", "server"]),
    ("dev/xtask", &[]),
];

/// Largest source file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Checks every rule; the error lists what is wrong.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut problems = vec![];
    for (folder, allowed) in ARROWS {
        manifest(root, folder, allowed, &mut problems);
    }
    let mut unsafe_modules = vec![];
    for (folder, _) in ARROWS {
        for file in sources(&root.join(folder)) {
            source(root, &file, &mut problems, &mut unsafe_modules);
        }
    }
    unsafe_list(root, &unsafe_modules, &mut problems);
    architecture(root, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!("tidy found\n  {}", problems.join("\n  ")))
    }
}

/// T1 and T2.
fn manifest(root: &Path, folder: &str, allowed: &[&str], problems: &mut Vec<String>) {
    let path = root.join(folder).join("Cargo.toml");
    let Ok(text) = fs::read_to_string(&path) else {
        problems.push(format!("{} cannot be read", path.display()));
        return;
    };
    let package = |name: &str| match name {
        "damask" => "damask".to_owned(),
        "dev/xtask" => "xtask".to_owned(),
        other => format!("damask-{other}"),
    };
    if !text.contains(&format!("name = \"{}\"", package(folder))) {
        problems.push(format!("{folder}/Cargo.toml does not name its package {}", package(folder)));
    }
    for line in text.lines() {
        let Some((name, _)) = line.split_once(['.', ' ', '=']) else { continue };
        let ours = name == "damask" || name.starts_with("damask-");
        if ours && !allowed.iter().any(|allowed| package(allowed) == name) {
            problems.push(format!("{folder} may not depend on {name}"));
        }
    }
}

/// Rust files of a folder, tests and benches included.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// T3, T4 and the finding of `unsafe`.
fn source(root: &Path, file: &Path, problems: &mut Vec<String>, unsafe_modules: &mut Vec<String>) {
    let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let Ok(text) = fs::read_to_string(file) else {
        problems.push(format!("{name} cannot be read"));
        return;
    };
    if !text.starts_with("//!") {
        problems.push(format!("{name} does not begin with head docs"));
    }
    // The word is put together so that this file does not hold it.
    if text.contains(&["FIX", "ME"].concat()) {
        problems.push(format!("{name} holds a note that may not reach main"));
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        problems.push(format!("{name} is larger than {FILE_BYTES_MAX} bytes"));
    }
    if text.contains("#![expect(unsafe_code") || text.contains("#[expect(unsafe_code") {
        unsafe_modules.push(name);
    }
}

/// T5.
fn unsafe_list(root: &Path, modules: &[String], problems: &mut Vec<String>) {
    let list = fs::read_to_string(root.join("docs/unsafe.md")).unwrap_or_default();
    for module in modules.iter().filter(|module| !module.starts_with("dev/xtask")) {
        if !list.contains(&format!("`{module}`")) {
            problems.push(format!("{module} contains unsafe code and is not in docs/unsafe.md"));
        }
    }
}

/// T6.
fn architecture(root: &Path, problems: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(root.join("ARCHITECTURE.md")) else {
        problems.push("ARCHITECTURE.md is missing".to_owned());
        return;
    };
    for path in text.split('`').skip(1).step_by(2) {
        let is_path = path.contains('/') && !path.contains([' ', '*', ':', '<', '{']);
        if is_path && !root.join(path).exists() {
            problems.push(format!("ARCHITECTURE.md names {path}, which does not exist"));
        }
    }
    for (folder, _) in ARROWS {
        if !text.contains(&format!("`{folder}")) {
            problems.push(format!("ARCHITECTURE.md has no section for {folder}"));
        }
    }
}
