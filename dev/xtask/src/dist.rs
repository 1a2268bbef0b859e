//! `cargo xtask dist`: the program as it is given to users, compiled for what it did under a load.
//!
//! ```text
//!   build with counters ─► serve the loads of [`LOADS`] ─► merge the counts ─► build for them ─► the SQL cases ─► target/dist/damask
//! ```
//!
//! A statement goes through seven crates and some ten thousand instructions, few of them twice. Where the compiler knows which branches are
//! taken and what is never called, it puts what belongs together together, and processors find it in their caches.
//! The loads are not the pgbench scripts that figures are taken with.

use crate::{root, run_with};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Drivers of `damask-bench` with their arguments; the server and, for TPC-H, its data are put behind.
const LOADS: &[&[&str]] = &[
    &["tpcc", "--warehouses", "1", "--clients", "4", "--seconds", "8"],
    &["ycsb", "--records", "20000", "--seconds", "3"],
    &["text", "--clients", "4", "--statements", "20000"],
    // Behind TPC-C, some of whose tables have the same names.
    &["tpch", "--runs", "2"],
];

/// Scale of TPC-H's data, so that counts of rows do not outweigh those of statements.
const TPCH_SCALE: &str = "0.02";

/// Builds the program into `target/dist`.
pub(crate) fn run() -> Result<(), String> {
    let merge = profile_merger()?;
    let host = host()?;
    let target = root().join("target");
    let counts = target.join("dist-counts");
    remove(&counts)?;
    let counting = format!("-Cprofile-generate={}", counts.display());
    build(&counting, &host, &["-p", "damask-cli", "-p", "damask-bench"])?;
    let built = target.join(&host).join("release");
    train(&built)?;
    let profile = target.join("dist.profdata");
    run_with(&merge, &["merge", "-o", text(&profile)?, text(&counts)?], &[])?;
    build(&format!("-Cprofile-use={}", profile.display()), &host, &["-p", "damask-cli"])?;
    let built = built.join("damask");
    run_with(text(&built)?, &["slt", "slt/cases"], &[])?;
    let folder = target.join("dist");
    let program = folder.join("damask");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(&built, &program))
        .map_err(|error| format!("{}: {error}", program.display()))?;
    println!("built {}", program.display());
    Ok(())
}

/// A release build of packages with flags that its build scripts do not get.
fn build(flags: &str, host: &str, packages: &[&str]) -> Result<(), String> {
    let mut args = vec!["build", "--release", "--target-dir", "target", "--target", host];
    args.extend(packages);
    run_with("cargo", &args, &[("RUSTFLAGS", flags)])
}

/// Serves the loads.
fn train(built: &Path) -> Result<(), String> {
    // Names of sockets are short.
    let folder = std::env::temp_dir().join(format!("damask-dist-{}", std::process::id()));
    remove(&folder)?;
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let result = train_in(built, &folder);
    remove(&folder)?;
    result
}

fn train_in(built: &Path, folder: &Path) -> Result<(), String> {
    let bench = built.join("damask-bench");
    let bench = text(&bench)?;
    let data = folder.join("tpch");
    let data = text(&data)?;
    run_with(bench, &["tpch-data", TPCH_SCALE, data], &[])?;
    let mut server = serve(built, folder)?;
    let directory = text(folder)?.replace('/', "%2F");
    let url = format!("damask=postgres://postgres@{directory}:5432/postgres");
    let trained = LOADS.iter().try_for_each(|load| {
        let mut args = load.to_vec();
        args.extend(["--server", &url]);
        if load[0] == "tpch" {
            args.push(data);
        }
        run_with(bench, &args, &[])
    });
    // It writes its counts when it ends.
    let stopped = run_with("kill", &[&server.id().to_string()], &[]);
    let status = server.wait().map_err(|error| format!("damask serve: {error}"))?;
    trained.and(stopped)?;
    if status.success() { Ok(()) } else { Err(format!("damask serve ended with {status}")) }
}

/// A server on a socket in the folder, which takes connections.
fn serve(built: &Path, folder: &Path) -> Result<Child, String> {
    let directories = format!("unix_socket_directories={}", text(folder)?);
    let mut server = Command::new(built.join("damask"))
        .arg("serve")
        .arg(folder.join("train.damask"))
        .args(["-c", "listen_addresses=", "-c", "port=5432", "-c", &directories])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("damask serve did not start: {error}"))?;
    // It greets once it listens.
    let mut greeting = String::new();
    let out = server.stdout.take().ok_or("damask serve has no output")?;
    BufReader::new(out).read_line(&mut greeting).map_err(|error| error.to_string())?;
    if greeting.is_empty() {
        return Err("damask serve ended at once".to_owned());
    }
    Ok(server)
}

/// A program that merges counts of this compiler: the toolchain's own, or one of an LLVM that is not much older.
fn profile_merger() -> Result<String, String> {
    let of_toolchain = output("rustc", &["--print", "sysroot"])
        .and_then(|sysroot| Ok((sysroot, host()?)))
        .map(|(sysroot, host)| format!("{sysroot}/lib/rustlib/{host}/bin/llvm-profdata"))?;
    let named = ["llvm-profdata-22", "llvm-profdata-21", "llvm-profdata-20", "llvm-profdata-19"];
    std::iter::once(of_toolchain)
        .chain(named.map(str::to_owned))
        .find(|program| output(program, &["--version"]).is_ok())
        .ok_or_else(|| {
            "llvm-profdata is needed: `rustup component add llvm-tools`, or a package such as Debian's llvm-19".to_owned()
        })
}

/// The platform that this compiler is for.
fn host() -> Result<String, String> {
    let version = output("rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

/// What a command prints.
fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program} did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {} failed", args.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
