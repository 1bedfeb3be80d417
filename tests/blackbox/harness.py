"""What the black-box tests share: a hub and a client on folders and ports of their own, and a proxy that lies.

Only the real programs run here: build/bin/locara, build/bin/locara-hub and the engine they start.
"""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("LOCARA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("LOCARA_BUILD", SOURCE / "build"))
BIN = BUILD / "bin"
SEED = BUILD / "share/locara/seed"
APP = "locara/quick-add"
NOTE = "lunch with Ana next Friday at noon, urgent"
ANSWER = {"title": "Lunch with Ana", "date": "next Friday", "time": "12:00", "priority": "high", "tags": []}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


def moved_clock(by):
    """Environment that moves the wall clock of a program and of those it starts. Not the command `faketime`:
    that waits for every descendant, and the broker outlives the CLI."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


class Hub:
    """A hub process on a data folder; `stop` and `start` again as often as wanted."""

    def __init__(self, folder, seed=SEED, port=None):
        self.folder = pathlib.Path(folder)
        self.seed = seed
        self.port = port or free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        (self.folder / "ready").unlink(missing_ok=True)
        command = [BIN / "locara-hub", "serve", "--data", self.folder, "--listen", f"127.0.0.1:{self.port}",
                   "--seed", self.seed]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: (self.folder / "ready").exists() or self.process.poll() is not None, "the hub")
        if self.process.poll() is not None:
            raise AssertionError("the hub did not start: " + self.process.stderr.read())

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.communicate(timeout=20)
            self.process = None


class Client:
    """The CLI with a home folder and a broker port of its own."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.port = free_port()
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LOCARA_", "XDG_"))},
                            "LOCARA_HOME": str(self.home), "LOCARA_PORT": str(self.port), "NO_COLOR": "1"}

    def start(self, *arguments, faketime=None, **options):
        command = [BIN / "locara", *map(str, arguments)]
        environment = {**self.environment, **(moved_clock(faketime) if faketime else {})}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=environment, **options)

    def run(self, *arguments, expect=0, timeout=120, **options):
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=timeout)
        if process.returncode != expect:
            raise AssertionError(f"locara {' '.join(map(str, arguments))}: exit {process.returncode}, expected {expect}\n"
                                 f"stdout: {stdout}\nstderr: {stderr}")
        self.stderr = stderr
        return stdout

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options))

    def add_hub(self, hub, url=None):
        self.run("hub", "add", url or hub.url, "--root", hub.folder / "root.json")

    def stop(self):
        with contextlib.suppress(Exception):
            self.run("stop")

    def store_files(self):
        return sorted(p for p in (self.home / "data/store/files").rglob("*") if p.is_file()) \
            if (self.home / "data/store/files").exists() else []


class LyingProxy:
    """Stands between client and hub. `rule(path, status, headers, body)` may change what comes back: it returns
    (status, headers, body), or None to cut the connection after the headers and half of the body."""

    def __init__(self, hub, rule=None):
        self.hub = hub
        self.rule = rule or (lambda path, status, headers, body: (status, headers, body))
        self.requests = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy.requests.append((self.command, self.path, dict(self.headers)))
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.hub.port, timeout=20)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
                upstream.request(self.command, self.path, headers=headers)
                answer = upstream.getresponse()
                body = answer.read()
                kept = {k: v for k, v in answer.getheaders()
                        if k.lower() not in ("connection", "transfer-encoding", "content-length")}
                length = answer.getheader("Content-Length")
                changed = proxy.rule(self.path, answer.status, kept, body)
                cut = changed is None
                status, kept, sent = (answer.status, kept, body) if cut else changed
                self.send_response_only(status)
                for name, value in kept.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", length if self.command == "HEAD" else str(len(sent)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(sent[:len(sent) // 2] if cut else sent)
                if cut:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # clients that leave early are what these tests are about

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class TestCase(unittest.TestCase):
    """One seeded hub for the class; a fresh client for each test."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-test-"))
        cls.hub = Hub(cls.folder / "hub")

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.client = Client(tempfile.mkdtemp(prefix="client-", dir=self.folder))
        self.addCleanup(self.client.stop)

    def proxy(self, rule=None):
        proxy = LyingProxy(self.hub, rule)
        self.addCleanup(proxy.stop)
        return proxy

    def assert_nothing_half_installed(self):
        """After a failed install: no app listed, no app folder, only whole and right files in the store."""
        self.assertEqual(self.client.json("list")["apps"], [])
        installed = self.client.home / "data/apps"
        self.assertEqual([p for p in installed.glob("*/*/*") if not p.name.startswith(".")] if installed.exists() else [], [])
        self.client.run("verify")

    def assert_one_clear_line(self, *words):
        """The error is told once, starts with the program's name, and holds the words."""
        lines = [line for line in self.client.stderr.splitlines() if line.startswith("locara: ")]
        self.assertEqual(len(lines), 1, self.client.stderr)
        for word in words:
            self.assertIn(word.lower(), self.client.stderr.lower())


def main():
    unittest.main(verbosity=1)
