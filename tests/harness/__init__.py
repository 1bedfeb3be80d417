"""What the black-box tests share: a hub and a client on folders and ports of their own, a proxy that lies, and one that
counts.

Only the real programs run here: build/bin/locara, build/bin/locara-hub and the engine they start. Tests are modules:
`python3 -m tests.blackbox.first_app_test` from the root of the repository.
"""
import atexit
import contextlib
import functools
import hashlib
import http.client
import http.server
import itertools
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
import urllib.request

from tests.harness.golden import GoldenFolder
from tests.harness.proxy import CountingProxy, Fault, FaultyProxy

SOURCE = pathlib.Path(os.environ.get("LOCARA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("LOCARA_BUILD", SOURCE / "build"))
BIN = BUILD / "bin"
SEED = BUILD / "share/locara/seed"
APP = "locara/quick-add"
MANIFEST = SOURCE / "models/quick-add/manifest.json"
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


@functools.cache
def postgresql():
    """The URL of a real server, started for this program; it ends with it."""
    folder = tempfile.mkdtemp(prefix="locara-pg-", dir="/tmp")
    server = subprocess.Popen([SOURCE / "scripts/postgresql.sh", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    url = server.stdout.readline().strip()
    if not url:
        if server.wait() == 77:
            raise unittest.SkipTest("the package postgresql is not installed")
        raise AssertionError("PostgreSQL did not start")

    def end():
        server.stdin.close()
        server.wait()
        server.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return url


def make_database(made=itertools.count(1)):
    """The URL of a new, empty database."""
    url, name = postgresql(), f"hub{next(made)}"
    subprocess.run(["psql", "--quiet", "--dbname", url, "--command", f"CREATE DATABASE {name}"], check=True, timeout=60)
    return url.replace("/postgres?", f"/{name}?")


def moved_clock(by):
    """Environment that moves the wall clock of a program and of those it starts, by a text ("+2h") or as a Clock says, but
    not the times of files. Not the command `faketime`: that waits for every descendant, and the broker outlives the CLI."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    told = {"FAKETIME_TIMESTAMP_FILE": str(by.path), "FAKETIME_NO_CACHE": "1"} if isinstance(by, Clock) else {"FAKETIME": by}
    return {"LD_PRELOAD": str(library), **told, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1"}


class Clock:
    """A clock for `moved_clock` that moves while a program runs: `move("+2h")`, from what it really is."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.move("+0")

    def move(self, by):
        new = self.path.with_suffix(".new")
        new.write_text(by)
        new.replace(self.path)  # never half a text


class Hub:
    """A hub process on a data folder; `stop` and `start` again as often as wanted."""

    def __init__(self, folder, seed=SEED, port=None, config=None, verbose=False, database=None, join=False):
        self.folder = pathlib.Path(folder)
        self.seed = seed
        self.verbose = verbose
        self.said = ""  # what the last run wrote to standard error
        self.config = config  # the path of a hub.toml
        self.join = join  # whether it serves beside the one that has the folder
        self.database = database  # the URL of a PostgreSQL database; all hubs that name none get one if this is said:
        if not database and not join and os.environ.get("LOCARA_TEST_DATABASE") == "postgresql":
            self.database = make_database()
        self.port = port or free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def fingerprint(self):
        return hashlib.sha256((self.folder / "root.json").read_bytes()).hexdigest()

    def allow_public_repos(self):
        """What tests make may be public, unless their own hub.toml says something else. The one in the data folder is for
        commands."""
        for path in filter(None, (self.config, self.folder / "hub.toml")):
            path = pathlib.Path(path)
            text = path.read_text() if path.exists() else ""
            if "[repos]" not in text:
                path.parent.mkdir(0o700, parents=True, exist_ok=True)
                path.write_text(text + '\n[repos]\npublic = ["app", "model", "dataset"]\n')

    def start(self, clock=None):
        self.allow_public_repos()
        if not self.join:
            (self.folder / "ready").unlink(missing_ok=True)
        command = [BIN / "locara-hub", "serve", "--data", self.folder, "--listen", f"127.0.0.1:{self.port}",
                   *(["--seed", self.seed] if self.seed else []), *(["--config", self.config] if self.config else []),
                   *(["--database", self.database] if self.database else []), *(["--join"] if self.join else []),
                   *(["--verbose"] if self.verbose else [])]
        environment = {**os.environ, **(moved_clock(clock) if clock else {})}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        wait_for(lambda: self.answers() or self.process.poll() is not None, "the hub", 60)
        if self.process.poll() is not None:
            raise AssertionError("the hub did not start: " + self.process.stderr.read())

    def answers(self):
        if not self.join:
            return (self.folder / "ready").exists()
        try:
            return urllib.request.urlopen(self.url + "/healthz", timeout=5).status == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.said = self.process.communicate(timeout=20)[1]
            self.process = None

    def kill(self):
        """SIGKILL; `start` serves the folder again."""
        self.process.kill()
        self.process.communicate()
        self.process = None

    def command(self, *arguments):
        return [BIN / "locara-hub", *arguments, "--data", self.folder]

    def admin(self, *arguments, clock=None, expect=0):
        """Runs another command on the hub's folder, with the clock moved if asked; its standard output."""
        environment = {**os.environ, **(moved_clock(clock) if clock else {})}
        done = subprocess.run(self.command(*arguments), text=True, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment)
        if done.returncode != expect:
            raise AssertionError(f"locara-hub {' '.join(arguments)}: exit {done.returncode}, expected {expect}\n"
                                 f"stdout: {done.stdout}\nstderr: {done.stderr}")
        return done.stdout.strip()

    def make_token(self, user, *arguments, clock=None):
        return self.admin("token", "create", "--user", user, *arguments, clock=clock)

    def make_writer(self, user):
        """A user, and a token that may write."""
        self.admin("user", "add", user)
        return self.make_token(user, "--role", "write")


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
        if expect is not None and process.returncode != expect:
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
                # Host too: links in the answer lead here again.
                headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
                upstream.request(self.command, self.path, headers=headers)
                answer = upstream.getresponse()
                body = answer.read()
                upstream.close()
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
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


# tests/golden/<name of the test file>/
GOLDEN = GoldenFolder(SOURCE / "tests/golden" / pathlib.Path(sys.argv[0]).stem, os.environ.get("LOCARA_ACCEPT") == "1")


class TestCase(unittest.TestCase):
    """One seeded hub for the class; a fresh client for each test."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-test-"))
        cls.hub = Hub(cls.folder / "hub", seed=cls.make_seed())

    @classmethod
    def make_seed(cls):
        return SEED

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.client = Client(tempfile.mkdtemp(prefix="client-", dir=self.folder))
        self.proxies = []
        self.addCleanup(self.client.stop)

    def proxy(self, rule=None, hub=None):
        proxy = LyingProxy(hub or self.hub, rule)
        self.addCleanup(proxy.stop)
        self.proxies.append(proxy)
        return proxy

    def counting_proxy(self):
        proxy = CountingProxy(self.hub)
        self.addCleanup(proxy.stop)
        return proxy

    def assert_golden(self, name, found):
        """`found`, with what differs from run to run replaced, is what the golden file holds."""
        difference = GOLDEN.compare(name, self.steady(found))
        if difference:
            self.fail(difference)

    def steady(self, text):
        """Only what truly varies: addresses, folders, times, this machine's figures, secrets."""
        for found, name in ((self.client.home, "HOME"), (self.folder, "FOLDER"), (BUILD, "BUILD"), (SOURCE, "SOURCE")):
            text = text.replace(str(found), name)
        for port in (self.client.port, self.hub.port, *(proxy.port for proxy in self.proxies)):
            text = re.sub(rf"\b{port}\b", "PORT", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        text = re.sub(r"#[0-9a-f]{64}", "#CODE", text)
        text = text.replace(self.hub.fingerprint, "FINGERPRINT")
        text = re.sub(r"\S+/llama-server\b", "ENGINE", text)
        text = re.sub(r"[\d.]+ [kMGT]?i?B(?= free\b)", "SIZE", text)
        text = re.sub(r"\d+ cores, [\d.]+ .iB memory", "N cores, SIZE memory", text)
        text = re.sub(r"(Landlock version) \d+", r"\1 N", text)
        return re.sub(r'("(?:disk_free_bytes|memory_available_bytes|free_bytes|pid|idle_seconds)": ?)\d+', r"\1N", text)

    def assert_nothing_half_installed(self):
        """After a failed install: no app listed, no app folder, only whole and right files in the store."""
        self.assertEqual(self.client.json("list")["apps"], [])
        installed = self.client.home / "data/apps"
        self.assertEqual([p for p in installed.glob("*/*/*") if not p.name.startswith(".")] if installed.exists() else [], [])
        self.client.run("verify")


def main():
    """Runs the tests of the file; after a whole run without failures, golden files that none used are a failure too."""
    program = unittest.main(verbosity=1, exit=False)
    passed = program.result.wasSuccessful()
    if passed and not program.result.skipped and len(sys.argv) == 1:
        for name in GOLDEN.take_unused():
            print(f"golden file {name}: no test uses it; `./dev test --accept` removes it", file=sys.stderr)
            passed = False
    sys.exit(0 if passed else 1)
