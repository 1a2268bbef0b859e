#!/usr/bin/env python3
"""One large transaction beside small ones.

    bench/large_transaction.py BINARY PORT [--rows 2000000] [--rounds 3] [--other BINARY] [--postgres URL]

Serves a new database in a temporary folder. One client inserts so many rows of 1 KB by one statement in one transaction; another updates a single row
meanwhile, each time in a commit of its own. Prints the seconds of the large transaction, the most memory of the server (VmHWM; not of PostgreSQL,
whose processes share theirs), and what the small commits waited: their number, the median, the 99.9th percentile and the worst, in milliseconds. In turns with
another program and with a PostgreSQL server, if they are named.

Needs `pip install 'psycopg[binary]'`.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import threading
import time

import psycopg

INSERT = "INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, %d) i"


def connected(url):
    for _ in range(300):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise SystemExit(f"no answer at {url}")


def update(url, over, waits):
    with connected(url) as connection:
        while not over.is_set():
            start = time.monotonic()
            connection.execute("UPDATE small SET n = n + 1 WHERE id = 1", prepare=True)
            waits.append(time.monotonic() - start)


def measure(url, rows):
    """Seconds of the large transaction, and those of each small commit, ascending."""
    waits, over = [], threading.Event()
    with connected(url) as connection:
        connection.execute("DROP TABLE IF EXISTS large, small")
        connection.execute("CREATE TABLE large (id bigint PRIMARY KEY, filler text)")
        connection.execute("CREATE TABLE small (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO small VALUES (1, 0)")
        other = threading.Thread(target=update, args=(url, over, waits))
        other.start()
        start = time.monotonic()
        connection.execute(INSERT % rows)
        seconds = time.monotonic() - start
        over.set()
        other.join()
    return seconds, sorted(waits)


def measure_program(binary, port, rows):
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "serve", os.path.join(folder, "d.db"), "--listen", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            seconds, waits = measure(url, rows)
            with open(f"/proc/{server.pid}/status") as status:
                peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
        finally:
            server.terminate()
            server.wait()
    return seconds, waits, peak


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary")
    parser.add_argument("port", type=int)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other")
    parser.add_argument("--postgres")
    options = parser.parse_args()
    peers = {"Damask": lambda: measure_program(options.binary, options.port, options.rows)}
    if options.other:
        peers["other"] = lambda: measure_program(options.other, options.port, options.rows)
    if options.postgres:
        peers["PostgreSQL"] = lambda: (*measure(options.postgres, options.rows), None)
    for _ in range(options.rounds):
        for name, peer in peers.items():
            seconds, waits, peak = peer()
            high = waits[min(len(waits) - 1, len(waits) * 999 // 1000)]
            memory = f"{peak:6} MB" if peak is not None else " " * 9
            small = " ".join(f"{1000 * wait:8.2f}" for wait in (statistics.median(waits), high, waits[-1]))
            print(f"{name:10} {seconds:6.1f} s {memory}  {len(waits):7} commits, ms {small}", flush=True)


main()
