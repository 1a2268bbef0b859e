#!/usr/bin/env python3
"""The first scan of a table that is larger than the buffer pool and in no cache.

    bench/cold_scan.py BINARY PORT [--scale 64] [--seconds 60] [--rounds 5] [--other BINARY]
                       [--postgres URL --restart COMMAND]

Serves a new database in a temporary folder, fills pgbench's accounts, and changes single accounts at random for so many seconds with a small
pool, so that the pages of the table lie scattered over the file. Then, in turns: starts the server with 128 MB for pages, drops the system's
caches, and takes the time and the server's CPU of `SELECT sum(abalance) FROM pgbench_accounts`, with each `io_method` and, if there is one, with
another program that knows none. A PostgreSQL server, at URL and restarted by COMMAND, is given the same.

Needs root (for /proc/sys/vm/drop_caches), pgbench and `pip install 'psycopg[binary]'`.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import tempfile
import time

from serving import Damask, connected

QUERY = "SELECT sum(abalance) FROM pgbench_accounts"
CHANGE = "\\set a random(1, 100000 * :scale)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :a;\n"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(url, folder, scale, seconds):
    subprocess.run(["pgbench", "-i", "-q", "-s", str(scale), url], check=True, stderr=subprocess.DEVNULL)
    script = os.path.join(folder, "change.sql")
    with open(script, "w") as file:
        file.write(CHANGE)
    change = ["pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds), "-s", str(scale), "-f", script, url]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def scan(connection, pid):
    """Seconds, and the CPU seconds of the process `pid` or of the session's own."""
    connection.execute("SET max_parallel_workers_per_gather = 0")
    pid = pid or connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    # What the plan needs to know is read before.
    connection.execute("EXPLAIN " + QUERY)
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    before, start = cpu_seconds(pid), time.monotonic()
    connection.execute(QUERY).fetchone()
    return time.monotonic() - start, cpu_seconds(pid) - before


class ColdDamask(Damask):
    def measure(self):
        with self, connected(self.url) as connection:
            return scan(connection, self.process.pid)


class PostgreSQL:
    def __init__(self, url, restart):
        self.url, self.restart = url, shlex.split(restart)

    def measure(self):
        subprocess.run(self.restart, check=True, stdout=subprocess.DEVNULL)
        with connected(self.url) as connection:
            return scan(connection, None)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary")
    parser.add_argument("port", type=int)
    parser.add_argument("--scale", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--other")
    parser.add_argument("--postgres")
    parser.add_argument("--restart")
    options = parser.parse_args()
    if options.postgres and not options.restart:
        parser.error("--postgres needs --restart")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "d.db")

        def damask(binary, *settings):
            return ColdDamask(binary, options.port, path, *settings)

        with damask(options.binary, "shared_buffers=48MB", "synchronous_commit=off") as server:
            fill(server.url, folder, options.scale, options.seconds)
        pool = "shared_buffers=128MB"
        peers = {method: damask(options.binary, pool, f"io_method={method}") for method in ("sync", "io_uring")}
        if options.other:
            peers["other"] = damask(options.other, pool)
        if options.postgres:
            peers["PostgreSQL"] = PostgreSQL(options.postgres, options.restart)
            fill(options.postgres, folder, options.scale, options.seconds)
        figures = {name: [] for name in peers}
        for _ in range(options.rounds):
            for name, peer in peers.items():
                figures[name].append(peer.measure())
        for name, rounds in figures.items():
            seconds, cpu = (statistics.median(column) for column in zip(*rounds))
            each = " ".join(f"{seconds:.2f}" for seconds, _ in rounds)
            print(f"{name:10} {seconds:6.2f} s  {cpu:5.2f} s CPU   each {each}")


main()
