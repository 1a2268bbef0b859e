"""A server of its own for a script, and connections to it. Needs `pip install 'psycopg[binary]'`."""

import subprocess
import time

import psycopg


def connected(url):
    for _ in range(300):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise SystemExit(f"no answer at {url}")


class Damask:
    """`damask serve` of the database at `path` while the `with` block lasts: `url`, and `process`."""

    def __init__(self, binary, port, path, *settings):
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.command = [binary, "serve", path, "--listen", f"127.0.0.1:{port}"]
        self.command += [part for setting in settings for part in ("-c", setting)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connected(self.url).close()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
