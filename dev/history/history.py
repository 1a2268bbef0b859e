#!/usr/bin/env python3
"""Random transactions that append to lists and read them, and a check that what they saw is what their level allows.

usage: history.py URL [--start COMMAND] [--level LEVEL]... [--transactions N] [--sessions N] [--seed N] [--check-as LEVEL]
       history.py URL --start COMMAND --planted
       history.py --self-test                                        (all but the last need `pip install 'psycopg[binary]'`)

Each level gets `--transactions` (default 20,000), from `--sessions` (16) connections. With `--start` the server runs as a child of this
one, begun by COMMAND (no shell), and is killed with SIGKILL in the middle of each level and started again. `--check-as` holds the history
to another level than it ran at. What the anomalies are is told in checker.py; the exit status is 1 if a level excludes what was found.

`--self-test` checks planted histories, one for each anomaly. `--planted` makes runs that must fail: transactions of each level held to
the next stricter one, which is a server that leaves out that level's work, and commits that were acknowledged before they were
durable (`synchronous_commit = off`) held to be durable over SIGKILL. The exit status is 1 if one of them passes.

Lists lie in two tables, by key: as text in a row whose key is an integer primary key, and as a row for each value, under a key of two
columns. They are read by key, by a scan that uses no index, several at once by a range, and locked.
"""
import argparse
import collections
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time

from checker import History, Txn, illegal

LEVELS = ["read committed", "repeatable read", "serializable"]
# Lists in use at a time, and appends after which one is no longer used.
KEYS, APPENDS = 8, 60
READY_S = 60
SETUP = [
    "DROP TABLE IF EXISTS history_text, history_rows",
    "CREATE TABLE history_text (k int PRIMARY KEY, v text NOT NULL)",
    "CREATE TABLE history_rows (k int, n int, v int, PRIMARY KEY (k, n))",
]
TEXT, ROWS = 0, 1
APPEND = {
    TEXT: "INSERT INTO history_text VALUES (%(k)s, %(v)s::text) "
    "ON CONFLICT (k) DO UPDATE SET v = history_text.v || ',' || excluded.v",
    ROWS: "INSERT INTO history_rows SELECT %(k)s, coalesce(max(n), 0) + 1, %(v)s FROM history_rows WHERE k = %(k)s",
}
AS_TEXT = "SELECT k, string_agg(v::text, ',' ORDER BY n) FROM history_rows WHERE %s GROUP BY k"
READS = {
    TEXT: [
        "SELECT k, v FROM history_text WHERE k = %(k)s",
        "SELECT k, v FROM history_text WHERE k + 0 = %(k)s",
        "SELECT k, v FROM history_text WHERE k = %(k)s FOR UPDATE",
    ],
    ROWS: [AS_TEXT % "k = %(k)s", AS_TEXT % "k + 0 = %(k)s"],
}
READ_MANY = {TEXT: "SELECT k, v FROM history_text WHERE k BETWEEN %(k)s AND %(k)s + 4", ROWS: AS_TEXT % "k BETWEEN %(k)s AND %(k)s + 4"}


class Server:
    """The server as a child, or one that runs already."""

    def __init__(self, url, command):
        self.url, self.command, self.process = url, command, None

    def start(self):
        if self.command is None:
            return
        deadline = time.monotonic() + READY_S
        self.process = subprocess.Popen(shlex.split(self.command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while time.monotonic() < deadline:
            try:
                return connect(self.url).close()
            except Exception:
                if self.process.poll() is not None:
                    sys.exit(f"the server ended with status {self.process.returncode}")
                time.sleep(0.1)
        self.kill()
        sys.exit("the server does not answer")

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def connect(url):
    import psycopg

    connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    connection.execute("SET statement_timeout = '30s'")
    return connection


class Run:
    """The transactions of one level."""

    def __init__(self, url, level, count, sessions, seed, setting):
        self.url, self.level, self.count, self.sessions, self.seed, self.setting = url, level, count, sessions, seed, setting
        self.lock = threading.Lock()
        self.started, self.value, self.first = 0, 0, 0
        self.appends = collections.Counter()
        self.txns, self.codes = [], collections.Counter()
        self.half = threading.Event()

    def begin(self):
        """The number of the next transaction; none if it was the last."""
        with self.lock:
            if self.started >= self.count:
                return None
            self.started += 1
            if self.started == self.count // 2:
                self.half.set()
            return self.started

    def key(self, chance):
        with self.lock:
            while self.appends[self.first] >= APPENDS:
                self.first += 1
            return self.first + chance.randrange(KEYS)

    def next_value(self, key):
        with self.lock:
            self.value += 1
            self.appends[key] += 1
            return self.value

    def steps(self, connection, chance, ops):
        for _ in range(chance.randint(1, 5)):
            key = self.key(chance)
            table = key % 2
            if chance.random() < 0.5:
                value = self.next_value(key)
                ops.append(("append", key, value))
                connection.execute(APPEND[table], {"k": key, "v": value})
                continue
            if chance.random() < 0.2:
                found = dict(connection.execute(READ_MANY[table], {"k": key}).fetchall())
                keys = range(key, key + 5, 2)
            else:
                found = dict(connection.execute(chance.choice(READS[table]), {"k": key}).fetchall())
                keys = [key]
            ops.extend(("read", k, numbers(found.get(k))) for k in keys)

    def session(self, number):
        import psycopg

        chance, connection = random.Random("%d %d" % (self.seed, number)), None
        while (txn_number := self.begin()) is not None:
            while connection is None:
                try:
                    connection = connect(self.url)
                    connection.execute(self.setting)
                except Exception:
                    connection = None
                    time.sleep(0.05)
            txn = Txn(txn_number, [], "failed", time.monotonic())
            commits = False
            try:
                connection.execute("BEGIN ISOLATION LEVEL " + self.level)
                self.steps(connection, chance, txn.ops)
                commits = True
                txn.status = "ok" if connection.execute("COMMIT").statusmessage == "COMMIT" else "failed"
            except psycopg.Error as error:
                with self.lock:
                    self.codes[error.sqlstate or "connection"] += 1
                # A server that goes down says so with a code, too; only a refusal tells that nothing was committed.
                if commits and (error.sqlstate is None or error.sqlstate[:2] in ("08", "57", "58")):
                    txn.status = "unknown"
                try:
                    connection.execute("ROLLBACK")
                except psycopg.Error:
                    connection = None
            txn.end = time.monotonic()
            with self.lock:
                self.txns.append(txn)
        if connection is not None:
            connection.close()

    def play(self, server):
        """The history."""
        with connect(self.url) as connection:
            for statement in SETUP:
                connection.execute(statement)
        threads = [threading.Thread(target=self.session, args=(i,)) for i in range(self.sessions)]
        for thread in threads:
            thread.start()
        self.half.wait()
        if server.command is not None:
            server.kill()
            server.start()
        for thread in threads:
            thread.join()
        with connect(self.url) as connection:
            rows = connection.execute("SELECT k, v FROM history_text").fetchall()
            rows += connection.execute(AS_TEXT % "true").fetchall()
        return History(self.txns, {key: numbers(text) for key, text in rows})


def numbers(text):
    return [int(item) for item in text.split(",")] if text else []


def run_level(server, arguments, level, check_as, setting="SET synchronous_commit = on"):
    """Whether the history is one that the level `check_as` allows."""
    run = Run(server.url, level, arguments.transactions, arguments.sessions, arguments.seed, setting)
    begun = time.monotonic()
    history = run.play(server)
    took = time.monotonic() - begun
    found = history.check()
    bad = illegal(check_as, found)
    status = collections.Counter(txn.status for txn in run.txns)
    edges = sum(map(len, history.edges.values()))
    print("%s, held to %s: %d ok, %d failed, %d unknown in %.0f s; %d edges; errors %s" % (level, check_as, status["ok"], status["failed"], status["unknown"], took, edges, dict(run.codes)))
    for anomaly, witnesses in sorted(found.items()):
        print("  %s %s, e.g. %s" % (anomaly, "ILLEGAL" if anomaly in bad else "allowed", witnesses[0]))
    sys.stdout.flush()
    return not bad


def planted(server, arguments):
    """Whether every run that must fail does."""
    runs = [
        ("read committed", "repeatable read", "SET synchronous_commit = on"),
        ("repeatable read", "serializable", "SET synchronous_commit = on"),
        ("read committed", "read committed", "SET synchronous_commit = off"),
    ]
    passed = [run for run in runs if run_level(server, arguments, *run)]
    for run in passed:
        print("NOT FOUND:", *run)
    return not passed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?")
    parser.add_argument("--start")
    parser.add_argument("--level", action="append", choices=LEVELS)
    parser.add_argument("--check-as", choices=LEVELS)
    parser.add_argument("--transactions", type=int, default=20000)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        import self_test

        return self_test.run()
    if arguments.url is None or arguments.planted and arguments.start is None:
        parser.error("a server is needed")
    server = Server(arguments.url, arguments.start)
    server.start()
    try:
        if arguments.planted:
            return planted(server, arguments)
        return all([run_level(server, arguments, level, arguments.check_as or level) for level in arguments.level or LEVELS])
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
