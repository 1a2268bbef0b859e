#!/usr/bin/env python3
"""Instructions an operation, Damask's library beside SQLite: each work runs twice, with different counts, and the difference counts.

usage: embedded.py DAMASK_BENCH [--folder FOLDER] [--small N] [--large N]

Instructions come from `perf stat` where the machine counts them, else from valgrind's callgrind (slow; user space only in
both). The folder should be in memory (/dev/shm), so that no disk is waited for.
"""
import argparse
import re
import subprocess
import sys
import tempfile


def perf(command):
    """User-space instructions by the machine's counters; None if it has none."""
    run = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", *command], capture_output=True, text=True)
    match = re.search(r"^(\d+),,instructions", run.stderr, re.M)
    return int(match[1]) if run.returncode == 0 and match else None


def callgrind(command):
    with tempfile.NamedTemporaryFile() as out:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", *command], capture_output=True, text=True)
    match = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not match:
        sys.exit(run.stderr)
    return int(match[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the damask-bench program, built for release")
    parser.add_argument("--folder", default="/dev/shm/damask-embedded")
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--large", type=int, default=12000)
    parser.add_argument("--records", type=int, default=10000)
    options = parser.parse_args()

    def command(engine, work, count):
        return [options.bench, "embedded", "--engine", engine, "--work", work, "--folder", options.folder,
                "--records", str(options.records), "--count", str(count)]

    count = perf if perf(["true"]) else callgrind
    print(f"instructions by {count.__name__}, {options.records} rows")
    for work in ["select", "update"]:
        figures = {}
        for engine in ["damask", "sqlite"]:
            small = count(command(engine, work, options.small))
            large = count(command(engine, work, options.large))
            figures[engine] = (large - small) / (options.large - options.small)
            print(f"{work:<8} {engine:<8} {figures[engine]:>10.0f} instructions an operation")
        print(f"{work:<8} Damask takes {figures['damask'] / figures['sqlite']:.2f} x SQLite's")


if __name__ == "__main__":
    main()
