//! `cargo xtask`: the one entry point for what developers and CI run.
//!
//! | task | what |
//! |---|---|
//! | `ci` | everything a change must pass: format, tidy, lints, build, tests, the SQL cases |
//! | `tidy` | the rules no compiler holds: arrows between crates, head docs, names, unsafe modules |
//! | `slt [FILE...]` | the SQL cases, embedded and over the wire |
//! | `dist` | the program as it is given to users, in `target/dist` |
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod dist;
mod tidy;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match task.as_str() {
        "ci" => ci(),
        "tidy" => tidy::run(&root()),
        "slt" => slt(&rest),
        "dist" => dist::run(),
        _ => Err("usage: cargo xtask ci | tidy | slt [FILE...] | dist".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("xtask lies two folders below the root").to_owned()
}

/// Runs a command in the root; its output goes to the terminal.
fn run(program: &str, args: &[&str]) -> Result<(), String> {
    run_with(program, args, &[])
}

/// As [`run`], with variables of the environment.
fn run_with(program: &str, args: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let variables_shown = variables.iter().map(|(name, value)| format!("{name}={value}"));
    let shown: Vec<String> = variables_shown.chain(std::iter::once(program.to_owned())).collect();
    println!("$ {} {}", shown.join(" "), args.join(" "));
    let status = Command::new(program)
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("{program} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} {} failed", args.join(" "))) }
}

fn ci() -> Result<(), String> {
    run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run(&root())?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    run("cargo", &["test", "--workspace", "--quiet"])
}

fn slt(files: &[String]) -> Result<(), String> {
    let mut args = vec!["run", "--quiet", "--package", "damask-cli", "--", "slt"];
    if files.is_empty() {
        args.push("slt/cases");
    }
    args.extend(files.iter().map(String::as_str));
    run("cargo", &args)
}
