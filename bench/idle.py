#!/usr/bin/env python3
"""Memory of idle connections: what a server grows by for each connection that has run one select and waits.

usage: idle.py PORT PID [CONNECTIONS [QUERY]]

The server listens on 127.0.0.1, user and database postgres, without a password. PID is its process; the proportional share
(Pss) of it and its children counts, so that PostgreSQL's processes are charged for their own pages alone. Needs nothing but Python.
"""

import os
import socket
import struct
import subprocess
import sys

WARM_CONNECTIONS = 20


def memory_kb(pid):
    """Pss of a process and its children."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    total = 0
    for process in [str(pid), *children]:
        try:
            with open(f"/proc/{process}/smaps_rollup") as lines:
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def message(stream, letter):
    """Reads messages up to one of this letter."""
    while True:
        head = stream.read(5)
        if len(head) < 5:
            raise SystemExit("the server closed a connection")
        body = stream.read(struct.unpack("!i", head[1:])[0] - 4)
        if head[:1] == b"E":
            raise SystemExit(body.replace(b"\0", b" ").decode())
        if head[:1] == letter:
            return


def connect(port, query):
    connection = socket.create_connection(("127.0.0.1", port))
    stream = connection.makefile("rb", buffering=0)
    parameters = b"user\0postgres\0database\0postgres\0\0"
    connection.sendall(struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters)
    message(stream, b"Z")
    text = query.encode() + b"\0"
    connection.sendall(b"Q" + struct.pack("!i", 4 + len(text)) + text)
    message(stream, b"Z")
    return connection, stream


def main():
    port, pid = int(sys.argv[1]), int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    query = sys.argv[4] if len(sys.argv) > 4 else "select 1"
    warm = [connect(port, query) for _ in range(WARM_CONNECTIONS)]
    before = memory_kb(pid)
    idle = [connect(port, query) for _ in range(count)]
    after = memory_kb(pid)
    print(f"{count} idle connections: {(after - before) / count:.1f} KB each ({before} to {after} KB)")
    for connection, _ in warm + idle:
        connection.close()


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    main()
