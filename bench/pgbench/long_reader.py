#!/usr/bin/env python3
"""One REPEATABLE READ transaction that does not end, beside pgbench's TPC-B-like clients.

    bench/pgbench/long_reader.py BINARY PORT SECONDS [SCALE]

Serves a new database in a temporary folder, and runs pgbench (8 clients, prepared) in turns without and with a reader
that keeps its snapshot, each SECONDS long, twice; then once more with the reader for three times as long. Prints for each turn the rate,
the server's CPU time a transaction, and its resident memory and the size of its files every five seconds. The reader's
sum must be the same before and after each turn. Needs pgbench and `pip install 'psycopg[binary]'`.
"""

import os
import subprocess
import sys
import tempfile
import time

import psycopg


def connect(port):
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True)


class Server:
    def __init__(self, binary, port, folder):
        self.port, self.folder = port, folder
        command = [binary, "serve", os.path.join(folder, "d.db"), "--listen", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.watcher = connect(port)
                return
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise SystemExit("the server does not answer")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) >> 10

    def files_mb(self):
        size = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                try:
                    size += os.path.getsize(os.path.join(folder, name))
                except FileNotFoundError:
                    pass
        return size >> 20

    def versions(self):
        try:
            row = self.watcher.execute("select versions, undo_bytes, undo_spilled_bytes, hidden_ranges from damask_versions")
            return row.fetchone()
        except psycopg.Error:
            return None


def pgbench(server, what, seconds):
    connection = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "postgres"]
    command = ["pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds), *connection]
    before = server.cpu_seconds()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    trace = []
    while run.poll() is None:
        time.sleep(5)
        trace.append((server.memory_mb(), server.files_mb()))
    processed = next(line for line in run.stdout.read().splitlines() if "actually processed" in line)
    count = int(processed.split(":")[1].split("/")[0])
    cpu = (server.cpu_seconds() - before) / count * 1e6
    memory, files = zip(*trace)
    print(f"{what:12} {count / seconds:7.0f} tps {cpu:5.0f} us CPU  MB {list(memory)}  files {list(files)}", flush=True)


def with_reader(server, what, seconds):
    reader = connect(server.port)
    reader.execute("begin isolation level repeatable read")
    look = "select sum(abalance), (select count(*) from pgbench_history) from pgbench_accounts"
    seen = reader.execute(look).fetchone()
    pgbench(server, what, seconds)
    if reader.execute(look).fetchone() != seen:
        raise SystemExit("the snapshot changed")
    print(f"{'':12} kept: {server.versions()}", flush=True)
    reader.close()


def main():
    binary, port, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    scale = sys.argv[4] if len(sys.argv) > 4 else "5"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(binary, port, folder)
        try:
            connection = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "postgres"]
            subprocess.run(["pgbench", "-i", "-q", "-s", scale, *connection], check=True, stderr=subprocess.DEVNULL)
            pgbench(server, "warm", 5)
            for _ in range(2):
                pgbench(server, "without", seconds)
                with_reader(server, "with", seconds)
            with_reader(server, "with, longer", 3 * seconds)
        finally:
            server.process.terminate()
            server.process.wait()


main()
