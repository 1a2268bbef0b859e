#!/usr/bin/env python3
"""Loads TPC-H into Damask, PostgreSQL and DuckDB, compares every answer with PostgreSQL's, and prints the times side by side.

usage: run.py --data FOLDER --queries FOLDER --damask URL --postgres URL [--no-load] [--runs N] [--only 1,6]

FOLDER are made by `damask-bench tpch-data` and `damask-bench tpch-queries`. URLs are postgresql://user@host:port/db.
The time of a query is the best of N runs, in milliseconds, measured at the client. DuckDB runs in this process on one thread.
"""
import argparse
import math
import os
import re
import sys
import time
from decimal import Decimal

import psycopg

TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]
HERE = os.path.dirname(os.path.abspath(__file__))


def statements(text):
    """The statements of a file, comments left out."""
    text = re.sub(r"--.*", "", text)
    return [part.strip() for part in text.split(";") if part.strip()]


def load(url, data):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS lineitem, orders, partsupp, part, customer, supplier, nation, region CASCADE")
        for statement in statements(open(f"{HERE}/schema.sql").read()):
            connection.execute(statement)
        start = time.monotonic()
        for table in TABLES:
            with connection.cursor() as cursor, open(f"{data}/{table}.tbl", "rb") as file:
                with cursor.copy(f"COPY {table} FROM STDIN WITH (DELIMITER '|')") as copy:
                    while chunk := file.read(1 << 18):
                        copy.write(chunk)
        connection.execute("ANALYZE")
        return time.monotonic() - start


def run(connection, parts, runs):
    """Best time of a query and its rows; a query of several parts makes and drops a view around the one that answers."""
    best, rows = math.inf, None
    for _ in range(runs):
        start = time.monotonic()
        for part in parts:
            cursor = connection.execute(part)
            if part.lower().lstrip().startswith(("select", "with")):
                rows = cursor.fetchall()
        best = min(best, time.monotonic() - start)
    return best * 1000, rows


def canonical(rows):
    def value(v):
        if isinstance(v, Decimal):
            return f"{v.normalize():f}" if v == v.to_integral() else f"{v:f}".rstrip("0").rstrip(".")
        if isinstance(v, float):
            return f"{v:.10g}"
        return str(v).rstrip() if v is not None else None
    return [tuple(value(v) for v in row) for row in rows]


def duck(data):
    import duckdb
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    for statement in statements(open(f"{HERE}/schema.sql").read()):
        connection.execute(re.sub(r" REFERENCES \w+", "", re.sub(r", FOREIGN KEY \(.*?\) REFERENCES \w+", "", statement)))
    for table in TABLES:
        connection.execute(f"COPY {table} FROM '{data}/{table}.tbl' (DELIMITER '|', HEADER false, QUOTE '')")
    return connection


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--damask", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--no-duckdb", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only")
    args = parser.parse_args()
    if not args.no_load:
        print(f"load: damask {load(args.damask, args.data):.1f} s, postgres {load(args.postgres, args.data):.1f} s")
    duckdb = None if args.no_duckdb else duck(args.data)
    damask = psycopg.connect(args.damask, autocommit=True)
    postgres = psycopg.connect(args.postgres, autocommit=True)
    numbers = [int(n) for n in args.only.split(",")] if args.only else range(1, 23)
    ratios, wrong, duck_ratios = [], [], []
    print(f"{'query':>5} {'damask ms':>10} {'postgres ms':>12} {'duckdb ms':>10} {'d/pg':>6}  answer")
    for number in numbers:
        parts = statements(open(f"{args.queries}/q{number:02}.sql").read())
        try:
            mine, rows = run(damask, parts, args.runs)
        except psycopg.Error as error:
            print(f"{number:>5} {str(error).splitlines()[0]}")
            wrong.append(number)
            damask.close()
            damask = psycopg.connect(args.damask, autocommit=True)
            continue
        theirs, expected = run(postgres, parts, args.runs)
        other = math.nan
        if duckdb is not None:
            start = time.monotonic()
            for part in parts:
                duckdb.execute(part).fetchall()
            other = (time.monotonic() - start) * 1000
            duck_ratios.append(mine / other)
        same = canonical(rows) == canonical(expected)
        exact = rows == expected
        if not same:
            wrong.append(number)
        ratios.append(mine / theirs)
        verdict = "equal" if exact else "equal but for trailing zeros" if same else "DIFFERS"
        print(f"{number:>5} {mine:>10.1f} {theirs:>12.1f} {other:>10.1f} {mine / theirs:>6.2f}  {verdict}")
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of damask / postgres: {mean:.3f}, worst {max(ratios):.2f}")
    if duck_ratios:
        print(f"geometric mean of damask / duckdb: {math.exp(sum(map(math.log, duck_ratios)) / len(duck_ratios)):.2f}")
    print(f"answers that differ or failed: {wrong or 'none'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
