#!/usr/bin/env python3
"""Large transactions beside small ones.

    bench/large_transaction.py BINARY PORT [--rows 2000000] [--rounds 3] [--other BINARY] [--postgres URL]

Serves a new database in a temporary folder. One client inserts so many rows of 1 KB by one statement in one transaction (insert); then it updates as
many of 100 bytes (update), and before it commits a third client calls CHECKPOINT (checkpoint). Another one updates a single row meanwhile, each time in a commit
of its own. Prints of each the seconds, of the commit of the update its own, and what the small commits waited: their number, the median, the 99.9th percentile and
the worst, in milliseconds; and the most memory of the server (VmHWM; not of PostgreSQL, whose processes share theirs). In turns with another program and
with a PostgreSQL server, if they are named.

Needs `pip install 'psycopg[binary]'`.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time

from serving import Damask, connected

INSERT = "INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, %d) i"
FILL = "INSERT INTO many SELECT i, 0, repeat('x', 84) FROM generate_series(1, %d) i"


def update(url, over, waits):
    with connected(url) as connection:
        while not over.is_set():
            start = time.monotonic()
            connection.execute("UPDATE small SET n = n + 1 WHERE id = 1", prepare=True)
            waits.append(time.monotonic() - start)


def beside(url, work):
    """Seconds that `work` takes, and those of each small commit beside it, ascending."""
    waits, over = [], threading.Event()
    other = threading.Thread(target=update, args=(url, over, waits))
    other.start()
    while not waits:
        time.sleep(0.01)
    waits.clear()
    start = time.monotonic()
    work()
    seconds = time.monotonic() - start
    over.set()
    other.join()
    return seconds, sorted(waits)


def measure(url, rows):
    """The seconds of each thing and of the small commits beside it, by its name."""
    with connected(url) as connection, connected(url) as third:
        connection.execute("DROP TABLE IF EXISTS large, many, small")
        connection.execute("CREATE TABLE large (id bigint PRIMARY KEY, filler text)")
        connection.execute("CREATE TABLE many (id bigint PRIMARY KEY, n int, filler text)")
        connection.execute("CREATE TABLE small (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO small VALUES (1, 0)")
        figures = {"insert": beside(url, lambda: connection.execute(INSERT % rows))}
        connection.execute(FILL % rows)
        third.execute("CHECKPOINT")
        connection.execute("BEGIN")
        figures["update"] = beside(url, lambda: connection.execute("UPDATE many SET n = n + 1"))
        figures["checkpoint"] = beside(url, lambda: third.execute("CHECKPOINT"))
        figures["commit"] = beside(url, lambda: connection.execute("COMMIT"))
    return figures


def measure_program(binary, port, rows):
    with tempfile.TemporaryDirectory() as folder, Damask(binary, port, os.path.join(folder, "d.db")) as server:
        figures = measure(server.url, rows)
        with open(f"/proc/{server.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    return figures, peak


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
        peers["PostgreSQL"] = lambda: (measure(options.postgres, options.rows), None)
    for _ in range(options.rounds):
        for name, peer in peers.items():
            figures, peak = peer()
            print(f"{name}: {peak} MB" if peak else name)
            for what, (seconds, waits) in figures.items():
                waits = waits or [seconds]
                high = waits[min(len(waits) - 1, len(waits) * 999 // 1000)]
                small = " ".join(f"{1000 * wait:8.2f}" for wait in (statistics.median(waits), high, waits[-1]))
                print(f"  {what:10} {seconds:6.2f} s  {len(waits):7} commits, ms {small}", flush=True)


main()
