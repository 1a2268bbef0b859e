#!/usr/bin/env python3
"""pgbench against Damask and PostgreSQL in one run: rates, server CPU, flushes and log bytes a transaction, side by side.

usage: run.py --damask [HOST:]PORT:PID --postgres [HOST:]PORT:PID [--scale 10] [--seconds 10] [--rounds 3] [--only select,tpcb] [--no-load]

HOST is an address, 127.0.0.1 if it is left out, or the directory of a Unix-domain socket; user and database are postgres. A PID is the server's (PostgreSQL: the postmaster's; the CPU of
its children counts too). Every case runs in turns, Damask then PostgreSQL, `--rounds` times; the printed figures are medians.
CPU is user and system time of the server in microseconds a transaction; flushes are `pg_stat_wal.wal_sync`. At the end the
books of the TPC-B-like tables must balance, and no transaction may have failed for good: otherwise the exit status is 1.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HUNDRED = ",".join(f"(:n, {i}, 'filler of a row')" for i in range(100))

SETUP = """
DROP TABLE IF EXISTS bench_lookup, bench_insert, bench_counter;
CREATE TABLE bench_lookup (id int PRIMARY KEY, code int NOT NULL, note text NOT NULL);
INSERT INTO bench_lookup SELECT i, (i * 7919::bigint % 500009)::int, 'note ' || i FROM generate_series(1, 200000) AS g(i);
CREATE INDEX bench_lookup_code ON bench_lookup (code);
CREATE TABLE bench_insert (batch int NOT NULL, line int NOT NULL, note text NOT NULL);
CREATE TABLE bench_counter (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO bench_counter VALUES (1, 0);
ANALYZE bench_lookup;
"""

SCRIPTS = {
    "lookup": "\\set c random(0, 500008)\nSELECT id, note FROM bench_lookup WHERE code = :c;\n",
    "range": "\\set a random(1, 199900)\nSELECT id, code, note FROM bench_lookup WHERE id BETWEEN :a AND :a + 99;\n",
    "insert": f"\\set n random(1, 1000000)\nINSERT INTO bench_insert (batch, line, note) VALUES {HUNDRED};\n",
    # A hundred rows are read, one of them is changed; of a hundred such places one is chosen.
    "scan-write": "\\set a random(1, 100)\n\\set b random(0, 99)\n\\set r random(1, 1000000)\nBEGIN;\n"
    "SELECT max(filler) FROM pgbench_accounts WHERE aid BETWEEN :a * 100 AND :a * 100 + 99;\n"
    "UPDATE pgbench_accounts SET filler = :r WHERE aid = :a * 100 + :b;\nEND;\n",
    "hot": "UPDATE bench_counter SET n = n + 1 WHERE id = 1;\n",
}

# A transaction that fails to serialize is tried again.
RETRIES = ["--max-tries=10000"]
SERIALIZABLE = "-c default_transaction_isolation=serializable"

# name, script or pgbench flags, mode, clients, settings of the session
CASES = [
    ("select", ["-S"], "prepared", 8, ""),
    ("select", ["-S"], "prepared", 16, ""),
    ("select", ["-S"], "extended", 8, ""),
    ("select", ["-S"], "simple", 8, ""),
    ("tpcb", [], "prepared", 1, ""),
    ("tpcb", [], "prepared", 8, ""),
    ("tpcb", [], "prepared", 32, ""),
    ("tpcb", [], "extended", 8, ""),
    ("tpcb", [], "simple", 8, ""),
    ("async", [], "prepared", 8, "-c synchronous_commit=off"),
    ("lookup", "lookup", "prepared", 8, ""),
    ("range", "range", "prepared", 8, ""),
    ("insert", "insert", "prepared", 8, ""),
    ("hot", "hot", "prepared", 8, ""),
    ("hot", "hot", "prepared", 32, ""),
    ("connect", ["-S", "-C"], "simple", 8, ""),
    ("no-hot-rows", ["-N"], "prepared", 8, ""),
    ("no-hot-rows-ser", ["-N", *RETRIES], "prepared", 8, SERIALIZABLE),
    ("scan-write", "scan-write", "prepared", 8, ""),
    ("scan-write-ser", "scan-write", "prepared", 8, SERIALIZABLE),
    ("tpcb-ser", RETRIES, "prepared", 8, SERIALIZABLE),
]

# The cases without hot rows change accounts and history alone.
BOOKS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
   AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)
"""


class Server:
    def __init__(self, name, place):
        self.name = name
        *host, self.port, self.pid = place.split(":")
        self.environment = dict(os.environ, PGHOST="".join(host) or "127.0.0.1", PGUSER="postgres", PGDATABASE="postgres", PGPORT=self.port)

    def sql(self, text):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text], env=self.environment, check=True,
                              capture_output=True, text=True).stdout.strip()

    def children(self):
        return subprocess.run(["pgrep", "-P", self.pid], capture_output=True, text=True).stdout.split()

    def settle(self, children):
        """Waits until there are no more processes than that, or their number has been one and the same for a while."""
        last, since = None, time.monotonic()
        while (count := len(self.children())) > children and time.monotonic() - since < 1:
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.05)

    def cpu(self):
        """User and system time of the process, of its children and of those that have ended, in microseconds."""
        def stat(pid):
            with open(f"/proc/{pid}/stat") as file:
                return [int(field) for field in file.read().rsplit(")", 1)[1].split()[11:15]]
        own = stat(self.pid)
        ticks = sum(own)
        for child in self.children():
            try:
                ticks += sum(stat(child)[:2])
            except FileNotFoundError:
                pass
        return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")

    def log(self):
        return [int(v) for v in self.sql("SELECT wal_sync, wal_bytes FROM pg_stat_wal").split("|")]

    def pgbench(self, flags, options=""):
        environment = dict(self.environment, PGOPTIONS=options)
        done = subprocess.run(["pgbench", *flags], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.name}: pgbench {' '.join(flags)}: {done.stderr}")
        return done.stdout

    def measure(self, flags, options):
        """Rate, CPU a transaction, flushes a transaction, log bytes a transaction, retries a transaction, failures."""
        (syncs, size) = self.log()
        self.settle(0)
        children, cpu = len(self.children()), self.cpu()
        out = self.pgbench(flags, options)
        # A process of PostgreSQL is in its parent's account, and its counts are in the view, when it has ended.
        self.settle(children)
        cpu_after, (syncs_after, size_after) = self.cpu(), self.log()
        count = int(re.search(r"actually processed: (\d+)", out)[1])
        failed = int(re.search(r"failed transactions: (\d+)", out)[1])
        retries = re.search(r"total number of retries: (\d+)", out)
        rate = float(re.search(r"^tps = ([\d.]+)", out, re.M)[1])
        per = max(count, 1)
        return rate, (cpu_after - cpu) / per, (syncs_after - syncs) / per, (size_after - size) / per, int(retries[1]) / per if retries else 0.0, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damask", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--scale", default="10")
    parser.add_argument("--seconds", default="10")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="names of cases, with :CLIENTS or :MODE behind a name to choose one of several")
    parser.add_argument("--no-load", action="store_true")
    arguments = parser.parse_args()
    servers = [Server("damask", arguments.damask), Server("postgres", arguments.postgres)]
    if not arguments.no_load:
        for server in servers:
            server.pgbench(["-i", "-s", arguments.scale, "-q"])
            server.sql(SETUP)
    folder = tempfile.mkdtemp()
    for name, text in SCRIPTS.items():
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
    wanted = arguments.only.split(",") if arguments.only else None
    print(f"{'case':<24} {'tps':>9} {'PG':>9} {'ratio':>6} | {'CPU us':>7} {'PG':>7} {'ratio':>6} | {'flushes':>7} {'PG':>7} | {'log B':>6} {'PG':>6} | {'retries':>7} {'PG':>7}")
    bad = 0
    for name, script, mode, clients, options in CASES:
        if wanted and not {name, f"{name}:{clients}", f"{name}:{mode}"} & set(wanted):
            continue
        flags = script if isinstance(script, list) else ["-f", f"{folder}/{script}", *(RETRIES if options == SERIALIZABLE else [])]
        flags = ["-n", "-M", mode, "-c", str(clients), "-j", "2", "-T", arguments.seconds, *flags]
        rounds = [[server.measure(flags, options) for server in servers] for _ in range(arguments.rounds)]
        ours, theirs = ([statistics.median(turn[side][figure] for turn in rounds) for figure in range(5)] for side in (0, 1))
        bad += sum(turn[side][5] for turn in rounds for side in (0, 1))
        print(f"{name + ' ' + mode + ' c' + str(clients):<24} {ours[0]:>9.0f} {theirs[0]:>9.0f} {ours[0] / theirs[0]:>6.2f} |"
              f" {ours[1]:>7.1f} {theirs[1]:>7.1f} {ours[1] / max(theirs[1], 0.1):>6.2f} | {ours[2]:>7.3f} {theirs[2]:>7.3f} |"
              f" {ours[3]:>6.0f} {theirs[3]:>6.0f} | {ours[4]:>7.3f} {theirs[4]:>7.3f}", flush=True)
    for server in servers:
        balanced = server.sql(BOOKS) == "t"
        print(f"{server.name}: {'the books balance' if balanced else 'THE BOOKS DO NOT BALANCE'}")
        bad += not balanced
    print(f"failed transactions or books: {bad}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
