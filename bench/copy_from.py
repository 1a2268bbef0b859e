#!/usr/bin/env python3
"""COPY FROM STDIN beside PostgreSQL: rows a second and server CPU a row, loads in turns.

usage: copy_from.py --damask PORT:PID --postgres PORT:PID [--rounds 3] [--only wide,scattered,small,lineitem]
       (needs `pip install 'psycopg[binary]'`)

Both servers listen on 127.0.0.1, user and database postgres, without a password. PID is the server's process (PostgreSQL's postmaster); its
children count too. `wide` are YCSB's rows, a key and ten texts of 100 bytes, in the order of the key; `scattered` the same out of order;
`small` two integers and 20 bytes; `lineitem` 16 columns of numbers, dates and short texts. The printed figures are medians.
"""
import argparse
import random
import statistics
import string
import subprocess
import time

import psycopg

CHUNK_BYTES = 256 << 10
TICKS_A_SECOND = 100


def wide(keys):
    chance = random.Random(1)
    letters = string.ascii_letters + string.digits
    for key in keys:
        text = "".join(chance.choices(letters, k=1000))
        yield "\t".join([str(key), *(text[at:at + 100] for at in range(0, 1000, 100))])


def scattered():
    keys = list(range(200_000))
    random.Random(2).shuffle(keys)
    return wide(keys)


def small():
    return (f"{i}\t{i * 7919 % 1_000_003}\t{i:020d}" for i in range(1_000_000))


def lineitem():
    chance = random.Random(3)
    words = "carefully final deposits sleep quickly ironic requests above the furiously regular packages".split()
    day = lambda: f"199{chance.randint(2, 8)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    for i in range(300_000):
        numbers = [i // 4 + 1, chance.randint(1, 200_000), chance.randint(1, 10_000), i % 4 + 1, chance.randint(1, 50)]
        price = f"{chance.randint(90_000, 10_000_000) / 100:.2f}\t0.0{chance.randint(0, 9)}\t0.0{chance.randint(0, 8)}"
        flags = f"{chance.choice('NRA')}\t{chance.choice('OF')}"
        comment = " ".join(chance.choices(words, k=4))
        yield "\t".join([*map(str, numbers), price, flags, day(), day(), day() + " 12:30:17", "DELIVER IN PERSON", "TRUCK", comment])


TEN_TEXTS = ", ".join(f"field{i} text" for i in range(10))
CASES = {
    "wide": (f"key bigint PRIMARY KEY, {TEN_TEXTS}", lambda: wide(range(200_000))),
    "scattered": (f"key bigint PRIMARY KEY, {TEN_TEXTS}", scattered),
    "small": ("a int, b int, c text", small),
    "lineitem": ("orderkey int, partkey int, suppkey int, number int, quantity numeric(15,2), price numeric(15,2), discount numeric(15,2), "
                 "tax numeric(15,2), flag char(1), status char(1), shipped date, due date, received timestamp, instruction char(25), "
                 "mode char(10), comment varchar(120)", lineitem),
}


def cpu_seconds(pid):
    """User and system time of a process, its children and its ended children."""
    def stat(process):
        try:
            with open(f"/proc/{process}/stat") as file:
                return [int(field) for field in file.read().rsplit(")", 1)[1].split()[11:15]]
        except FileNotFoundError:
            return [0, 0, 0, 0]
    children = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True).stdout.split()
    return (sum(stat(pid)) + sum(sum(stat(child)[:2]) for child in children)) / TICKS_A_SECOND


def load(place, columns, chunks, row_count):
    """Rows a second and microseconds of server CPU a row of one load."""
    port, pid = place.split(":")
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_copy")
        connection.execute(f"CREATE TABLE bench_copy ({columns})")
        connection.execute("CHECKPOINT")
        cpu, start = cpu_seconds(pid), time.monotonic()
        with connection.cursor().copy("COPY bench_copy FROM STDIN") as copy:
            for chunk in chunks:
                copy.write(chunk)
        taken = time.monotonic() - start
        # Before the connection ends: its process, if it has one, still counts.
        cpu = cpu_seconds(pid) - cpu
        count = connection.execute("SELECT count(*) FROM bench_copy").fetchone()[0]
        assert count == row_count, f"{count} rows instead of {row_count}"
        connection.execute("DROP TABLE bench_copy")
    return row_count / taken, cpu * 1e6 / row_count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damask", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CASES))
    arguments = parser.parse_args()
    print(f"{'case':<10} {'rows/s':>9} {'':>9} {'ratio':>6} {'CPU us':>7} {'':>7} {'ratio':>6}")
    for name in arguments.only.split(","):
        columns, rows = CASES[name]
        lines = list(rows())
        data = ("\n".join(lines) + "\n").encode()
        chunks = [data[at:at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
        figures = {place: [] for place in (arguments.damask, arguments.postgres)}
        for _ in range(arguments.rounds):
            for place, taken in figures.items():
                taken.append(load(place, columns, chunks, len(lines)))
        (own, own_cpu), (peer, peer_cpu) = (map(statistics.median, zip(*taken)) for taken in figures.values())
        print(f"{name:<10} {own:>9,.0f} {peer:>9,.0f} {own / peer:>6.2f} {own_cpu:>7.2f} {peer_cpu:>7.2f} {own_cpu / peer_cpu:>6.2f}", flush=True)


main()
