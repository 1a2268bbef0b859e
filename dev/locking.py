#!/usr/bin/env python3
"""Plays the scripts of damask/testdata/locking against a server, and says where it answers otherwise.

usage: locking.py URL [FILE ...]        (needs `pip install 'psycopg[binary]'`)

Against PostgreSQL 15 it proves the expectations; `--write` puts the server's answers in the place of those in the files. The format is
described in damask/tests/it/locking.rs. Everything happens in the schema `damask_locking`, which is dropped and made anew.
"""
import glob
import os
import queue
import sys
import threading
import time

import psycopg

LEVELS = {
    "begin rc": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "begin rr": "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "begin ser": "BEGIN ISOLATION LEVEL SERIALIZABLE",
}
HERE = os.path.dirname(os.path.abspath(__file__))


def shown(value):
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer(connection, statement):
    try:
        cursor = connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate or str(error)
    if cursor.description:
        rows = ["(%s)" % ", ".join(map(shown, row)) for row in cursor.fetchall()]
        return " ".join(rows) or "none"
    if cursor.statusmessage.split(" ")[0] in ("INSERT", "UPDATE", "DELETE"):
        return "1 row" if cursor.rowcount == 1 else "%d rows" % cursor.rowcount
    return "ok"


class Session(threading.Thread):
    def __init__(self, url):
        super().__init__(daemon=True)
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("SET search_path = damask_locking")
        self.connection.execute("SET statement_timeout = '20s'")
        self.pid = self.connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        self.statements, self.answers = queue.Queue(), queue.Queue()
        self.start()

    def run(self):
        while (statement := self.statements.get()) is not None:
            self.answers.put(answer(self.connection, statement))
        self.connection.close()

    def step(self, statement, observer):
        self.statements.put(statement)
        while True:
            try:
                return self.answers.get(timeout=0.01)
            except queue.Empty:
                pass
            waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            if observer.execute(waits, [self.pid]).fetchone()[0]:
                time.sleep(0.05)
                if self.answers.empty():
                    return "blocked"


class Stage:
    def __init__(self, url):
        self.url, self.sessions = url, {}
        self.observer = psycopg.connect(url, autocommit=True)
        for statement in ["DROP SCHEMA IF EXISTS damask_locking CASCADE", "CREATE SCHEMA damask_locking", "SET search_path = damask_locking"]:
            self.observer.execute(statement)

    def close(self):
        for session in self.sessions.values():
            session.statements.put(None)
        for session in self.sessions.values():
            session.join(5)
        self.observer.close()

    def step(self, who, what):
        if who == "setup":
            return answer(self.observer, what)
        if who not in self.sessions:
            self.sessions[who] = Session(self.url)
        if what == "wakes":
            return self.sessions[who].answers.get(timeout=30)
        return self.sessions[who].step(LEVELS.get(what, what), self.observer)


def play(url, path, write):
    """Number of lines that answer otherwise."""
    stage, wrong, out = Stage(url), 0, []
    for number, line in enumerate(open(path).read().split("\n"), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            out.append(line)
            continue
        if text == "reset":
            stage.close()
            stage = Stage(url)
            out.append(line)
            continue
        step, arrow, expected = (part.strip() for part in text.partition("=>"))
        who, _, what = step.partition(" ")
        found = stage.step(who, what.strip())
        is_right = found == (expected or "ok") or who == "setup" and " row" in found
        if not is_right and not write:
            wrong += 1
            print("%s:%d: %s => %s" % (os.path.basename(path), number, step, found))
        out.append(line if is_right or who == "setup" else "%s => %s" % (step, found))
    stage.close()
    if write:
        open(path, "w").write("\n".join(out))
    return wrong


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    files = arguments[1:] or sorted(glob.glob(os.path.join(HERE, "../damask/testdata/locking/*.txt")))
    wrong = sum(play(arguments[0], path, "--write" in sys.argv) for path in files)
    print("%d files, %d lines answered otherwise" % (len(files), wrong))
    sys.exit(wrong > 0)


main()
